"""The step `guard` of model calls: what is new in a request is checked, and goes on as guards let it.

The client's request stays what is hashed, stored and replayed; only what goes upstream differs, and every later step
(context, caches, routing, asides) reads that. An item that was found clean is not looked at again, and one in which
something was replaced is replaced alike in every later turn of its run and agent.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from secrets import token_bytes
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, Outcome
from airside.core.lru import Lru
from airside.core.ports import Forward
from airside.gateways.models.guarding.items.every import items_of
from airside.gateways.models.guarding.items.item import Item, Path
from airside.gateways.models.guarding.read import Judgement, Replaced, Seen, replaced_in, seen
from airside.gateways.models.guarding.rewriting import with_values
from airside.gateways.models.provider import Ask, on_route
from airside.guards.service import Guards, blocking, note, refusal
from airside.guards.verdict import Judged

NOTE: Final = "guards"
NOTED_MAX: Final = 50
CLEAN_MAX: Final = 20_000
REPLACED_MAX: Final = 4_096
REPLACED_CHARS_MAX: Final = 16_384
"""Longer texts, with what stands in their place, are replaced anew in each turn."""

_DIGEST_BYTES: Final = 24


class GuardIn:
    """Guards what goes to models."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._clean: Lru[bytes, bool] = Lru(CLEAN_MAX)
        self._replaced: Lru[tuple[str, str, str, bytes], Replaced] = Lru(REPLACED_MAX)
        self._key = token_bytes(32)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass a model call on as guards let it go; raises `guard_blocked`, and `limit_exceeded` for texts too long."""
        ask = call.payload
        if not isinstance(ask, Ask) or call.ready is not None:
            return await forward(call)
        return await forward(await self._guarded(call, ask))

    async def _guarded(self, call: Call, ask: Ask) -> Call:
        new: list[tuple[Item, bytes, Seen]] = []
        values: dict[Path, Any] = {}
        whose = self._whose(call)
        for item in items_of(ask.request):
            name = self._name(call, item)
            if self._clean.get(name):
                continue
            replaced = self._replaced.get((*whose, name))
            if replaced is None:
                looked = await seen(self._guards, call.who, item)
                if looked.clean:
                    self._clean.put(name, True)
                else:
                    new.append((item, name, looked))
            elif replaced:
                _put(values, item, replaced)
        if new:
            call = await self._rewritten(call, new, values)
        return _with(call, ask, values) if values else call

    async def _rewritten(self, call: Call, new: Sequence[tuple[Item, bytes, Seen]], values: dict[Path, Any]) -> Call:
        """Put what goes on in the place of what may not, and note what was found; raises if it blocks the call."""
        texts = [(item.part, one) for item, _, looked in new for one in looked.texts]
        for _, one in texts:
            if (blocked := blocking(one.judged)) is not None:
                error = refusal(blocked, one.place)
                error.details = {
                    **error.details,
                    NOTE: _bounded([_notes(part, one, one.judged) for part, one in texts]),
                }
                raise error
        checked = await self._guards.rewrite_all(call.who, [(one.text, one.judged) for _, one in texts])
        told = [_notes(part, one, said.judged) for (part, one), said in zip(texts, checked, strict=True)]
        following = iter(checked)
        for item, name, looked in new:
            replaced = {
                (one.place, one.text): said.text
                for one, said in zip(looked.texts, following, strict=False)
                if said.text != one.text
            }
            if sum(len(text) + len(new) for (_, text), new in replaced.items()) <= REPLACED_CHARS_MAX:
                self._replaced.put((*self._whose(call), name), replaced)
            if replaced:
                _put(values, item, replaced)
        return replace(call, notes={**call.notes, NOTE: _bounded(told)}) if texts else call

    def _whose(self, call: Call) -> tuple[str, str, str]:
        """Return for whom what was replaced holds: agents of one run, and stages, may have other modes."""
        who = call.who
        return who.run_id, who.agent, self._guards.stage(who)

    def _name(self, call: Call, item: Item) -> bytes:
        """Return what an item is remembered under: its piece's name where that says all, else a keyed hash."""
        place = item.place.value.encode()
        if item.alone and item.part < len(call.part_ids):
            return place + call.part_ids[item.part]
        return place + blake2b(_encoded(item.value), key=self._key, digest_size=_DIGEST_BYTES).digest()


def _put(values: dict[Path, Any], item: Item, replaced: Replaced) -> None:
    new = replaced_in(item, replaced)
    if item.path:
        values[item.path] = new
        return
    gone = dict.fromkeys(item.value.keys() - new.keys())
    changed = {name: value for name, value in new.items() if value is not item.value.get(name)}
    values[()] = {**values.get((), {}), **gone, **changed}


def _with(call: Call, ask: Ask, values: Mapping[Path, Any]) -> Call:
    request = with_values(ask.request, values)
    digest = blake2b(_encoded([[list(path), value] for path, value in values.items()]), digest_size=_DIGEST_BYTES)
    request = replace(request, rewriting=digest.digest())
    return on_route(replace(call, payload=replace(ask, request=request)), ask.route)


def _encoded(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # an integer of more than 64 bits
        return canonical.encode(value)


def _notes(part: int, one: Judgement, judged: Sequence[Judged]) -> list[Mapping[str, Any]]:
    """Return the findings in a text; `nth` tells the texts of a part of the request apart."""
    return [{**said, "nth": one.number} for said in note(judged, one.place, part)]


def _bounded(told: Sequence[list[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    flat = [one for some in told for one in some]
    return flat[:NOTED_MAX] + [{"more": len(flat) - NOTED_MAX}] * (len(flat) > NOTED_MAX)
