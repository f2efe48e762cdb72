"""Azure OpenAI: deployments under `/openai/deployments/NAME/...?api-version=` and the v1 surface `/openai/v1/...`."""

import json
import re

from tests.fake_providers import embeddings, openai_chat, openai_responses
from tests.fake_providers.dialect import Refusal, Request, Speaker, Stream, Whole, bearer, sse
from tests.fake_providers.script import KEY

DEPLOYMENTS = {"prod-gpt", "prod-embedding"}
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request. The deployment says the model; a `model` in the body is passed over, as Azure does."""
    if KEY not in {request.headers.get("api-key"), bearer(request)}:
        message = "Access denied due to invalid subscription key or wrong API endpoint."
        raise Refusal(401, {"error": {"code": "401", "message": message}})
    if match := re.fullmatch(r"/openai/v1/(chat/completions|responses|embeddings)", request.path):
        return _operation(match[1], request, speaker)
    match = re.fullmatch(r"/openai/deployments/([^/]+)/(chat/completions|embeddings)", request.path)
    operation, deployment = (match[2], match[1]) if match else ("", "")
    if request.path == "/openai/responses":
        operation, deployment = "responses", "prod-gpt"
    if not operation or not VERSION.fullmatch(request.query.get("api-version", "")):
        raise Refusal(404, {"error": {"code": "404", "message": "Resource not found"}})
    if deployment not in DEPLOYMENTS:
        message = "The API deployment for this resource does not exist."
        raise Refusal(404, {"error": {"code": "DeploymentNotFound", "message": message}})
    if isinstance(request.body, dict) and operation != "responses":
        request.body = {**request.body, "model": deployment}
    return _operation(operation, request, speaker)


def _operation(operation: str, request: Request, speaker: Speaker) -> Whole | Stream:
    if operation == "embeddings":
        return embeddings.embed(request, speaker)
    if operation == "responses":
        return openai_responses.complete(request, speaker)
    return _filtered(openai_chat.complete(request, speaker))


def _filtered(reply: Whole | Stream) -> Whole | Stream:
    """Put Azure's content filter results into an answer; a stream begins with a chunk of them without a choice."""
    prompt = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    if isinstance(reply, Whole):
        for choice in reply.value["choices"]:
            choice["content_filter_results"] = _SAFE
        reply.value["prompt_filter_results"] = prompt
        return reply
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": prompt}
    frames = [sse(first)]
    for frame in reply.frames[:-1]:
        event = json.loads(frame.removeprefix(b"data: "))
        for choice in event["choices"]:
            choice["content_filter_results"] = _SAFE if choice["delta"].get("content") else {}
        frames.append(sse(event))
    return Stream([*frames, reply.frames[-1]])
