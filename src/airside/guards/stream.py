"""Guarding a text while it arrives: what left is what would have left of the whole, wherever it was cut into pieces.

The end of a text may still become part of a finding: so much of it is held back, at most `HOLD_CHARS`. What is longer
than that (a key file's block) is replaced as soon as it is known for what it is, and swallowed up to its end. Text that
has left is kept for a while as context for what follows, so that each piece costs what its own length costs.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

HOLD_CHARS: Final = 65_536
"""How much of a text is held back at most: as much as the longest block of a key that is found."""

CONTEXT_CHARS: Final = 340
"""How much of what has left is looked at with what comes."""

_OVERLAP_CHARS: Final = 24  # of what was there, looked at with what comes: words that were cut in two
_LONG_CHARS: Final = 1_024  # of what is held back
_HEAD_CHARS: Final = 128  # of what is swallowed, by which its end is known
_TAIL_CHARS: Final = 1_024


class Span(NamedTuple):
    """Characters [start, end) of a text that do not leave as they are; `text` None: nothing leaves from here on."""

    start: int
    end: int
    text: str | None


Find = Callable[[str], Sequence[Span]]
"""Returns what does not leave of a text, in order and apart."""

OpenAt = Callable[[str], int | None]
"""Returns from which character on the end of a text may still become part of a finding; None if none may."""

Near = Callable[[str], int]
"""Returns, of the end of a text, for how many characters it must be looked at; 0 if whole words of it may leave."""


def replaced(text: str, spans: Sequence[Span]) -> str:
    """Return a whole text as it may leave: up to the first span that lets nothing leave."""
    pieces, at = [], 0
    for span in spans:
        pieces.append(text[at : span.start])
        if span.text is None:
            return "".join(pieces)
        pieces.append(span.text)
        at = span.end
    return "".join(pieces) + text[at:] if pieces else text


class StreamText:
    """One text on its way out. `altered`: what left differs from what came; `blocked`: nothing more will leave."""

    def __init__(self, find: Find, open_at: OpenAt, near: Near | None = None, *, hold_chars: int = HOLD_CHARS) -> None:
        self._find = find
        self._near = near
        self._alert = 0  # for how many more characters it must be looked at
        self._unseen = 0  # characters at the end that have not been looked at
        self._open_at = open_at
        self._hold_chars = hold_chars
        self._window = ""
        self._from = 0  # where in the window begins what has not left
        self._came = 0
        self._swallowing = False
        self._patience = 0  # of a long tail it is asked only now and then whether it has ended
        self.altered = False
        self.blocked = False

    @property
    def left(self) -> int:
        """How many characters, of the text as it came, have left or been replaced."""
        return self._came - (len(self._window) - self._from)

    def feed(self, text: str) -> str:
        """Take a piece and return what may leave now."""
        if self.blocked or not text:
            return ""
        self._came += len(text)
        if self._swallowing:
            return self._swallowed(text)
        self._window += text
        if self._near is None:
            return self._on()
        self._unseen += len(text)
        calm = self._alert <= 0 and _is_word(self._window, self._from, len(self._window) - len(text))
        if calm and self._unseen < _OVERLAP_CHARS and " " not in text and "\n" not in text:
            return ""  # a word goes on, and would be held back anyway
        due = self._near(self._window[-self._unseen - _OVERLAP_CHARS :])
        if calm and not due:
            self._unseen = 0
            return self._words()
        self._alert = max(self._alert - self._unseen, due)
        self._unseen = 0
        return self._on()

    def finish(self) -> str:
        """Return the rest: nothing more will come."""
        return "" if self.blocked else self._released(len(self._window))

    def _words(self) -> str:
        """Let whole words of a text leave in which there is nothing to look for."""
        window, start = self._window, self._from
        until = max(window.rfind(" "), window.rfind("\n")) + 1
        if until <= start:
            return ""
        self._from = until
        if until > 2 * CONTEXT_CHARS:
            self._forget()
        return window[start:until]

    def _on(self) -> str:
        if len(self._window) < self._patience:
            return ""
        start = self._open_at(self._window)
        held = len(self._window) - (len(self._window) if start is None else max(start, self._from))
        self._patience = len(self._window) + held // 8 if held > _LONG_CHARS else 0
        until = len(self._window) if start is None else max(start, self._from)
        if len(self._window) - until > self._hold_chars:
            return self._overlong(until)
        return self._released(until)

    def _released(self, until: int) -> str:
        """Let the text leave up to there, or to where a finding begins that reaches further."""
        if until <= self._from:
            return ""
        spans = [span for span in self._find(self._window) if span.end > self._from]
        for span in spans:
            if span.start < until < span.end:
                until = max(span.start, self._from)
        return self._left([span for span in spans if span.start < until], until)

    def _left(self, spans: Sequence[Span], until: int) -> str:
        pieces, at = [], self._from
        for span in spans:
            pieces.append(self._window[at : max(span.start, at)])
            self.altered = True
            if span.text is None:
                self.blocked = True
                self._from = max(span.start, at)
                return "".join(pieces)
            pieces.append(span.text)
            at = span.end
        pieces.append(self._window[at:until])
        self._from = until
        if self._from > 2 * CONTEXT_CHARS:
            self._forget()
        return "".join(pieces)

    def _forget(self) -> None:
        """Drop old context, up to a space: a word that is cut in two may look like another."""
        cut = self._from - CONTEXT_CHARS
        space = self._window.find(" ", cut, self._from)
        cut = space if space >= 0 else cut
        self._window = self._window[cut:]
        self._from -= cut

    def _overlong(self, start: int) -> str:
        """Decide on more than may be held: known for what it is, it is replaced; else the oldest of it leaves."""
        spans = [span for span in self._find(self._window) if span.end > self._from]
        endless = next((span for span in spans if span.start <= start < span.end), None)
        if endless is None:
            return self._released(len(self._window) - self._hold_chars // 2)
        head = self._window[endless.start :]
        released = self._left([span for span in spans if span.end <= endless.start], max(endless.start, self._from))
        if self.blocked or endless.text is None:
            self.blocked = self.altered = True
            return released
        self.altered = self._swallowing = True
        self._window = _kept(head)
        self._from = len(self._window)
        return released + endless.text

    def _swallowed(self, text: str) -> str:
        """Let nothing leave until what is being swallowed has ended, then what follows it."""
        for at in range(0, len(text), _TAIL_CHARS // 2):
            self._window = _kept(self._window + text[at : at + _TAIL_CHARS // 2])
            self._from = len(self._window)
            start = self._open_at(self._window)
            if start is None or start >= _HEAD_CHARS:
                spans = [span for span in self._find(self._window) if span.start < _HEAD_CHARS]
                self._from = max((span.end for span in spans), default=len(self._window))
                self._swallowing, self._patience = False, 0
                self._window += text[at + _TAIL_CHARS // 2 :]
                return self._on()
        return ""


def _is_word(window: str, start: int, end: int) -> bool:
    """Whether what is held back is no more than a word."""
    return window.find(" ", start, end) < 0 and window.find("\n", start, end) < 0


def _kept(window: str) -> str:
    """Return the beginning and the end of what is swallowed, by which its end is known."""
    if len(window) <= _HEAD_CHARS + _TAIL_CHARS:
        return window
    return window[:_HEAD_CHARS] + window[-_TAIL_CHARS:]
