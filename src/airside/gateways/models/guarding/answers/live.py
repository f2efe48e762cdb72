"""How a text of an answer is guarded while it arrives: only by what may change it, the rest looks at the whole."""

from collections.abc import Sequence
from typing import Final

from airside.core.call import Call
from airside.gateways.models.guarding.answers.asked import Asked
from airside.gateways.models.guarding.answers.checks import Checks, json_inner
from airside.gateways.models.guarding.answers.gate import Opened, Prepare
from airside.guards.finding import Finding, Guard, Mode, Place
from airside.guards.placeholders.reading import readable
from airside.guards.stream import Span, StreamText
from airside.guards.unfinished import near, open_at
from airside.guards.verdict import Judged, label

_BESIDE: Final = frozenset({Guard.EXFILTRATION, Guard.LEAKAGE})
"""Guards whose findings `Checks.more` makes."""


def opened(checks: Checks, call: Call, asked: Asked) -> tuple[Opened, Prepare]:
    """Return what begins the guarding of a text, and what fetches the values of placeholders for it."""
    watch = _Watch(checks, call, asked)
    return watch.opened, watch.prepare


class _Watch:
    """The guarding of one stream."""

    def __init__(self, checks: Checks, call: Call, asked: Asked) -> None:
        self._checks = checks
        self._who = call.who
        self._asked = asked
        self._altering = checks.guards.altering(call.who, Place.ANSWER)
        self._open_at = open_at(self._altering)
        self._near = near(self._altering)
        self._values: dict[str, str] = {}

    def opened(self, kind: str) -> StreamText:
        text = _Text(self._checks, self, kind)
        return StreamText(text.find, self._open_at, self._near)

    async def prepare(self, text: str) -> None:
        if "<" in text:
            self._values |= await self._checks.values(self._who, text, as_json=False)

    def judged(self, text: str, kind: str) -> Sequence[Judged]:
        if not self._altering:
            return ()
        more: list[Finding] = []
        guards = self._checks.guards
        if self._altering & _BESIDE:
            secrets = [one.finding for one in guards.at_once(self._who, text, Place.ANSWER, self._altering)]
            more = self._checks.more(self._who, self._asked, text, kind, secrets, whole=False)
        return guards.at_once(self._who, text, Place.ANSWER, self._altering, more)

    def value(self, name: str) -> str | None:
        return self._values.get(name)


class _Text:
    """One text. A text that begins like JSON is given values as JSON spells them."""

    def __init__(self, checks: Checks, watch: _Watch, kind: str) -> None:
        self._checks = checks
        self._watch = watch
        self._kind = kind
        self._as_json: bool | None = None

    def find(self, text: str) -> list[Span]:
        if self._as_json is None and text.strip():
            self._as_json = text.lstrip()[:1] in {"{", "["}
        spans = [span for one in self._watch.judged(text, self._kind) if (span := self._span(one, text)) is not None]
        if self._kind == "text" and "<" in text:
            spans += self._placeholders(text)
        return _apart(spans)

    def _span(self, one: Judged, text: str) -> Span | None:
        """Return what leaves in the place of a finding. A value that is named is given back to its owner at once."""
        finding = one.finding
        if one.mode is Mode.BLOCK:
            return Span(finding.start, finding.end, None)
        if one.mode is Mode.REDACT or (one.mode is Mode.TOKENISE and self._kind != "text"):
            return Span(finding.start, finding.end, label(finding, one.mode, text[finding.start : finding.end]))
        return None

    def _placeholders(self, text: str) -> list[Span]:
        spans = []
        for name, at in readable(text, self._checks.settings.links.hosts):
            value = self._watch.value(name)
            if value is not None:
                spans.append(Span(at, at + len(name), json_inner(value) if self._as_json else value))
        return spans


def _apart(spans: list[Span]) -> list[Span]:
    """Return spans in their order, overlapping ones as one; one that lets nothing out stays so."""
    if len(spans) < 2:
        return spans
    apart: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            text = None if span.text is None or last.text is None else last.text
            apart[-1] = Span(last.start, max(last.end, span.end), text)
        else:
            apart.append(span)
    return apart
