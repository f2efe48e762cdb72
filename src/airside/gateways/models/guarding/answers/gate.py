"""What leaves of a streamed answer while it arrives: frames as they came, until one must be altered.

A frame waits until all its text may leave. While nothing is altered, frames pass byte for byte. From the first change
on, frames of text are retold with the text that may leave, and what was sent is noted by reading it as the client
does: what a frame cannot be retold as, and everything after it, comes with the rest of the stream.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError
from airside.gateways.models.formats.port import Delivered, Delta, Format, Reader, Writer
from airside.gateways.models.guarding.answers.texts import Piece
from airside.guards.stream import StreamText

_TEXT_FIELDS: Final = frozenset({"content", "text", "thinking", "reasoning", "reasoning_content", "delta"})
_LOGPROBS: Final = frozenset({"logprobs", "logprobsResult"})
_IDENTITY: Final = ("name", "shown")  # what some formats note of how the client is to know the answer

Opened = Callable[[str], StreamText]
"""Begins the guarding of a text of a kind."""

Prepare = Callable[[str], Awaitable[None]]
"""Fetches what guarding a text needs, given the end of it."""


class Channel(Struct):
    """One text of the answer on its way: how it came, how it left, and what has left without a frame so far."""

    kind: str
    stream: StreamText
    raw: list[str]
    out: list[str]
    came: int = 0
    pending: str = ""

    def feed(self, text: str) -> str:
        """Take a piece and return what may leave."""
        self.raw.append(text)
        self.came += len(text)
        return self._kept(self.stream.feed(text))

    def finish(self) -> str:
        """Return what may leave of the end."""
        return self._kept(self.stream.finish())

    def _kept(self, released: str) -> str:
        if released:
            self.out.append(released)
            self.pending += released
        return released


class Waiting(Struct):
    """A frame that waits until `channel` has let out its first `end` characters; `grouped`: it holds several texts."""

    frame: bytes
    text: str
    channel: Channel | None
    end: int
    grouped: bool = False


class Gate:
    """Guards one stream. `error` is what broke it; `blocked` is whether nothing more may leave, `altered` whether what
    leaves differs from what came. With `hold` nothing leaves before the whole answer has been checked.
    """

    def __init__(self, opened: Opened, prepare: Prepare, *, hold: bool) -> None:
        self._opened = opened
        self._prepare = prepare
        self._held = self._stopped = hold
        self._channels: dict[tuple[str, str], Channel] = {}
        self._current: tuple[str, str] | None = None
        self._queue: list[Waiting] = []
        self._sent: list[bytes] = []
        self._face: Format | None = None
        self._to: Delivered | None = None
        self._noted: Delivered | None = None
        self._reader: Reader | None = None
        self.error: AirsideError | None = None
        self.blocked = False
        self.altered = False

    @property
    def streamed(self) -> bool:
        """Whether some of the answer may have left."""
        return bool(self._channels) and not self._held

    def begin(self, face: Format, delivered: Delivered) -> Delivered:
        """Return the note that the reader of an upstream of the client's own format keeps, in place of `delivered`."""
        self._face, self._to = face, delivered
        self._noted = self._fresh()
        return self._noted

    async def passed(self, deltas: Sequence[Delta], writer: Writer | None) -> bytes:
        """Take what has come and return what leaves now: frames, or what the writer makes of the text."""
        try:
            return await self._passed(deltas, writer)
        except AirsideError as error:  # a guard failed: the answer is let come to its end, so that its cost is known
            self.error, self.blocked = error, True
            return b""

    async def _passed(self, deltas: Sequence[Delta], writer: Writer | None) -> bytes:
        said = []
        for delta in deltas:
            channel = await self._fed(delta) if delta.text else self._last()
            if writer is None:
                self._wait(delta, channel)
            elif channel is not None and delta.text and not self._stopped:
                released, channel.pending = channel.pending, ""
                said.append(writer.say(Delta(b"", delta.kind, released, delta.part)) if released else b"")
        if self._stopped or self.blocked:
            return b""
        return self._leaving() if writer is None else b"".join(said)

    async def _fed(self, delta: Delta) -> Channel:
        """Let a text go on; another one that cannot, because formats end one text before the next, has ended."""
        name = (delta.kind, delta.part)
        if self._current is not None and self._current != name and self._current[1]:
            self._finish(self._channels[self._current])
        self._current = name
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(delta.kind, self._opened(delta.kind), [], [])
        if ">" in delta.text:
            await self._prepare("".join([*channel.raw[-60:], delta.text])[-len(delta.text) - 60 :])
        channel.feed(delta.text)
        self._notice(channel.stream)
        return channel

    def _finish(self, channel: Channel) -> None:
        channel.finish()
        self._notice(channel.stream)

    def _notice(self, stream: StreamText) -> None:
        if stream.altered:
            self.altered = True
            self.blocked = self.blocked or stream.blocked

    def _last(self) -> Channel | None:
        return self._channels[self._current] if self._current is not None else None

    def _wait(self, delta: Delta, channel: Channel | None) -> None:
        if delta.also and not self._stopped:
            self._beside(delta.also)
        frame, grouped = delta.frame, False
        if not frame and self._queue and delta.text:  # one frame of several texts: it leaves with the last of them
            frame, grouped = self._queue[-1].frame, True
            self._queue[-1].frame = b""
        self._queue.append(Waiting(frame, delta.text, channel, channel.came if channel else 0, grouped))

    def _beside(self, text: str) -> None:
        """Check what no other format shows; if it is not as it should be, everything from here on waits for the end."""
        spelled = text[:1] in "{["
        stream = self._opened("other") if spelled else self._also()
        stream.feed(text)
        if spelled:
            stream.finish()
        self._notice(stream)
        if stream.altered or stream.left < len(text):
            self._stopped = True

    def _also(self) -> StreamText:
        name = ("other", "")
        if name not in self._channels:
            self._channels[name] = Channel("other", self._opened("other"), [], [])
        return self._channels[name].stream

    def _leaving(self) -> bytes:
        """Return the frames that may leave, in their order; a text that waits holds up only what belongs to it."""
        altered = self.altered
        if not altered and len(self._queue) == 1:
            (waiting,) = self._queue
            if waiting.channel is not None and waiting.end > waiting.channel.stream.left:
                return b""
            self._queue.clear()
            return self._as_it_came(waiting)
        out: list[bytes] = []
        stuck: list[Waiting] = []
        for waiting in self._queue:
            channel = waiting.channel
            held = channel is not None and (
                waiting.end > channel.stream.left or any(w.channel is channel for w in stuck)
            )
            if held:
                stuck.append(waiting)
                continue
            if self._stopped:
                break
            frame = self._retold(waiting) if altered else self._as_it_came(waiting)
            if frame:
                out.append(frame)
        self._queue = stuck
        return b"".join(out)

    def _as_it_came(self, waiting: Waiting) -> bytes:
        if waiting.channel is not None:
            waiting.channel.pending = waiting.channel.pending[len(waiting.text) :]
        self._sent.append(waiting.frame)
        return waiting.frame

    def _retold(self, waiting: Waiting) -> bytes:
        """Return a frame with the text that may leave in place of its own, and note it; stop if that cannot be."""
        channel = waiting.channel
        if self._reader is None:
            self._catch_up()
        frame: bytes | None = waiting.frame
        if waiting.text and channel is not None:
            text, channel.pending = channel.pending, ""
            frame = None if waiting.grouped else retold(waiting.frame, waiting.text, text)
        elif self._face is not None and self._face.name == "openai_responses":
            frame = None  # events that end a text spell it out as it came
        if frame is None or self._reader is None:
            self._stopped = True
            return b""
        self._reader.feed(frame)
        return frame

    def _catch_up(self) -> None:
        """Read what was sent so far, as the client did: from now on that is the note."""
        assert self._face is not None, "frames leave after `begin`"
        self._noted = self._fresh()
        self._reader = self._face.reader(self._noted)
        self._reader.feed(b"".join(self._sent))
        self._sent.clear()

    def _fresh(self) -> Delivered:
        assert self._face is not None, "called by `begin`"
        fresh = self._face.delivered()
        for field in _IDENTITY:
            if hasattr(fresh, field):
                setattr(fresh, field, getattr(self._to, field))
        return fresh

    def sent(self) -> None:
        """Note that something has been sent; what exactly is noted at the end."""
        if self._to is not None and not self._to.anything:
            self._settle()

    def _settle(self) -> None:
        """Note, where the rest of the stream is made from, what has been sent."""
        if self._to is not None and self._noted is not None:
            for field in type(self._to).__slots__:  # type: ignore[attr-defined]  # every format's note has them
                setattr(self._to, field, getattr(self._noted, field))

    def ended(self, *, clean: bool) -> bytes:
        """Return the frames that still leave of an answer that has ended; without any, note what was sent."""
        if self._face is None:
            return b""
        frames = b""
        if clean and not (self.altered or self.blocked or self._stopped):
            for channel in self._channels.values():
                self._finish(channel)
            frames = self._leaving() if not self.altered else b""
        if self._queue and self._reader is None:
            if not self._sent:
                return b""
            self._catch_up()
        if frames or self._sent or self._reader is not None:
            self._settle()
        return frames

    def texts(self, found: Sequence[Piece]) -> dict[int, str] | None:
        """Return how those texts of the whole answer leave that were streamed, by their number.

        None if what was streamed and altered is not in the answer, which then cannot be given.
        """
        left: dict[int, str] = {}
        for kind in ("text", "thinking"):
            channels = [channel for channel in self._channels.values() if channel.kind == kind and channel.came]
            for number, piece in enumerate(found):
                if piece.kind == kind and channels:
                    text = _streamed(piece.text, channels)
                    if text is not None:
                        left[number] = text
            if any(channel.stream.altered for channel in channels):
                return None
        return left


def _streamed(text: str, channels: list[Channel]) -> str | None:
    """Return how a text leaves of which the first channels brought the beginning; takes those out of the list."""
    at, out = 0, []
    last: Channel | None = None
    while channels:
        raw = "".join(channels[0].raw)
        if not text.startswith(raw, at):
            break
        last = channels.pop(0)
        at += len(raw)
        if at < len(text) and not (channels and text.startswith("".join(channels[0].raw), at)):
            last.feed(text[at:])
            at = len(text)
        last.finish()
        out.append("".join(last.out))
        if at == len(text):
            break
    return "".join(out) if last is not None else None


def retold(frame: bytes, old: str, new: str) -> bytes | None:
    """Return a frame whose last event says `new` in place of `old`; None if it does not say that in one place."""
    head, mark, tail = frame.rpartition(b"\ndata: ")
    if not mark:
        mark, tail = b"data: ", frame.removeprefix(b"data: ")
    data = tail.rstrip()
    try:
        event = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if _replaced(event, old, new) != 1:
        return None
    if not new and not head.strip():
        return b""
    return head + mark + msgspec.json.encode(event) + tail[len(data) :]


def _replaced(value: Any, old: str, new: str) -> int:
    """Put a text in the place of another wherever it is said, take out probabilities; return how often it was said."""
    count = 0
    if isinstance(value, list):
        return sum([_replaced(item, old, new) for item in value])
    if not isinstance(value, dict):
        return 0
    for name, item in value.items():
        if isinstance(item, str) and item == old and name in _TEXT_FIELDS:
            value[name] = new
            count += 1
        elif name in _LOGPROBS and item:
            value[name] = [] if isinstance(item, list) else None
        else:
            count += _replaced(item, old, new)
    return count
