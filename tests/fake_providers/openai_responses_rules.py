"""What OpenAI's Responses refuses, in its words."""

import json
from typing import Any

from tests.fake_providers.dialect import names, strict_schema_problem
from tests.fake_providers.openai_chat import NAME, REASONING_MODELS, refusal
from tests.fake_providers.script import sealed

FIELDS = names(
    "access_programs background background_options context_management conversation image include input instructions"
    " max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt"
    " prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store"
    " stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user"
)
INCLUDABLE = {
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
}
ITEM_FIELDS = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status", "namespace", "caller", "async"},
    "function_call_output": {"type", "id", "call_id", "output", "status", "name", "namespace", "caller"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "custom_tool_call": {"type", "id", "call_id", "name", "input"},
    "custom_tool_call_output": {"type", "id", "call_id", "output"},
}
INPUT_PARTS = {"input_text", "input_image", "input_file", "input_audio"}
OUTPUT_PARTS = {"output_text", "refusal"}
OUTPUT_TOKENS_MIN = 16


def check(body: Any) -> None:
    """Refuse what OpenAI would refuse."""
    if not isinstance(body, dict):
        raise refusal(400, "We could not parse the JSON body of your request.")
    for name in body:
        if name not in FIELDS:
            raise refusal(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    for name in ("model", "input"):
        if not body.get(name):
            message = f"Missing required parameter: '{name}'."
            raise refusal(400, message, param=name, code="missing_required_parameter")
    _check_stateless(body)
    _check_parameters(body)
    _check_tools(body)
    if isinstance(body["input"], list):
        _check_items(body["input"])


def _check_stateless(body: dict[str, Any]) -> None:
    for name in ("previous_response_id", "conversation"):
        if body.get(name) is not None:
            message = f"'{name}' cannot be used for this organization due to Zero Data Retention."
            raise refusal(400, message, param=name, code="unsupported_parameter")
    if body.get("store") is not False:
        raise refusal(400, "'store' must be false for this organization.", param="store", code="unsupported_value")
    if body.get("background"):
        raise refusal(400, "Background mode requires 'store' to be true.", param="background")


def _check_parameters(body: dict[str, Any]) -> None:
    tokens = body.get("max_output_tokens")
    if tokens is not None and (type(tokens) is not int or tokens < OUTPUT_TOKENS_MIN):
        message = (
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {OUTPUT_TOKENS_MIN}, "
            f"but got {tokens} instead."
        )
        raise refusal(400, message, param="max_output_tokens", code="integer_below_min_value")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    for name in set(body.get("stream_options") or ()) - {"include_obfuscation"}:
        parameter = f"stream_options.{name}"
        raise refusal(400, f"Unknown parameter: '{parameter}'.", param=parameter, code="unknown_parameter")
    for index, name in enumerate(body.get("include") or ()):
        if name not in INCLUDABLE:
            raise refusal(400, f"Invalid value: '{name}'.", param=f"include[{index}]", code="invalid_value")
    if "reasoning.encrypted_content" in (body.get("include") or ()) and not body["model"].startswith(REASONING_MODELS):
        raise refusal(400, "Encrypted content is not supported with this model.", param="include")
    shape = (body.get("text") or {}).get("format") or {}
    if shape.get("type") == "json_schema":
        if not NAME.fullmatch(str(shape.get("name", ""))):
            raise refusal(400, "Missing required parameter: 'text.format.name'.", param="text.format.name")
        problem = strict_schema_problem(shape.get("schema")) if shape.get("strict") else ""
        if problem:
            raise refusal(400, f"Invalid schema for response_format '{shape['name']}': {problem}")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools") or []
    for index, tool in enumerate(tools):
        if tool.get("type") != "function":
            continue
        if not NAME.fullmatch(str(tool.get("name", ""))):
            parameter = f"tools[{index}].name"
            message = f"Missing required parameter: '{parameter}'."
            raise refusal(400, message, param=parameter, code="missing_required_parameter")
        for name in set(tool) - {
            "type",
            "name",
            "description",
            "parameters",
            "strict",
            "defer_loading",
            "allowed_callers",
        }:
            parameter = f"tools[{index}].{name}"
            raise refusal(400, f"Unknown parameter: '{parameter}'.", param=parameter, code="unknown_parameter")
        problem = strict_schema_problem(tool.get("parameters")) if tool.get("strict") else ""
        if problem:
            raise refusal(400, f"Invalid schema for function '{tool['name']}': {problem}")
    choice = body.get("tool_choice")
    name = choice.get("name") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if name is not None and name not in {tool.get("name") for tool in tools}:
        raise refusal(400, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


def _check_items(items: list[Any]) -> None:
    """Every item whole and known, calls and their outputs in pairs, and nothing that would have to be looked up."""
    called: set[str] = set()
    done: set[str] = set()
    for index, item in enumerate(items):
        kind = item.get("type", "message") if isinstance(item, dict) else None
        where = f"input[{index}]"
        if kind == "item_reference":
            raise _not_found(item.get("id"))
        if kind not in ITEM_FIELDS:
            raise refusal(400, f"Invalid value: '{kind}'.", param=f"{where}.type", code="invalid_value")
        for name in set(item) - ITEM_FIELDS[kind]:
            parameter = f"{where}.{name}"
            raise refusal(400, f"Unknown parameter: '{parameter}'.", param=parameter, code="unknown_parameter")
        if kind == "message":
            _check_message(item, where)
        elif kind == "reasoning":
            _check_reasoning(item, items[index + 1 :])
        elif kind == "function_call":
            _check_id(item, where, "fc")
            json.loads(item["arguments"])
            called.add(item["call_id"])
        elif kind == "function_call_output":
            if item.get("call_id") not in called:
                raise refusal(400, f"No tool call found for function call output with call_id {item.get('call_id')}.")
            if not isinstance(item.get("output"), str | list):
                raise refusal(400, f"Missing required parameter: '{where}.output'.", param=f"{where}.output")
            done.add(item["call_id"])
    for call_id in sorted(called - done):
        raise refusal(400, f"No tool output found for function call {call_id}.", param="input")


def _check_message(item: dict[str, Any], where: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in {"user", "assistant", "system", "developer"}:
        raise refusal(400, f"Invalid value: '{role}'.", param=f"{where}.role", code="invalid_value")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise refusal(400, f"Missing required parameter: '{where}.content'.", param=f"{where}.content")
    allowed = OUTPUT_PARTS if role == "assistant" else INPUT_PARTS
    for at, part in enumerate(content):
        if part.get("type") not in allowed:
            supported = " and ".join(f"'{name}'" for name in sorted(allowed))
            message = f"Invalid value: '{part.get('type')}'. Supported values are: {supported}."
            raise refusal(400, message, param=f"{where}.content[{at}]", code="invalid_value")
    if role == "assistant":
        _check_id(item, where, "msg")


def _check_id(item: dict[str, Any], where: str, prefix: str) -> None:
    if item.get("id") is not None and not str(item["id"]).startswith(prefix):
        message = f"Invalid '{where}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        raise refusal(400, message, param=f"{where}.id", code="invalid_value")


def _check_reasoning(item: dict[str, Any], following: list[Any]) -> None:
    if not isinstance(item.get("summary"), list):
        raise refusal(400, "Missing required parameter: 'summary' of a reasoning item.")
    if not item.get("encrypted_content"):
        raise _not_found(item.get("id"))
    if not sealed(item["encrypted_content"]):
        message = f"The encrypted content for item {item.get('id')} could not be verified."
        raise refusal(400, message, code="invalid_encrypted_content")
    after = following[0] if following else {}
    if after.get("type", "message") not in {"message", "function_call", "reasoning", "custom_tool_call"} or (
        after.get("type", "message") == "message" and after.get("role") != "assistant"
    ):
        message = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
        raise refusal(400, message, param="input")


def _not_found(item_id: Any) -> Exception:
    message = (
        f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input."
    )
    return refusal(404, message, param="input")
