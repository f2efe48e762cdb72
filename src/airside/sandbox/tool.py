"""The tool by which agents execute code: a manifest that says what the sandbox guarantees, and the execution.

Code has no way out but tools that only read, so executing it changes nothing: the tool is declared as a read that can
be repeated. What it returns is the agent's own words at best and nobody's truth: untrusted.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from airside.core.call import Call, Effect
from airside.core.clock import Clock
from airside.core.errors import AirsideError, Code
from airside.core.tool import ArgumentRole, Tool
from airside.sandbox.port import Code as AgentCode
from airside.sandbox.port import Limits, Result, Sandbox

SOURCE_CHARS_MAX: Final = 200_000
GIVEN_FILES_MAX: Final = 32
NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"
START_S: Final = 30.0  # beyond the deadline, for waiting until a place is free

CallForCode = Callable[[Call, str, bytes], Awaitable[bytes]]
"""Calls a tool in the name of the call whose code asks for it: arguments and result as JSON."""

_DESCRIPTIONS: Final = {
    "wasm": "Python 3.15 with numpy, pandas, scipy, scikit-learn, matplotlib and sympy",
    "container": "Python with its standard library",
}


def manifest(name: str, tier: str, limits: Limits, tools: tuple[str, ...], cache_ttl_s: float) -> Tool:
    """Return the tool as agents and policy see it."""
    calls = f" It may call {', '.join(f'tools.{tool}(argument=…)' for tool in tools)}." if tools else ""
    return Tool(
        name=name,
        description=(
            f"Execute Python code in a sandbox ({_DESCRIPTIONS[tier]}) without network. Give `inputs` (any JSON, the"
            " variable `inputs`) and text `files` for its working folder. It returns what it prints, the value of its"
            f" variable `result`, and the files it leaves. Nothing is kept between executions.{calls}"
            f" Limits: {limits.deadline_s:g} s, {limits.memory_bytes >> 20} MiB of memory,"
            f" {limits.output_bytes} bytes of output."
        ),
        schema={
            "type": "object",
            "properties": {
                "code": {"type": "string", "minLength": 1, "maxLength": SOURCE_CHARS_MAX},
                "inputs": {"description": "any JSON value"},
                "files": {
                    "type": "object",
                    "maxProperties": GIVEN_FILES_MAX,
                    "propertyNames": {"pattern": NAME_PATTERN},
                    "additionalProperties": {"type": "string"},
                },
            },
            "required": ["code"],
            "additionalProperties": False,
        },
        effect=Effect.READ,
        reversible=True,
        idempotent=True,
        timeout_s=limits.deadline_s + START_S,
        roles=dict.fromkeys(("code", "inputs", "files", "files.*"), ArgumentRole.CONTENT),
        cache_ttl_s=0.0 if tools else cache_ttl_s,
        cache_shared=not tools,
        declared=True,
        source="airside",
    )


class CodeTool:
    """Executes the tool."""

    def __init__(
        self, sandbox: Sandbox, limits: Limits, tools: tuple[str, ...], call_tool: CallForCode, clock: Clock
    ) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._tools = tools
        self._call_tool = call_tool
        self._clock = clock

    async def __call__(self, call: Call) -> bytes:
        """Return what the code left, as JSON; raises `limit_exceeded`, which names the limit, and `tool_failed`.

        Randomness in the sandbox follows from the arguments, so that a repetition of the call asks its tools the same.
        """
        given: Mapping[str, Any] = call.arguments or {}
        files = {name: text.encode() for name, text in given.get("files", {}).items()}
        code = AgentCode(
            source=given["code"],
            inputs=msgspec.json.encode(given.get("inputs")),
            files=files,
            tools=tuple(name for name in self._tools if name in call.who.tools),
            seed=int.from_bytes(sha256(b"".join(call.parts)).digest()[:8], "big"),
            start_us=self._clock.now_us(),
        )
        if sum(map(len, files.values())) > self._limits.files_bytes:
            raise AirsideError(
                Code.LIMIT_EXCEEDED, f"files: more than sandbox.limits.files_bytes ({self._limits.files_bytes})"
            )

        async def ask(name: str, arguments: bytes) -> bytes:
            return await self._call_tool(call, name, arguments)

        return told(await self._sandbox.execute(code, self._limits, ask))


def told(result: Result) -> bytes:
    """Return a result as agents read it; raises `limit_exceeded` if a limit ended the code."""
    meters = msgspec.to_builtins(result.meters)
    if result.meters.limit:
        raise AirsideError(
            Code.LIMIT_EXCEEDED,
            result.error,
            advice="Let the code do less at once, or ask an operator to raise the limit.",
            details={"limit": str(result.meters.limit), "meters": meters},
        )
    value = result.value
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        value, result = b"null", msgspec.structs.replace(result, error=result.error or "result is nested too deeply")
    answer = {"output": result.output, "result": msgspec.Raw(value), "meters": meters}
    if result.error:
        answer["error"] = result.error
    if result.files:
        answer["files"] = {name: _shown(data) for name, data in result.files.items()}
    return msgspec.json.encode(answer)


def _shown(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
