"""What a run was shown of a foreign source stays what it can call: the first list it meets is pinned to it.

A source may change its tools at any time, also between what a model has read and what it then asks for. The pin, names
and fingerprints, stands in the journal, so that it holds for all attempts of the run and for all gateways.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.core.lru import Lru
from airside.core.ports import Database, Transaction
from airside.core.run import Identity
from airside.gateways.tools.catalogue import Listed, ToolCatalogue, offered
from airside.journal import events, queries

PINS_MAX: Final = 4_096
_SQL = queries.load("airside.gateways.tools", "pins.sql")


class _Pin(Struct, frozen=True):
    """What a run was shown of one source: fingerprints by name, and the tools themselves where they are known here."""

    fingerprints: Mapping[str, str]
    tools: Mapping[str, Listed]


class Pins:
    """Pins lists to runs, and refuses tools that have changed since."""

    def __init__(self, database: Database, catalogue: ToolCatalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self._known: Lru[tuple[str, str, str], _Pin] = Lru(PINS_MAX)

    async def check(self, identity: Identity, listed: Listed) -> None:
        """Raise `tool_changed` unless the run was shown this very definition."""
        if not listed.fingerprint:
            return
        name = listed.tool.name
        pin = await self._pin(identity, listed.tool.source)
        if pin.fingerprints.get(name) != listed.fingerprint:
            how = "has changed" if name in pin.fingerprints else "has appeared"
            raise AirsideError(
                Code.TOOL_CHANGED, f"{name} {how} since this run began", details={"not_sent": True, "tool": name}
            )

    async def shown(self, identity: Identity, tools: Sequence[Listed]) -> list[Listed]:
        """Return what the run sees of the tools that exist now, with the definitions that it was first shown."""
        own = [listed for listed in tools if not listed.fingerprint]
        sources = {listed.tool.source for listed in tools if listed.fingerprint}
        for source in sorted(sources):
            pinned = (await self._pin(identity, source)).tools
            own += [listed for name, listed in pinned.items() if offered(name, identity.tools)]
        return sorted(own, key=lambda listed: listed.tool.name)

    async def _pin(self, identity: Identity, source: str) -> _Pin:
        key = (identity.tenant_id, identity.run_id, source)
        pin = self._known.get(key)
        if pin is None:
            narrowed = identity.only is not None  # the pin is for the whole run, whose other tokens may do more
            now = {
                listed.tool.name: listed
                for listed in self._catalogue.of(source)
                if listed.fingerprint and (narrowed or offered(listed.tool.name, identity.tools))
            }
            fingerprints = await self._recorded(identity, source, {name: now[name].fingerprint for name in now})
            same = {name: listed for name, listed in now.items() if fingerprints.get(name) == listed.fingerprint}
            pin = _Pin(fingerprints, same)
            self._known.put(key, pin)
        return pin

    async def _recorded(self, identity: Identity, source: str, now: Mapping[str, str]) -> Mapping[str, str]:
        """Return the pin as the journal has it, writing it there if the run has none."""
        who = {"tenant_id": identity.tenant_id, "run_id": identity.run_id}

        async def pin(tx: Transaction) -> Mapping[str, str]:
            await tx.fetch(_SQL["run_locked"], **who)
            for row in await tx.fetch(_SQL["pins"], **who, type=events.TOOLS_LISTED):
                body = msgspec.json.decode(row["body"])
                if body["source"] == source:
                    fingerprints: Mapping[str, str] = body["tools"]
                    return fingerprints
            await tx.append(events.entry(events.TOOLS_LISTED, {"source": source, "tools": now}, **who))
            return now

        return await self._database.transact(pin)
