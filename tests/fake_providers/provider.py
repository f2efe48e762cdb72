"""The fake provider: which dialect answers which path, what the model says next, and what has been seen."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fake_providers import (
    anthropic,
    azure,
    bedrock,
    embeddings,
    gemini,
    mistral,
    openai_batches,
    openai_chat,
    openai_responses,
    vertex,
)
from tests.fake_providers.dialect import Dialect, Refusal, Request, Stream, Whole
from tests.fake_providers.fault import Fault
from tests.fake_providers.script import Message, Meter, metered, text
from tests.fake_providers.wire import listening

DIALECTS: tuple[tuple[re.Pattern[str], Dialect], ...] = (
    (re.compile(r"/mistral/v1/chat/completions"), mistral.chat),
    (re.compile(r"/openai/.*"), azure.answer),
    (re.compile(r"/v1/messages(/count_tokens)?"), anthropic.answer),
    (re.compile(r"/v1/(files|batches)(/.*)?"), openai_batches.answer),
    (re.compile(r"/v1/responses"), openai_responses.answer),
    (re.compile(r"(/mistral)?/v1/embeddings"), embeddings.answer),
    (re.compile(r"/v1(beta)?/models/[^/]+:[^/]+"), gemini.answer),
    (re.compile(r"/model/[^/]+/[a-z-]+"), bedrock.answer),
    (re.compile(r"/v1(beta1)?/projects/.*"), vertex.answer),
    (re.compile(r"/token"), vertex.token),
    (re.compile(r".*/chat/completions"), openai_chat.answer),
)


@dataclass(frozen=True)
class Places:
    """Where each provider is found, as its SDK wants the address."""

    root: str

    @property
    def openai(self) -> str:
        return f"{self.root}/v1"

    @property
    def mistral(self) -> str:
        return f"{self.root}/mistral/v1"

    @property
    def azure(self) -> str:
        return self.root

    @property
    def anthropic(self) -> str:
        return self.root

    @property
    def gemini(self) -> str:
        return self.root

    @property
    def bedrock(self) -> str:
        return self.root

    @property
    def vertex(self) -> str:
        return self.root


class FakeProvider:
    """The provider's state: what it answers next and what it has seen. `reply` makes the answer of a valid request.

    `cached` and `written` are the input tokens to report as read from, and written to, the prompt cache.
    """

    def __init__(self, *, delay_s: float = 0.0, chunk_delay_s: float = 0.0, reply_text: str = "") -> None:
        self.delay_s, self.chunk_delay_s = delay_s, chunk_delay_s
        self.reply: Callable[[dict[str, Any]], Message] = lambda body: text(
            reply_text.replace("{n}", f"{self.calls} {'really ' * (self.calls % 7)}")
            or f"Hello from the fake provider, which saw {_turns(body)} messages."
        )
        self.faults: deque[Fault | None] = deque()
        self.seen: list[Request] = []
        self.refusals: list[Refusal] = []
        self.batches = openai_batches.Batches()
        self.keep = True
        self.calls = 0
        self.in_flight = 0
        self.vanished = 0  # clients that left before they were answered
        self.cached = self.written = 0
        self._fault: Fault | None = None

    @property
    def requests(self) -> list[Any]:
        """The JSON bodies of what has been asked."""
        return [request.body for request in self.seen]

    @property
    def raw_requests(self) -> list[bytes]:
        """The bodies of what has been asked, as they came."""
        return [request.raw for request in self.seen]

    def say(self, body: Any) -> Message:
        """Return what the model says to this request."""
        return self.reply(body)

    def meter(self, asked: Any, message: Message, allowed: int | None) -> Meter:
        """Return the tokens of an answer."""
        return metered(asked, message, allowed, cached=self.cached, written=self.written)

    def usage(self, true: Any) -> Any:
        """Return the usage to report."""
        return true if self._fault is None or self._fault.usage == "true" else self._fault.usage

    def completion(self, body: dict[str, Any], fault: Fault | None = None) -> dict[str, Any]:
        """Return the whole chat completion that answers this request."""
        self._fault = fault
        try:
            return openai_chat.completion(body, self.say(body), self)
        finally:
            self._fault = None

    async def answer(self, request: Request) -> tuple[Whole | Stream, Fault | None] | Fault:
        """Return the answer and what befalls it, or only a fault that comes before any answer; raises Refusal."""
        self.calls += 1
        if self.keep:
            self.seen.append(request)
        if request.path == "/token":  # an errand before the question, so it takes no fault meant for that
            return vertex.token(request, self), None
        fault = self.faults.popleft() if self.faults else None
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if fault is not None and (fault.stall or fault.reset or fault.status or fault.raw is not None):
            return fault
        self._fault = fault
        try:
            return _dialect_of(request.path)(request, self), fault
        except Refusal as refusal:
            self.refusals.append(refusal)
            raise
        finally:
            self._fault = None


def _dialect_of(path: str) -> Dialect:
    for pattern, dialect in DIALECTS:
        if pattern.fullmatch(path):
            return dialect
    error = {"message": f"Invalid URL ({path})", "type": "invalid_request_error", "param": None, "code": None}
    raise Refusal(404, {"error": error})


def _turns(body: dict[str, Any]) -> int:
    turns = body.get("messages", body.get("contents", body.get("input")))
    return len(turns) if isinstance(turns, list) else 1


@asynccontextmanager
async def serving(provider: FakeProvider, port: int = 0) -> AsyncIterator[str]:
    """Serve the provider on loopback and yield the base URL of its OpenAI face."""
    async with listening(provider, port) as root:
        yield f"{root}/v1"


@asynccontextmanager
async def serving_all(provider: FakeProvider, port: int = 0) -> AsyncIterator[Places]:
    """Serve the provider on loopback and yield where each of its faces is."""
    async with listening(provider, port) as root:
        yield Places(root)
