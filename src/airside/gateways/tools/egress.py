"""Secrets at the edge: put in just before a tool call leaves, taken out of whatever comes back.

The last step before the call, after its intent is durable: what was hashed, decided on, approved and journaled holds
handles. What a tool answers is searched for the values of all secrets that this tenant uses, in any encoding that is
looked for, before it is journaled or delivered.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, CallKind, Outcome
from airside.core.clock import Clock
from airside.core.errors import AirsideError, CredentialRefused
from airside.core.ports import Forward, Notices
from airside.gateways.tools.answer import pack, unpack
from airside.secrets.grants import Asker, Grants, Use
from airside.secrets.handle import Handle, parse
from airside.secrets.lease import Lease
from airside.secrets.service import TRIES_MAX, Secrets

ECHOED: Final = "secret.echoed"


class Hidden(dict[str, str]):
    """Values by name that show in no `repr`."""

    def __repr__(self) -> str:
        return "(withheld)"


class Egress:
    """Implements `Step` for tool calls that leave from here; local tools run elsewhere and get no secrets."""

    def __init__(self, secrets: Secrets, grants: Grants, notices: Notices, clock: Clock) -> None:
        self._secrets = secrets
        self._grants = grants
        self._notices = notices
        self._clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Let the call leave with its secrets, again if one is refused; return what came of it without any value.

        Raises `secret_unavailable` where a secret cannot be had in time: then nothing has left.
        """
        if call.local or call.ready is not None or call.kind is not CallKind.TOOL:
            return await forward(call)  # nothing leaves from here
        try:
            outcome = await self._sent(call, forward)
        except AirsideError as error:
            self._clean_error(call, error)
            raise
        return await self._clean(call, outcome)

    async def _sent(self, call: Call, forward: Forward) -> Outcome:
        asker = _asker(call)
        uses = self._grants.uses(asker, call.arguments)
        named = {name: parse(handle) for name, handle in self._grants.named(asker).items()}
        if not uses and not named:
            return await forward(call)
        until_s = self._clock.monotonic_s() + call.timeout_s
        leases = await self._leases({*[use.handle for use in uses], *named.values()}, call)
        refused: dict[Handle, list[str]] = {}
        for last in (*[False] * (TRIES_MAX - 1), True):
            left_s = until_s - self._clock.monotonic_s()
            try:
                return await forward(_dressed(call, uses, named, leases, left_s))
            except CredentialRefused:
                left_s = until_s - self._clock.monotonic_s()
                if last or left_s <= 0 or not await self._secrets.replaced(leases, refused, left_s):
                    raise
        raise AssertionError("the last try returns or raises")

    async def _leases(self, handles: Iterable[Handle], call: Call) -> dict[Handle, Lease]:
        resolve, tenant_id, within_s = self._secrets.resolve, call.who.tenant_id, call.timeout_s
        return {
            handle: await resolve(handle, tenant_id=tenant_id, timeout_s=within_s, valid_s=within_s)
            for handle in sorted(handles)
        }

    async def _clean(self, call: Call, outcome: Outcome) -> Outcome:
        if not outcome.body:
            return outcome
        answer = unpack(outcome.body)
        result = bytes(answer.result)
        clean = await self._secrets.watch.body(call.who.tenant_id, result)
        edited = call.parts[0] if call.edited else None  # as it was decided on, without what was put in
        if not clean.names:
            return outcome if edited is None else replace(outcome, body=pack(result, edited))
        self._tell(call, clean.names, clean.times)
        notes = {**outcome.notes, "redacted": list(clean.names)}
        return replace(outcome, body=pack(clean.data, edited), notes=notes)

    def _clean_error(self, call: Call, error: AirsideError) -> None:
        """Take values out of an error, in place: its class and what was recorded of it stay."""
        watch, tenant_id = self._secrets.watch, call.who.tenant_id
        error.message, in_message = watch.text(tenant_id, error.message)
        error.advice, in_advice = watch.text(tenant_id, error.advice)
        details = watch.json(tenant_id, msgspec.json.encode(dict(error.details)))
        names = {*in_message, *in_advice, *details.names}
        if names:
            error.details = msgspec.json.decode(details.data)
            error.args = (f"{error.code}: {error.message}",)
            self._tell(call, tuple(sorted(names)), len(names))

    def _tell(self, call: Call, names: tuple[str, ...], times: int) -> None:
        who = call.who
        body = {"key": call.name, "tool": call.name, "secrets": list(names), "times": times, "run": who.run_id}
        self._notices.tell(who.tenant_id, ECHOED, body)


def refuse_ungranted(grants: Grants, call: Call) -> None:
    """Raise `secret_denied` or `invalid_arguments` for handles in a call's arguments that nobody granted."""
    if not call.local:
        grants.uses(_asker(call), call.arguments)


def _asker(call: Call) -> Asker:
    return Asker(call.who.tenant_id, call.who.agent, call.name)


def _dressed(
    call: Call, uses: list[Use], named: Mapping[str, Handle], leases: Mapping[Handle, Lease], left_s: float
) -> Call:
    """Return the call as it leaves: values in the place of handles, and those that the tool may ask for by name."""
    secrets = Hidden({name: leases[handle].value for name, handle in named.items()})
    call = replace(call, secrets=secrets, timeout_s=max(0.0, min(left_s, call.timeout_s)))
    if not uses:
        return call
    texts: dict[tuple[str, ...], str] = {}
    for use in reversed(uses):  # from the right, so that places stay what they were
        text = texts.get(use.path, use.text)
        texts[use.path] = text[: use.place.start] + leases[use.handle].value + text[use.place.end :]
    arguments = _filled(call.arguments, (), texts)
    return replace(call, arguments=arguments, parts=(canonical.encode(arguments), *call.parts[1:]))


def _filled(value: Any, path: tuple[str, ...], texts: Mapping[tuple[str, ...], str]) -> Any:
    if isinstance(value, str):
        return texts.get(path, value)
    if isinstance(value, Mapping):
        return {key: _filled(item, (*path, str(key)), texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, (*path, str(at)), texts) for at, item in enumerate(value)]
    return value
