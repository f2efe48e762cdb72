"""Message threads of Anthropic's clients: conversations that the server holds, held in the journal.

A client that creates a thread is answered under an id of ours, which names the run and the call; one that continues it
sends only what is new. What was asked in that call is kept whole, so one look gives the whole conversation. The request
is completed before it is named, so that a replay is found, and goes upstream without state. Who may continue a thread
is who may refer to a response (`histories.py`); everyone else is told that there is none, whereupon SDKs send it whole.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.gateways.models.formats.anthropic import request
from airside.gateways.models.formats.anthropic.format import MESSAGES
from airside.gateways.models.histories import Histories, Recorded
from airside.gateways.models.provider import Ask, on_route

_ID = re.compile(r"msg_([0-9a-z]+)_([0-9a-z]+)")


class Threads:
    """The step that completes requests of a thread."""

    def __init__(self, histories: Histories, *, bytes_max: int) -> None:
        self._histories = histories
        self._bytes_max = bytes_max

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on with its whole conversation, and its answer back under our id.

        Raises `not_found` for a thread that cannot be continued, `limit_exceeded` for one that has grown too long.
        """
        ask = call.payload
        if not isinstance(ask, Ask) or ask.request.format.name != MESSAGES.name or not request.thread(ask.request):
            return await forward(call)
        previous = request.thread(ask.request).get("previous_message_id")
        if previous is not None:
            call = await self._completed(call, ask, previous)
        run_id = call.who.run_id
        ask.delivered.name = _name(run_id, call.call_id)  # type: ignore[attr-defined]  # this format's note has it
        outcome = await forward(call)
        if outcome.state is not CallState.OK:
            return outcome
        return replace(outcome, body=request.renamed(outcome.body, _name(run_id, outcome.call_id or call.call_id)))

    async def _completed(self, call: Call, ask: Ask, previous: str) -> Call:
        match = _ID.fullmatch(previous)
        recorded = None
        if match is not None:
            run_id, call_id = f"run_{match.group(1)}", f"call_{match.group(2)}"
            recorded = await self._histories.recorded(call.who, run_id, call_id)
        kept = _conversation(recorded) if recorded is not None else None
        if kept is None:
            raise AirsideError(
                Code.NOT_FOUND,
                f"there is no thread with the message {previous[:120]!r} that this credential may continue",
                advice="Send the whole conversation in a new thread, as SDKs do.",
                details={"error_code": "thread_not_found"},
            )
        whole = request.continued(ask.request, kept)
        if len(whole.body) > self._bytes_max or len(whole.value["messages"]) > request.MESSAGES_MAX:
            raise AirsideError(
                Code.LIMIT_EXCEEDED,
                f"the conversation has grown to {len(whole.body)} bytes in {len(whole.value['messages'])} messages; at "
                f"most {self._bytes_max} bytes in {request.MESSAGES_MAX} messages are accepted",
                advice="Begin a new conversation with a summary of this one, or raise server.body_bytes_max.",
            )
        notes = {**call.notes, "history": {"previous": previous, "items": len(kept["messages"])}}
        changed = replace(call, parts=whole.parts, notes=notes, payload=replace(ask, request=whole))
        return on_route(changed, ask.route)


def _name(run_id: str, call_id: str) -> str:
    return f"msg_{run_id.removeprefix('run_')}_{call_id.removeprefix('call_')}"


def _conversation(recorded: Recorded) -> Mapping[str, Any] | None:
    """Return the system text, tools and messages of a recorded call, its answer included; None if it is no message."""
    answer = msgspec.json.decode(recorded.body)
    if answer.get("type") != "message":
        return None
    *pieces, parameters = [msgspec.json.decode(piece) for piece in recorded.pieces]
    system = pieces.pop(0)["system"] if pieces and "system" in pieces[0] else None
    said = [{name: item for name, item in block.items() if item is not None} for block in answer["content"]]
    messages = [request.restored(piece) for piece in pieces]
    if said:
        messages.append({"role": "assistant", "content": said})
    return {"system": system, "tools": parameters.get("tools"), "messages": messages}
