"""OpenAI's chat completions: `POST /v1/chat/completions`."""

import json
import re
from typing import Any

from tests.fake_providers.dialect import (
    Refusal,
    Request,
    Speaker,
    Stream,
    Whole,
    bearer,
    names,
    sse,
    strict_schema_problem,
)
from tests.fake_providers.script import KEY, Message, Meter, pieces

ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
FIELDS = names(
    "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens"
    " max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key"
    " prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier"
    " stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity"
    " web_search_options"
)
REASONING_MODELS = ("gpt-5", "o1", "o3", "o4")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SPOKEN = ("role", "content", "tool_calls", "refusal")


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    if bearer(request) != KEY:
        raise refusal(401, f"Incorrect API key provided: {bearer(request)[:8]}.", code="invalid_api_key")
    return complete(request, speaker)


def complete(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request whose key is right."""
    body = request.body
    check(body)
    message = speaker.say(body)
    whole = completion(body, message, speaker)
    if not body.get("stream"):
        return Whole(whole)
    include = bool((body.get("stream_options") or {}).get("include_usage"))
    return Stream([*[sse(event) for event in chunks_of(whole, include_usage=include)], sse("[DONE]")])


def refusal(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Refusal:
    """Return a refusal in OpenAI's shape."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(status, {"error": error})


def check(body: Any) -> None:
    """Refuse what OpenAI would refuse."""
    if not isinstance(body, dict):
        raise refusal(400, "We could not parse the JSON body of your request.")
    if not isinstance(body.get("model"), str):
        raise refusal(400, "you must provide a model parameter")
    for name in body:
        if name not in FIELDS:
            raise refusal(400, f"Unrecognized request argument supplied: {name}")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise refusal(400, "'messages' is a required property")
    _check_parameters(body)
    check_tools(body)
    check_dialogue(body["messages"])


def _check_parameters(body: dict[str, Any]) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body and body[name] is not None and (type(body[name]) is not int or body[name] < 1):
            raise refusal(400, f"Invalid type for '{name}'", param=name)
    if body.get("max_tokens") is not None and body["model"].startswith(REASONING_MODELS):
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        raise refusal(400, message, param="max_tokens", code="unsupported_parameter")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise refusal(400, "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    shape = body.get("response_format") or {}
    if shape.get("type") == "json_schema":
        inner = shape.get("json_schema") or {}
        if not NAME.fullmatch(str(inner.get("name", ""))):
            raise refusal(400, "Missing required parameter: 'response_format.json_schema.name'.")
        problem = strict_schema_problem(inner.get("schema")) if inner.get("strict") else ""
        if problem:
            raise refusal(400, f"Invalid schema for response_format '{inner['name']}': {problem}")


def check_tools(body: dict[str, Any]) -> None:
    """Refuse tools that are none."""
    tools = body.get("tools")
    if tools is not None and (not isinstance(tools, list) or not tools):
        raise refusal(400, "Invalid 'tools': empty array. Expected an array with minimum length 1.", param="tools")
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and not tools:
            raise refusal(400, f"'{name}' is only allowed when 'tools' are specified.", param=name)
    for index, tool in enumerate(tools or ()):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not NAME.fullmatch(str(function.get("name", ""))):
            raise refusal(400, f"Missing required parameter: 'tools[{index}].function.name'.")
        problem = strict_schema_problem(function.get("parameters")) if function.get("strict") else ""
        if problem:
            raise refusal(400, f"Invalid schema for function '{function['name']}': {problem}")


def check_dialogue(messages: list[Any]) -> None:
    """Refuse what is no sequence of messages: roles, and every tool call answered before anything else."""
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            raise refusal(400, f"Invalid value: {role!r} at messages[{index}]")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                complaint = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'"
                raise refusal(400, complaint)
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            complaint = "An assistant message with 'tool_calls' must be followed by tool messages"
            raise refusal(400, f"{complaint}: {open_calls}")
        if role != "assistant" and message.get("content") is None:
            raise refusal(400, f"Invalid value for 'content': expected a string, got null. messages[{index}]")
        for call in message.get("tool_calls") or ():
            json.loads(call["function"]["arguments"])
            open_calls.add(call["id"])
    if open_calls:
        raise refusal(400, f"tool_call_ids did not have response messages: {open_calls}")


def completion(body: dict[str, Any], message: Message, speaker: Speaker) -> dict[str, Any]:
    """Return the whole answer."""
    allowed = body.get("max_completion_tokens") or body.get("max_tokens")
    usage = speaker.usage(usage_of(speaker.meter(body["messages"], message, allowed)))
    natural = "tool_calls" if message.get("tool_calls") else "stop"
    return {
        "id": f"chatcmpl-{speaker.calls}",
        "object": "chat.completion",
        "created": 1_760_000_000 + speaker.calls,
        "model": body["model"] + "-2026",
        "system_fingerprint": "fp_fake",
        "choices": [
            {
                "index": 0,
                "message": {name: message[name] for name in SPOKEN if name in message},
                "logprobs": None,
                "finish_reason": {"refusal": "stop"}.get(message.get("stop", ""), message.get("stop")) or natural,
            }
        ],
        **({"usage": usage} if usage is not None else {}),
    }


def usage_of(meter: Meter) -> dict[str, Any]:
    """Return a meter in OpenAI's shape."""
    return {
        "prompt_tokens": meter.input,
        "completion_tokens": meter.output,
        "total_tokens": meter.input + meter.output,
        "prompt_tokens_details": {"cached_tokens": meter.cached},
        "completion_tokens_details": {"reasoning_tokens": meter.thinking},
    }


def chunks_of(completion: dict[str, Any], *, include_usage: bool) -> list[dict[str, Any]]:
    """Return the events of a stream, cut like OpenAI cuts them: words, and tool arguments in small pieces."""
    head = {key: completion[key] for key in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    message = completion["choices"][0]["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message.get("content") else None}]
    deltas += [{"content": word} for word in pieces(message.get("content") or "", 8)]
    deltas += [{"refusal": word} for word in pieces(message.get("refusal") or "", 8)]
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in pieces(call["function"]["arguments"], 5)
        ]
    finish = completion["choices"][0]["finish_reason"]
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if include_usage:
        events = [{**event, "usage": None} for event in events]
        events.append({**head, "choices": [], "usage": completion.get("usage")})
    return events
