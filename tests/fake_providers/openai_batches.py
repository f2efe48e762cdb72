"""OpenAI's batches: `POST /v1/files`, `GET /v1/files/ID/content`, `POST /v1/batches`, `GET /v1/batches/ID`, `/cancel`.

A batch stays `in_progress` until the test says otherwise: `provider.batches.finish(...)`.
"""

import json
import re
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from tests.fake_providers import openai_chat
from tests.fake_providers.dialect import Refusal, Request, Stream, Whole, bearer
from tests.fake_providers.script import KEY

FIELDS = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
LINE = {"custom_id", "method", "url", "body"}


@dataclass
class Batches:
    """What was uploaded and made. `broken` are the numbers of items that fail with a 400; `silent` get no answer."""

    files: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    end_as: str = ""
    answered: int = 10_000
    cancels: int = 0

    def finish(self, status: str = "completed", answered: int = 10_000) -> None:
        """Let every batch end so at its next look, after that many items were answered."""
        self.end_as, self.answered = status, answered


def answer(request: Request, speaker: Any) -> Whole | Stream:
    """Answer one request."""
    if bearer(request) != KEY:
        raise openai_chat.refusal(401, "Incorrect API key provided.", code="invalid_api_key")
    state: Batches = speaker.batches
    if request.path == "/v1/files":
        _wanted(request, "POST")
        return Whole({"id": _uploaded(request, state), "object": "file", "purpose": "batch"})
    if file := re.fullmatch(r"/v1/files/([^/]+)/content", request.path):
        _wanted(request, "GET")
        return Stream([_known(state.files, file[1])], "application/octet-stream")
    if request.path == "/v1/batches":
        _wanted(request, "POST")
        return Whole(_made(request.body, state))
    name, _, verb = request.path.removeprefix("/v1/batches/").partition("/")
    batch = _known(state.made, name)
    if verb == "cancel":
        _wanted(request, "POST")
        if batch["status"] != "in_progress":
            raise openai_chat.refusal(409, f"Cannot cancel a batch with status '{batch['status']}'.")
        state.cancels += 1
        state.finish("cancelled", answered=1)
        return Whole({**batch, "status": "cancelling"})
    _wanted(request, "GET")
    if state.end_as and batch["status"] == "in_progress":
        _end(batch, state, speaker)
    return Whole(batch)


def _wanted(request: Request, method: str) -> None:
    if request.method != method:
        raise openai_chat.refusal(405, f"Not allowed to {request.method} on {request.path}")


def _known(there: dict[str, Any], name: str) -> Any:
    if name not in there:
        raise openai_chat.refusal(404, f"No such object: {name}")
    return there[name]


def _uploaded(request: Request, state: Batches) -> str:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + request.raw)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}  # type: ignore[attr-defined] # typeshed knows only the older Message
    if set(parts) != {"purpose", "file"} or parts["purpose"].get_content().strip() != "batch":
        raise openai_chat.refusal(400, "'purpose' and 'file' are required.")
    name = f"file-{len(state.files)}"
    state.files[name] = parts["file"].get_payload(decode=True)
    return name


def _made(body: Any, state: Batches) -> dict[str, Any]:
    if set(body) - FIELDS or body.get("completion_window") != "24h" or body["endpoint"] != "/v1/chat/completions":
        raise openai_chat.refusal(400, "Invalid batch.")
    lines = [json.loads(line) for line in _known(state.files, body["input_file_id"]).splitlines()]
    names = [line["custom_id"] for line in lines]
    models = {line["body"]["model"] for line in lines}
    if any(set(line) != LINE or line["method"] != "POST" for line in lines) or len(set(names)) < len(names):
        raise openai_chat.refusal(400, "The file is malformed, or a custom_id stands twice.")
    if len(models) != 1:
        raise openai_chat.refusal(400, "All requests of a batch must ask one model.")
    name = f"batch_{len(state.made)}"
    state.made[name] = {"id": name, "object": "batch", "status": "in_progress", **body}
    return state.made[name]


def _end(batch: dict[str, Any], state: Batches, speaker: Any) -> None:
    good, bad = [], []
    for at, line in enumerate(state.files[batch["input_file_id"]].splitlines()):
        asked = json.loads(line)
        told: dict[str, Any] = {"id": f"r{at}", "custom_id": asked["custom_id"], "response": None, "error": None}
        if at in state.silent:
            continue
        if at >= state.answered:
            bad.append({**told, "error": {"code": "batch_expired", "message": "This request could not be executed."}})
            continue
        try:
            if at in state.broken:
                raise openai_chat.refusal(400, "This one is not wanted.")
            openai_chat.check(asked["body"])
            whole = openai_chat.completion(asked["body"], speaker.say(asked["body"]), speaker)
            good.append({**told, "response": {"status_code": 200, "request_id": "x", "body": whole}})
        except Refusal as refusal:
            bad.append({**told, "response": {"status_code": refusal.status, "request_id": "x", "body": refusal.body}})
    batch["status"] = state.end_as
    for kind, lines in (("output", good), ("error", bad)):
        if lines:
            name = f"file-{kind}-{batch['id']}"
            state.files[name] = b"\n".join(json.dumps(line).encode() for line in reversed(lines))
            batch[f"{kind}_file_id"] = name
