"""What code in a sandbox asks of its host, answered: its task, calls of its tools, its end. Nothing it says is trusted.

Frames are JSON. They are bounded in size before they are read here, in number here.
"""

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError
from airside.core.text import storable
from airside.sandbox.port import CallTool, Code, Limit, Limits

FRAMES_BEYOND_MAX: Final = 64
"""How many frames are answered beyond the tool calls that are allowed; then the conversation is over."""
FRAME_OVERHEAD_BYTES: Final = 65_536
ERROR_CHARS_MAX: Final = 2_100
FILES_MAX: Final = 64
NAME_CHARS_MAX: Final = 100


class Begin(Struct, tag_field="op", tag="begin"):
    """The program asks for its task."""


class Call(Struct, tag_field="op", tag="call"):
    """The code calls a tool."""

    tool: str
    arguments: msgspec.Raw


class Trouble(Struct):
    """How the code failed, in its own words."""

    text: str
    kind: str = ""
    errno: str = ""
    code: str = ""


class End(Struct, tag_field="op", tag="end"):
    """The code has ended."""

    value: msgspec.Raw
    error: Trouble | None = None
    files: dict[str, str] = {}


_PASSED: Final = {
    **dict.fromkeys(("ENOSPC", "EDQUOT", "EFBIG"), Limit.FILES),
    **dict.fromkeys(("EMFILE", "ENFILE"), Limit.OPEN_FILES),
    "EAGAIN": Limit.PROCESSES,
}
_decoder = msgspec.json.Decoder(Begin | Call | End)


class TalkedTooMuch(Exception):
    """The code goes on asking although nothing is answered any more; it must be ended."""


def frame_bytes_max(limits: Limits) -> int:
    """Return how large a frame from inside may be: a result with all its files in base64."""
    return limits.result_bytes + limits.files_bytes * 4 // 3 + FRAME_OVERHEAD_BYTES


class Conversation:
    """One execution's talk. After it, `value`, `error`, `files`, `limit` and `tool_calls` say what was said."""

    def __init__(self, code: Code, limits: Limits, call_tool: CallTool) -> None:
        self._code = code
        self._limits = limits
        self._call_tool = call_tool
        self._frames = 0
        self.tool_calls = 0
        self.ended = False
        self.value = b"null"
        self.error = ""
        self.files: dict[str, bytes] = {}
        self.limit = ""

    async def answer(self, frame: bytes) -> bytes:
        """Return the answer to a frame. Raises TalkedTooMuch when there have been too many."""
        self._frames += 1
        if self._frames > self._limits.tool_calls + FRAMES_BEYOND_MAX:
            self.limit = Limit.TOOL_CALLS
            raise TalkedTooMuch
        try:
            said = _decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _refusal("this is no frame of the sandbox's protocol", "invalid_request")
        if isinstance(said, Begin):
            return self._task()
        if isinstance(said, Call):
            return await self._called(said)
        self._end(said)
        return b"{}"

    def _task(self) -> bytes:
        code = self._code
        files = {name: base64.b64encode(data).decode() for name, data in code.files.items()}
        return msgspec.json.encode(
            {"source": code.source, "inputs": msgspec.Raw(code.inputs), "files": files, "tools": code.tools}
        )

    async def _called(self, call: Call) -> bytes:
        if call.tool not in self._code.tools:
            return _refusal(f"the code has no tool {call.tool[:NAME_CHARS_MAX]!r}", "unknown_tool")
        if self.tool_calls >= self._limits.tool_calls:
            self.limit = Limit.TOOL_CALLS
            most = f"sandbox.limits.tool_calls ({self._limits.tool_calls})"
            return _refusal(f"tool_calls: the code has made as many calls as {most} allows", "limit_exceeded")
        self.tool_calls += 1
        try:
            value = await self._call_tool(call.tool, bytes(call.arguments))
        except AirsideError as error:
            return _refusal(error.message, error.code)
        return msgspec.json.encode({"value": msgspec.Raw(value)})

    def _end(self, end: End) -> None:
        """Take over the end; only the first counts. What it says of limits is kept if it can be."""
        if self.ended:
            return
        self.ended = True
        trouble = end.error
        if trouble:
            self.error = storable(trouble.text)[:ERROR_CHARS_MAX]
        if trouble and trouble.kind == "MemoryError":
            self.limit = Limit.MEMORY
        elif trouble and trouble.errno in _PASSED:
            self.limit = _PASSED[trouble.errno]
        elif self.limit == Limit.TOOL_CALLS and not (trouble and trouble.code == "limit_exceeded"):
            self.limit = ""  # the refusal did not end it
        self._take(end)

    def _take(self, end: End) -> None:
        if len(end.value) > self._limits.result_bytes:
            self.limit, self.error = self.limit or Limit.RESULT, self.error or "the result is too large"
            return
        self.value = bytes(end.value)
        try:
            files = {name: base64.b64decode(data, validate=True) for name, data in end.files.items()}
        except binascii.Error:
            self.error = self.error or "its files came out damaged"
            return
        size = sum(map(len, files.values()))
        if size > self._limits.files_bytes or len(files) > FILES_MAX:
            self.limit, self.error = self.limit or Limit.FILES, self.error or "it left too many or too large files"
            return
        self.files = {storable(name)[:NAME_CHARS_MAX]: data for name, data in files.items()}


def _refusal(message: str, code: str) -> bytes:
    return msgspec.json.encode({"error": message, "code": code})
