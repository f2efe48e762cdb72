"""Reading and deleting responses that are kept for their clients: `/v1/responses/{id}`, taken from the journal."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.run import Identity
from airside.gateways.http import Receive, Scope, Send, caller, respond
from airside.gateways.models.formats.openai_responses.events import Shown
from airside.gateways.models.formats.openai_responses.format import RESPONSES, shown
from airside.gateways.models.histories import Histories, Kept
from airside.pipeline.compose import internal

PREFIX = "/v1/responses/"
PAGE_ITEMS_MAX = 100
_PAGE_ITEMS = 20


class KeptResponses:
    """An ASGI application. `resolve` returns the identity behind a token and an `X-Airside-Run`."""

    def __init__(self, histories: Histories, resolve: Callable[[str, str], Awaitable[Identity]]) -> None:
        self._histories = histories
        self._resolve = resolve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - no body is read
        """Answer one HTTP request."""
        try:
            answer = await self._answer(scope)
        except AirsideError as error:
            await respond(send, error.status, RESPONSES.error(error))
        except Exception as error:  # noqa: BLE001 - whatever broke, the client gets our error and no traceback
            await respond(send, 500, RESPONSES.error(internal(new_id("call"), error)))
        else:
            await respond(send, 200, answer)

    async def _answer(self, scope: Scope) -> bytes:
        name, _, what = scope["path"].removeprefix(PREFIX).partition("/")
        asked: tuple[str, str] = (scope["method"], what)
        if asked == ("POST", "cancel"):
            raise AirsideError(
                Code.INVALID_REQUEST,
                "only background responses can be cancelled, and none are made here",
                advice="Close the connection to stop an answer that is being made.",
            )
        if asked not in {("GET", ""), ("DELETE", ""), ("GET", "input_items")}:
            raise AirsideError(Code.NOT_FOUND, f"the model gateway has no {asked[0]} {scope['path'][:200]}")
        asking = caller(scope)
        who = await self._resolve(asking.token, asking.run)
        if asked[0] == "DELETE":
            await self._histories.delete(who, name)
            return msgspec.json.encode({"id": name, "object": "response", "deleted": True})
        kept = await self._histories.find(who, name)
        if what:
            return msgspec.json.encode(_page(_listed(kept, name), parse_qs(scope["query_string"].decode("latin-1"))))
        return shown(kept.body, Shown(name, kept.previous, store=True))


def _listed(kept: Kept, name: str) -> list[dict[str, Any]]:
    """Return the items of what was asked, named as they must be to be paged through: the oldest first."""
    stem = name.removeprefix("resp_")
    return [{"id": f"item_{stem}_{index}", **item} for index, item in enumerate(kept.asked)]


def _page(listed: list[dict[str, Any]], query: Mapping[str, list[str]]) -> dict[str, Any]:
    limit, order = query.get("limit", [str(_PAGE_ITEMS)])[0], query.get("order", ["desc"])[0]
    if not limit.isdecimal() or not 1 <= int(limit[:4]) <= PAGE_ITEMS_MAX:
        raise AirsideError(Code.INVALID_REQUEST, f"limit must be a whole number from 1 to {PAGE_ITEMS_MAX}")
    if order not in {"asc", "desc"}:
        raise AirsideError(Code.INVALID_REQUEST, "order must be asc or desc")
    ordered = listed if order == "asc" else listed[::-1]
    after = query.get("after", [""])[0]
    start = next((index + 1 for index, item in enumerate(ordered) if item["id"] == after), 0)
    page = ordered[start : start + int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + int(limit) < len(ordered),
    }
