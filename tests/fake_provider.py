"""A strict fake of an OpenAI-compatible provider: it checks requests as the real one would, and fails on demand.

It speaks HTTP through httptools on bare sockets, so that it can stall, reset and cut where no framework would, and
costs a benchmark little. Run apart with `python -m tests.fake_provider --port 9000`.
"""

import argparse
import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httptools

KEY = "sk-fake-provider-key-0123456789"
Message = dict[str, Any]
ROLES = {"system", "developer", "user", "assistant", "tool"}


@dataclass
class Fault:
    """What to do instead of answering well; the fields that are set apply, in this order."""

    stall: bool = False  # accept the request and stay silent
    reset: bool = False  # cut the connection before the head
    status: int = 0  # answer with this status ...
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # ... and this body (also with status 200)
    cut_after: int | None = None  # of a stream: cut the connection after this many events
    end_after: int | None = None  # of a stream: end it properly after this many events
    stall_after: int | None = None  # of a stream: stay silent after this many events
    usage: Any = "true"  # reported instead of the true usage; None leaves it out
    content_type: str = ""


def text(value: str) -> Message:
    """Return an answer of plain text."""
    return {"role": "assistant", "content": value}


def tool_calls(*calls: tuple[str, dict[str, Any]], content: str | None = None) -> Message:
    """Return an answer that calls tools."""
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [
            {
                "id": f"call_{index}_{name}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(calls)
        ],
    }


class FakeProvider:
    """The provider's state: what it answers next and what it has seen. `reply` makes the answer of a valid request."""

    def __init__(self, *, delay_s: float = 0.0, chunk_delay_s: float = 0.0, reply_text: str = "") -> None:
        self.delay_s, self.chunk_delay_s = delay_s, chunk_delay_s
        self.reply: Callable[[dict[str, Any]], Message] = lambda body: text(
            reply_text or f"Hello from the fake provider, which saw {len(body['messages'])} messages."
        )
        self.faults: deque[Fault | None] = deque()
        self.requests: list[dict[str, Any]] = []
        self.raw_requests: list[bytes] = []
        self.keep = True
        self.calls = 0
        self.in_flight = 0
        self.vanished = 0  # clients that left before they were answered

    def complaint(self, body: Any, authorization: str) -> tuple[int, str] | None:
        """Return the status and message with which OpenAI would refuse this request."""
        if authorization != f"Bearer {KEY}":
            return 401, f"Incorrect API key provided: {authorization.removeprefix('Bearer ')}."
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return 400, "you must provide a model parameter"
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return 400, "'messages' is a required property"
        for name in ("max_tokens", "max_completion_tokens"):
            if name in body and (type(body[name]) is not int or body[name] < 1):
                return 400, f"Invalid type for '{name}'"
        if "stream_options" in body and not body.get("stream"):
            return 400, "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return _dialogue_complaint(messages)

    def completion(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        """Return the whole answer."""
        message = self.reply(body)
        usage = true_usage(body, message) if fault is None or fault.usage == "true" else fault.usage
        return {
            "id": f"chatcmpl-{self.calls}",
            "object": "chat.completion",
            "created": 1_760_000_000 + self.calls,
            "model": body["model"] + "-2026",
            "system_fingerprint": "fp_fake",
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
                }
            ],
            **({"usage": usage} if usage is not None else {}),
        }


def _dialogue_complaint(messages: list[Any]) -> tuple[int, str] | None:
    """Return why this sequence of messages is none: roles, and every tool call answered before anything else."""
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            return 400, f"Invalid value: {role!r} at messages[{index}]"
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return 400, "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'"
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            return 400, f"An assistant message with 'tool_calls' must be followed by tool messages: {open_calls}"
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
        for call in message.get("tool_calls") or ():
            json.loads(call["function"]["arguments"])
    return (400, f"tool_call_ids did not have response messages: {open_calls}") if open_calls else None


def true_usage(body: dict[str, Any], message: Message) -> dict[str, Any]:
    """Return what an answer is metered at: a token for every four characters, never more than the allowed output."""
    allowed = body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000
    prompt, output = len(json.dumps(body["messages"])) // 4 + 1, min(len(json.dumps(message)) // 4 + 1, allowed)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def chunks_of(completion: dict[str, Any], *, include_usage: bool) -> list[dict[str, Any]]:
    """Return the events of a stream, cut like OpenAI cuts them: words, and tool arguments in small pieces."""
    head = {key: completion[key] for key in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    message = completion["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message["content"] else None}]
    deltas += [{"content": word} for word in _pieces(message["content"] or "", 8)]
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in _pieces(call["function"]["arguments"], 5)
        ]
    finish = completion["choices"][0]["finish_reason"]
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if include_usage:
        events = [{**event, "usage": None} for event in events]
        events.append({**head, "choices": [], "usage": completion.get("usage")})
    return events


def _pieces(value: str, size: int) -> list[str]:
    return [value[at : at + size] for at in range(0, len(value), size)]


class _Connection(asyncio.Protocol):
    def __init__(self, provider: FakeProvider) -> None:
        self._provider = provider
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._path = b""
        self._authorization = ""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None and not self._task.done():
            self._provider.vanished += 1
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        with suppress(httptools.HttpParserError):
            self._parser.feed_data(data)
            return
        self._transport.abort()

    def on_message_begin(self) -> None:
        self._body, self._authorization = b"", ""

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._authorization = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        provider = self._provider
        provider.calls += 1
        provider.in_flight += 1
        try:
            await self._answer(provider.faults.popleft() if provider.faults else None)
        finally:
            provider.in_flight -= 1

    async def _answer(self, fault: Fault | None) -> None:
        provider = self._provider
        body = json.loads(self._body)
        if provider.keep:
            provider.requests.append(body)
            provider.raw_requests.append(self._body)
        if provider.delay_s:
            await asyncio.sleep(provider.delay_s)
        if fault is not None and (fault.stall or fault.reset):
            if fault.stall:
                await asyncio.Event().wait()
            self._transport.abort()
            return
        if fault is not None and (fault.status or fault.raw is not None):
            kind = fault.content_type or "application/json"
            self._head(fault.status or 200, kind, {**fault.headers, "content-length": str(len(fault.raw or b""))})
            self._transport.write(fault.raw or b"")
            return
        refused = provider.complaint(body, self._authorization)
        if refused or not self._path.endswith(b"/chat/completions"):
            status, message = refused or (404, "Invalid URL")
            error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
            self._json(status, {"error": error})
            return
        completion = provider.completion(body, fault)
        if body.get("stream"):
            include = bool((body.get("stream_options") or {}).get("include_usage"))
            await self._stream(chunks_of(completion, include_usage=include), fault or Fault())
        else:
            self._json(200, completion)

    async def _stream(self, events: list[dict[str, Any]], fault: Fault) -> None:
        self._head(200, fault.content_type or "text/event-stream", {"transfer-encoding": "chunked"})
        for index, event in enumerate(events):
            if index == fault.stall_after:
                await asyncio.Event().wait()
            if index == fault.cut_after:
                self._transport.abort()
                return
            if index == fault.end_after:
                self._transport.write(b"0\r\n\r\n")
                return
            self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")
            await asyncio.sleep(self._provider.chunk_delay_s)
        self._chunk(b"data: [DONE]\n\n")
        self._transport.write(b"0\r\n\r\n")

    def _head(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def _json(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self._head(status, "application/json", {"content-length": str(len(body))})
        self._transport.write(body)

    def _chunk(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


@asynccontextmanager
async def serving(provider: FakeProvider, port: int = 0) -> AsyncIterator[str]:
    """Serve the provider on loopback and yield its base URL."""
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []

    def connect() -> _Connection:
        connections.append(_Connection(provider))
        return connections[-1]

    server = await loop.create_server(connect, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for connection in connections:
            connection._transport.abort()
            if connection._task is not None:
                connection._task.cancel()


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--chunk-delay-ms", type=float, default=0.0)
    parser.add_argument("--reply", default="", help="the text of every answer")
    options = parser.parse_args()
    provider = FakeProvider(
        delay_s=options.delay_ms / 1_000, chunk_delay_s=options.chunk_delay_ms / 1_000, reply_text=options.reply
    )
    provider.keep = False
    async with serving(provider, options.port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
