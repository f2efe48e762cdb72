"""Values in the place of placeholders, in the arguments of tools that may see them.

The step before `replay`: a request is named, decided on, approved and traced with the values that the world will see,
while the agent, and the models that it asks, have met nothing but the names.
"""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airside.config.guards import RestoreRule
from airside.core import canonical
from airside.core.call import Call, CallKind, Outcome
from airside.core.patterns import fits_any
from airside.core.ports import Forward, Keyring
from airside.gateways.tools.catalogue import Listed
from airside.guards.placeholders.handing_on import mapped
from airside.guards.placeholders.spelling import kind_of, placeholders_in, put_back
from airside.guards.ports import Placeholders
from airside.pipeline.request import name_parts


class Allowed:
    """Which tools may see values of which kinds, by the settings."""

    def __init__(self, rules: list[RestoreRule]) -> None:
        self._rules = tuple(rules)

    def sees(self, tool: str, kind: str) -> bool:
        """Whether a tool may see values of a kind."""
        return any((not rule.kinds or kind in rule.kinds) and _names(rule, tool) for rule in self._rules)

    def sees_any(self, tool: str) -> bool:
        """Whether a tool may see any values."""
        return any(_names(rule, tool) for rule in self._rules)


class Restore:
    """Puts values back into tool calls."""

    def __init__(self, placeholders: Placeholders, rules: list[RestoreRule], keyring: Keyring) -> None:
        self._placeholders = placeholders
        self._allowed = Allowed(rules)
        self._keyring = keyring

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with the values that its tool may see; another placeholder goes on as the text it is."""
        return await forward(await self._restored(call))

    async def edited(self, call: Call) -> Call:
        """Return a reviewer's version of a call: placeholders in it are put back as in the agent's own.

        What guards check of it has placeholders for the values that were put back already.
        """
        said = await self._values(call, call.said)
        fresh = replace(call, said=None)
        restored = await self._restored(fresh)
        if restored is not fresh:
            assert isinstance(restored.payload, Listed), "only tools that exist are ever approved"
            restored.payload.schema.check(restored.arguments)
            key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
            restored = replace(restored, part_ids=name_parts(restored, key))
        if not said:
            return restored
        shown = restored.said if restored.said is not None else restored.arguments
        return replace(restored, said=mapped(shown, lambda text: _hidden(text, said)))

    async def _restored(self, call: Call) -> Call:
        values = await self._values(call, call.arguments)
        if not values:
            return call
        arguments = mapped(call.arguments, lambda text: put_back(text, values))
        parts = (canonical.encode(arguments), *call.parts[1:])
        return replace(call, arguments=arguments, parts=parts, said=call.arguments)

    async def _values(self, call: Call, arguments: Any) -> Mapping[str, str]:
        """Return the values that this call's tool may see of the placeholders in some arguments."""
        if call.kind is not CallKind.TOOL or not arguments or not self._allowed.sees_any(call.name):
            return {}
        text = canonical.encode(arguments).decode() if arguments is not call.arguments else call.parts[0].decode()
        wanted = [name for name in placeholders_in(text) if self._allowed.sees(call.name, kind_of(name))]
        if not wanted:
            return {}
        found = await self._placeholders.values(call.who, " ".join(wanted))
        return {name: value.text for name, value in found.items()}


def _names(rule: RestoreRule, tool: str) -> bool:
    return tool in rule.tools or fits_any(tool, rule.tools)


def _hidden(text: str, values: Mapping[str, str]) -> str:
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, name)
    return text
