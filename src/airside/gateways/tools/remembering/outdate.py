"""What effects make stale: results of the tools that a manifest names under `invalidates` are forgotten.

The step next to the execution, inside `record`: an effect whose client leaves is finished there, and so is this.
"""

from collections.abc import Sequence

import structlog

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError
from airside.core.ports import Forward
from airside.gateways.tools.catalogue import Listed
from airside.gateways.tools.remembering.shelf import Shelf

_log = structlog.get_logger(__name__)


class Outdate:
    """Forgets results before an effect, and again after it, whatever came of it.

    Before, so that should this process die in between nothing from before the effect is given any more: the effect is
    not sent if that fails. After, for what was read while it happened.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on. Of a local tool only the permission passes here: its results are stale from then on."""
        outdated = call.payload.tool.invalidates if isinstance(call.payload, Listed) and call.side_effect else ()
        if not outdated:
            return await forward(call)
        try:
            await self._shelf.stale(call.who.tenant_id, outdated)
        except AirsideError as error:
            raise AirsideError(error.code, error.message, details={"not_sent": True}) from error
        try:
            return await forward(call)
        finally:
            await self._outdated(call.who.tenant_id, outdated)

    async def _outdated(self, tenant_id: str, tools: Sequence[str]) -> None:
        try:
            await self._shelf.stale(tenant_id, tools)
        except AirsideError as error:  # what was read meanwhile is given for its time at most
            _log.error("tool_results_not_outdated", tools=list(tools), code=error.code.value)
