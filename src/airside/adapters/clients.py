"""The two clients that a plain agent is given: one for models, one for tools. Also for use by other adapters."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
from msgspec import structs

from airside.adapters.patience import DELAYS_S, KEY_HEADER, new_key
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code

Message = dict[str, Any]
T = TypeVar("T")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10.0)  # an answer may wait for a person
_TOOLS_MAX: Final = 1_000


class Refused(Exception):
    """A gateway said no. `code` is one of the stable codes of docs/errors.md."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class ModelRefused(Refused):
    """A model call was refused or failed."""


class ToolRefused(Refused):
    """A tool call was refused, or the tool itself failed."""


class Gateways:
    """One keep-alive HTTP client for both gateways, with the run's token. An async context manager.

    It is aiohttp: what a run costs is mostly its requests, and httpx2 takes four times the time for each.
    """

    def __init__(self, context: Context, *, delays_s: Sequence[float] = DELAYS_S) -> None:
        self.context = context
        self._loop = asyncio.get_running_loop()
        self._delays_s = delays_s
        headers = {
            "authorization": f"Bearer {context.token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        }
        self._http = aiohttp.ClientSession(
            headers=headers,
            timeout=_TIMEOUT,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close the client."""
        await self._http.close()

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        refusal: type[Refused],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """Post JSON and return the JSON answer; raises `refusal` for any status but 2xx.

        May be awaited in another event loop than the one it was made in: agents start some of their own. Raises
        AirsideError `journal_unavailable` if the gateways stay away.
        """
        sending = self._patiently(self.context.gateway_url + path, json.dumps(body).encode(), headers)
        if asyncio.get_running_loop() is self._loop:
            status, content = await sending
        else:
            status, content = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, self._loop))
        try:
            answer = json.loads(content)
        except ValueError:
            raise refusal(Code.UPSTREAM_FAILED, f"the gateway answered {status} without JSON") from None
        if 200 <= status < 300:
            return answer
        error = answer.get("error", answer) if isinstance(answer, dict) else {}
        error = error if isinstance(error, dict) else {}
        inner = error.get("data")
        code = error.get("code") if isinstance(error.get("code"), str) else None
        code = code or (inner.get("code") if isinstance(inner, dict) else None) or Code.UPSTREAM_FAILED
        message = str(error.get("message") or f"the gateway answered {status}")
        raise refusal(str(code), message.removeprefix(f"{code}: "))

    async def _patiently(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and content, sending again while the gateway is away; see PatientTransport."""
        headers = {KEY_HEADER: new_key(), **headers}
        for delay_s in (*self._delays_s, None):
            try:
                async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    return response.status, await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if delay_s is None:
                    problem = f"the gateways do not answer: {type(error).__name__}"
                    raise AirsideError(Code.JOURNAL_UNAVAILABLE, problem) from error
                await asyncio.sleep(delay_s)
        raise AssertionError("the last delay is None")


async def rehearse(context: Context) -> None:
    """Make a request that is refused by the kernel, so that all that the first real one would import is imported."""
    async with Gateways(context, delays_s=()) as gateways:
        with contextlib.suppress(AirsideError):
            await gateways.post("/", {}, Refused)


class ModelClient:
    """Chat completions through the model gateway."""

    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    async def complete(self, messages: Sequence[Message] | str, **parameters: Any) -> Message:
        """Return the assistant message for a conversation (or one user text); raises ModelRefused.

        `parameters` are those of the chat completions API (`model`, `tools`, `temperature`, …).
        """
        conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        body = {"model": self._gateways.context.model, "messages": conversation} | parameters
        if not body["model"]:
            raise ModelRefused(Code.INVALID_REQUEST, "no model is named: set `model` of the agent, or pass model=...")
        answer = await self._gateways.post("/v1/chat/completions", body, ModelRefused)
        message: Message = answer["choices"][0]["message"]
        return message

    async def text(self, messages: Sequence[Message] | str, **parameters: Any) -> str:
        """Return only the text of the answer."""
        return str((await self.complete(messages, **parameters)).get("content") or "")


class ToolClient:
    """Hosted tools through the tool gateway (MCP over plain JSON-RPC)."""

    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways
        self._number = 0

    @contextlib.asynccontextmanager
    async def narrowed(
        self, *, tools: Sequence[str] | None = None, rules: Sequence[Mapping[str, Any]] = ()
    ) -> "AsyncIterator[ToolClient]":
        """Yield a client that may do less, to be given to a sub-agent: with `tools` at most, obeying `rules` besides.

        `rules` are written as in a policy file. Raises ToolRefused.
        """
        wanted: dict[str, Any] = {"rules": [dict(rule) for rule in rules]}
        if tools is not None:
            wanted["tools"] = [*tools]
        answer = await self._gateways.post("/v1/tokens", wanted, ToolRefused)
        async with Gateways(structs.replace(self._gateways.context, token=answer["token"])) as gateways:
            yield ToolClient(gateways)

    async def list(self) -> list[dict[str, Any]]:
        """Return the tools this agent is offered: `name`, `description`, `inputSchema`; raises ToolRefused."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while len(found) < _TOOLS_MAX:
            page = await self._ask("tools/list", cursor)
            found += page.get("tools", ())
            if not page.get("nextCursor"):
                break
            cursor = {"cursor": page["nextCursor"]}
        return found

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a tool and return its result as a JSON value; raises ToolRefused."""
        return await self.call_with(tool, arguments)

    async def call_with(
        self, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
    ) -> Any:
        """Call a tool like `call`, with whatever arguments and with headers for airside."""
        result = await self._ask("tools/call", {"name": tool, "arguments": arguments}, headers)
        if result.get("isError"):
            raise _refusal((result.get("_meta") or {}).get("airside/error"), str(value_of(result)))
        return value_of(result)

    async def _ask(
        self, method: str, parameters: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, Any]:
        self._number += 1
        body = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": parameters}
        answer = await self._gateways.post("/mcp", body, ToolRefused, headers)
        if isinstance(error := answer.get("error"), dict):
            raise _refusal(error.get("data"), str(error.get("message")))
        result: dict[str, Any] = answer["result"]
        return result


def value_of(result: Mapping[str, Any]) -> Any:
    """Return the JSON value that an MCP tool result carries: structured content, else its text, parsed if it is JSON.

    If a reviewer edited the call, an object gets the key `airside_edited_arguments`; any other value comes as the text
    that says so.
    """
    structured = result.get("structuredContent")
    if structured is not None:
        return structured
    texts = [part.get("text", "") for part in result.get("content", ()) if part.get("type") == "text"]
    meta = result.get("_meta") or {}
    edited, text = meta.get("airside/edited_arguments"), texts[-1] if texts else ""
    value = text if meta.get("airside/text") else _parsed(text)
    if edited is None:
        return value
    return value | {"airside_edited_arguments": edited} if isinstance(value, dict) else "\n".join(texts)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refusal(detail: Any, text: str) -> ToolRefused:
    detail = detail if isinstance(detail, dict) else {}
    return ToolRefused(str(detail.get("code") or Code.TOOL_FAILED), str(detail.get("message") or text))


class BlockingModelClient:
    """ModelClient for agents that are ordinary functions: the same methods, without `await`."""

    def __init__(self, client: ModelClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def complete(self, messages: Sequence[Message] | str, **parameters: Any) -> Message:
        """See ModelClient.complete."""
        return _wait(self._client.complete(messages, **parameters), self._loop)

    def text(self, messages: Sequence[Message] | str, **parameters: Any) -> str:
        """See ModelClient.text."""
        return _wait(self._client.text(messages, **parameters), self._loop)


class BlockingToolClient:
    """ToolClient for agents that are ordinary functions: the same methods, without `await`."""

    def __init__(self, client: ToolClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def list(self) -> list[dict[str, Any]]:
        """See ToolClient.list."""
        return _wait(self._client.list(), self._loop)

    def call(self, tool: str, /, **arguments: Any) -> Any:
        """See ToolClient.call."""
        return _wait(self._client.call(tool, **arguments), self._loop)


def _wait(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
