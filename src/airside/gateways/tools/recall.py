"""The `recall` tool: an agent finds again what was left out of its conversation to fit the model's window.

It searches the requests of the agent's own run as the journal keeps them; it reads no other run and changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from airside.core.call import Call, Effect
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Transaction
from airside.core.tool import Tool
from airside.gateways.passages import Passage, best, cut
from airside.journal import queries

CALLS_MAX = 50
PIECES_MAX = 2_000
PASSAGES = 5
SLICE_CHARS = 8_000
WORDY_CHARS = 40  # shorter texts are names and ids, which say nothing by themselves
_SQL = queries.load("airside.gateways.tools", "recall.sql")

RECALL = Tool(
    name="recall",
    description=(
        "Search what was left out of this conversation: long tool results (by their handle) and earlier messages."
        " Give a query to get the passages that fit it, or a handle with `start` to read on from there."
    ),
    schema={
        "type": "object",
        "properties": {
            "query": {"type": "string", "maxLength": 2_000},
            "handle": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
            "start": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    },
    effect=Effect.READ,
    reversible=True,
    idempotent=True,
    declared=True,
    source="airside",
)


class Recall:
    """Executes the tool."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def __call__(self, call: Call) -> bytes:
        """Return the passages that fit, as JSON; raises `tool_failed` for a handle that this run does not have."""
        arguments = call.arguments or {}
        query, handle, start = arguments.get("query", ""), arguments.get("handle", ""), arguments.get("start", 0)
        if not query and not handle:
            raise AirsideError(Code.TOOL_FAILED, "recall needs a query or a handle")
        texts = await self._texts(call, handle)
        if handle and not texts:
            raise AirsideError(Code.TOOL_FAILED, f"this run has nothing under the handle {handle}")
        if not query:
            text = "\n".join(text for _, text in texts)
            return msgspec.json.encode({"text": text[start : start + SLICE_CHARS], "start": start, "chars": len(text)})
        found = best(query, [passage for name, text in texts for passage in cut(name, text)], count=PASSAGES)
        return msgspec.json.encode({"passages": [_shown(passage) for passage in found]})

    async def _texts(self, call: Call, handle: str) -> list[tuple[str, str]]:
        """Return the texts of the run's requests by their handles; only that of one handle if it is given."""
        who = call.who
        key = await self._keyring.subject(who.tenant_id, who.subject)

        async def read(tx: Transaction) -> list[tuple[bytes, bytes]]:
            rows = await tx.fetch(_SQL["requests"], tenant_id=who.tenant_id, run_id=who.run_id, calls_max=CALLS_MAX)
            sealed = []
            for content_id in _pieces([row["body"] for row in rows], handle):
                row = await tx.one(_SQL["content"], tenant_id=who.tenant_id, subject=who.subject, content_id=content_id)
                if row is not None:
                    sealed.append((content_id, bytes(row["sealed"])))
            return sealed

        opened = [
            (content_id.hex()[:16], key.open(content_id, blob)) for content_id, blob in await self._database.read(read)
        ]
        return [(name, text) for name, piece in opened if (text := "\n".join(_said(msgspec.json.decode(piece))))]


def _pieces(bodies: Sequence[bytes], handle: str) -> list[bytes]:
    names: dict[str, None] = {}
    for body in bodies:
        names |= dict.fromkeys(msgspec.json.decode(body)["request"])
    return [bytes.fromhex(name) for name in list(names)[:PIECES_MAX] if name.startswith(handle)]


def _said(value: Any) -> Iterator[str]:
    """Yield the texts in a piece of a request, whatever its format, parameters and names left out."""
    if isinstance(value, str):
        if len(value) >= WORDY_CHARS:
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _said(item)
    elif isinstance(value, list):
        for item in value:
            yield from _said(item)


def _shown(passage: Passage) -> dict[str, Any]:
    return {"handle": passage.source, "start": passage.start, "text": passage.text.strip()}
