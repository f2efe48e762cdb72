"""Guards over JSON values: what arguments, results and errors of tools have in common."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from airside.core.run import Identity
from airside.gateways.tools.guarding.document import Document, Path, document, replaced, with_texts
from airside.guards.finding import Finding, Mode, Place
from airside.guards.scanner import OFF_LOOP_BYTES
from airside.guards.service import Guards, blocking, note
from airside.guards.verdict import Judged

NOTES: Final = "guards"


class Guarded(Struct, frozen=True):
    """A value as it may go on, what stops it (`blocked`), and the findings as they stand in the journal."""

    value: Any
    blocked: Judged | None = None
    notes: Sequence[Mapping[str, Any]] = ()
    changed: bool = False


async def guarded(guards: Guards, who: Identity, value: Any, place: Place, *, size: int = 0) -> Guarded:
    """Return a JSON value of about `size` bytes as it may go on; raises what guards that fail raise."""
    read = await asyncio.to_thread(document, value) if size > OFF_LOOP_BYTES else document(value)
    if not read.text:
        return Guarded(value)
    judged = guards.judge(who, await guards.found(who, read.text, place), place)
    return await followed(guards, who, value, read, judged, place) if judged else Guarded(value)


async def followed(
    guards: Guards, who: Identity, value: Any, read: Document, judged: Sequence[Judged], place: Place
) -> Guarded:
    """Return a value as it may go on by what was judged of its text."""
    parts = read.by_piece(judged)
    if (stop := blocking(judged)) is not None or not replaced(judged):
        return Guarded(value, stop, _noted(parts, place))
    checked = await guards.rewrite_all(who, [(read.of_piece(at), found) for at, found in parts])
    texts: dict[Path, str] = {}
    keys: dict[Path, str] = {}
    for (at, _), one in zip(parts, checked, strict=True):
        piece = read.pieces[at]
        (keys if piece.is_key else texts)[piece.path] = one.text
    said = [(at, list(one.judged)) for (at, _), one in zip(parts, checked, strict=True)]
    return Guarded(with_texts(value, texts, keys), None, _noted(said, place), changed=True)


def _noted(parts: Sequence[tuple[int, Sequence[Judged]]], place: Place) -> list[Mapping[str, Any]]:
    flat = [(at, one) for at, found in parts for one in found]
    return note([one for _, one in flat], place, [at for at, _ in flat])


def holds_placeholders(notes: Mapping[str, Any]) -> bool:
    """Whether the notes of an outcome tell of values that placeholders stand for in it."""
    return any(one.get("mode") == Mode.TOKENISE or "more" in one for one in notes.get(NOTES, ()))


def clear_of(findings: Sequence[Finding], spans: Sequence[tuple[int, int]]) -> list[Finding]:
    """Return the findings that lie within none of some spans."""
    return [one for one in findings if not any(start <= one.start and one.end <= end for start, end in spans)]
