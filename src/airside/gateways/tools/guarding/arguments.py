"""What an agent sends to tools is checked before anybody decides on it, and again when a reviewer has changed it.

Arguments are never rewritten: what they say is what would happen. What must not go on stops the call.
"""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from airside.core.call import Call, CallKind, Outcome
from airside.core.ports import Forward
from airside.core.run import Identity
from airside.gateways.tools.catalogue import Listed
from airside.gateways.tools.guarding.document import document
from airside.gateways.tools.guarding.restore import Restore
from airside.gateways.tools.guarding.values import NOTES, clear_of, followed
from airside.guards.canary import leaked
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.service import Guards, refusal
from airside.pipeline.refusal import Refusal
from airside.secrets.handle import SCHEME, handles_in

PLACE = Place.ARGUMENTS


class Arguments:
    """A step between `fit` and `evidence`; other kinds of calls are not its business.

    `canary_of` returns the canary of a run, which must not leave; empty if it has none.
    """

    def __init__(self, guards: Guards, canary_of: Callable[[Identity], str] = lambda _: "") -> None:
        self._guards = guards
        self._canary_of = canary_of

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with what was found in its notes; raises `guard_blocked`."""
        return await forward(await self.checked(call))

    async def checked(self, call: Call) -> Call:
        """Return a call with what was found in its arguments, as the agent wrote them, in its notes.

        Handles of secrets are no secrets. Raises `guard_blocked`.
        """
        if call.kind is not CallKind.TOOL or not isinstance(call.payload, Listed):
            return call
        value = call.arguments if call.said is None else call.said
        read = document(value)
        findings = await self._guards.found(call.who, read.text, PLACE) if read.text else ()
        if findings and SCHEME in read.text:
            findings = clear_of(findings, [(at.start, at.end) for at in handles_in(read.text) if at.handle])
        if canary := self._canary_of(call.who):
            findings = [*findings, *leaked(canary, Readings(read.text))]
        judged = self._guards.judge(call.who, findings, PLACE)
        if not judged:
            return replace(call, notes=_without(call)) if NOTES in call.notes else call
        found = await followed(self._guards, call.who, value, read, judged, PLACE)
        if found.blocked is not None:
            error = refusal(found.blocked, PLACE)
            raise Refusal(call, error.code, error.message, details={**error.details, NOTES: found.notes})
        return replace(call, notes={**call.notes, NOTES: found.notes})


def again(
    restore: Restore, arguments: Arguments, gathered: Callable[[Call], Awaitable[Call]]
) -> Callable[[Call], Awaitable[Call]]:
    """Return what an approved call is asked once more before policy is: guards first, then the facts."""

    async def asked(call: Call) -> Call:
        if call.edited:
            call = await restore.edited(call)
        return await gathered(await arguments.checked(call))

    return asked


def _without(call: Call) -> dict[str, object]:
    return {name: said for name, said in call.notes.items() if name != NOTES}
