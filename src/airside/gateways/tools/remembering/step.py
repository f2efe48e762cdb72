"""A reading tool's result is given again for as long as its manifest says, until an effect makes it stale.

What is found goes on as `call.ready`: it is journaled, replayed and labelled like any result, and nothing leaves. It
serves calls of the same run; where the manifest says `cache_shared`, calls of other runs of the tenant too, whoever
they are for. No other tenant's, ever. A cache is no safety: when it fails, the call goes on without it.
"""

import structlog
from msgspec import Struct
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallState, Effect, Need, Outcome
from airside.core.errors import AirsideError
from airside.core.ports import Forward, Keyring, SubjectKey
from airside.core.tool import Tool
from airside.gateways.tools.answer import pack, unpack
from airside.gateways.tools.catalogue import Listed
from airside.gateways.tools.guarding.values import holds_placeholders
from airside.gateways.tools.remembering.shelf import RESULT_BYTES_MAX, Shelf

SHARED_SUBJECT = "airside:tool-results"
"""Whose key seals what all runs of a tenant share."""

UPSTREAM = "cache"
WISH = "cache"
_log = structlog.get_logger(__name__)


class _Place(Struct, frozen=True):
    """Where the result of a call belongs, and the generation that a new one would belong to."""

    key: SubjectKey
    owner: str
    entry_key: bytes
    generation: int = 0


class Remembering:
    """Answers calls of reading tools from what is remembered."""

    def __init__(self, shelf: Shelf, keyring: Keyring) -> None:
        self._shelf = shelf
        self._keyring = keyring

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, with a remembered result if there is one. `x-airside-cache: off` asks the tool anew."""
        tool = call.payload.tool if isinstance(call.payload, Listed) else None
        if tool is None or tool.effect is not Effect.READ or tool.cache_ttl_s <= 0 or call.local:
            return await forward(call)
        try:
            place = await self._place(call, tool)
            result, generation = await self._shelf.find(call.who.tenant_id, tool.name, place.owner, place.entry_key)
        except AirsideError as error:
            _log.warning("tool_results_unavailable", code=error.code.value)
            return await forward(call)
        if result is not None and call.wishes.get(WISH) != "off":
            return await forward(_given(call, result))
        outcome = await forward(call)
        await self._keep(call, tool, replace(place, generation=generation), outcome)
        return outcome

    async def _place(self, call: Call, tool: Tool) -> _Place:
        who = call.who
        owner = SHARED_SUBJECT if tool.cache_shared else who.subject
        key = await self._keyring.subject(who.tenant_id, owner)
        run = "" if tool.cache_shared else who.run_id
        says = canonical.encode({"tool": tool.name, "schema": dict(tool.schema), "run": run, "source": tool.source})
        return _Place(key, owner, key.name(len(says).to_bytes(8) + says + call.parts[0]))

    async def _keep(self, call: Call, tool: Tool, place: _Place, outcome: Outcome) -> None:
        if outcome.state is not CallState.OK or outcome.replayed or len(outcome.body) > RESULT_BYTES_MAX:
            return
        if tool.cache_shared and holds_placeholders(outcome.notes):
            return  # they would mean something else in another run
        try:
            await self._shelf.keep(
                tool.name,
                place.entry_key,
                bytes(unpack(outcome.body).result),
                key=place.key,
                origin=call.who.subject,
                ttl_s=tool.cache_ttl_s,
                generation=place.generation,
            )
        except AirsideError as error:
            _log.warning("tool_result_not_kept", code=error.code.value)


def _given(call: Call, result: bytes) -> Call:
    body = pack(result, call.parts[0] if call.edited else None)
    ready = Outcome(state=CallState.OK, body=body, upstream=UPSTREAM, call_id=call.call_id)
    return replace(call, ready=ready, need=Need(), notes={**call.notes, "cache": {"kind": "tool"}})
