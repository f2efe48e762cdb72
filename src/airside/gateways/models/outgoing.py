"""What leaves to providers holds no value of a secret: a handle stands in its place, and operators are told.

Values get into conversations by tools inside agents' own processes, by people, and by what no gateway has seen. The
request is named, journaled and replayed as the client sent it; only what goes upstream differs.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.core.ports import Notices
from airside.secrets.watch import Watch

LEAVING: Final = "secret.leaving"

Clean = Callable[[Call, bytes], Awaitable[bytes]]
"""Returns the body of a model call (JSON) as it may leave."""


class WithoutSecrets:
    """Implements `Clean`."""

    def __init__(self, watch: Watch, notices: Notices) -> None:
        self._watch = watch
        self._notices = notices

    async def __call__(self, call: Call, body: bytes) -> bytes:
        """Return the body, the same bytes if nothing was to be taken out; raises `guard_blocked` if that cannot be."""
        who = call.who
        clean = await self._watch.body(who.tenant_id, body)
        if clean.names:
            told = {"key": who.agent, "agent": who.agent, "secrets": list(clean.names), "run": who.run_id}
            self._notices.tell(who.tenant_id, LEAVING, told)
        if clean.withheld:
            raise AirsideError(
                Code.GUARD_BLOCKED,
                "this conversation holds a secret in pieces, which cannot be taken out",
                advice=f"Look for {', '.join(clean.names)} in its messages, and start a new conversation.",
                details={"not_sent": True, "unbilled": True},
            )
        return clean.data


async def as_it_is(_: Call, body: bytes) -> bytes:
    """`Clean` where there is nothing to look for."""
    return body
