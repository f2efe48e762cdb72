"""What Gemini refuses, in its words. Fields may be in camel case or with underscores, as in proto JSON."""

import base64
import re
from collections.abc import Iterable
from typing import Any

from tests.fake_providers.dialect import Refusal, names
from tests.fake_providers.script import sealed

REQUEST = names(
    "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent labels model store"
    " serviceTier"
)
GENERATION = names(
    "stopSequences responseMimeType responseSchema responseJsonSchema responseModalities candidateCount maxOutputTokens"
    " temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs logprobs speechConfig thinkingConfig"
    " imageConfig mediaResolution enableEnhancedCivicAnswers responseFormat audioTimestamp"
)
PART = names(
    "text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode codeExecutionResult"
    " videoMetadata partMetadata mediaResolution toolCall toolResponse"
)
DECLARATION = names("name description parameters parametersJsonSchema response responseJsonSchema behavior")
SCHEMA = names(
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties"
    " minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum"
)
TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "TYPE_UNSPECIFIED"}
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
STOPS_MAX = 5
UNCHECKED_SIGNATURES = {  # Google's own words for calls that another model made, plain and as bytes
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
    base64.b64encode(b"skip_thought_signature_validator").decode(),
    base64.b64encode(b"context_engineering_is_the_way_to_go").decode(),
}


def refusal(status: int, kind: str, message: str) -> Refusal:
    """Return a refusal in Google's shape."""
    return Refusal(status, {"error": {"code": status, "message": message, "status": kind}})


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that is wrong."""
    return refusal(400, "INVALID_ARGUMENT", message)


def check(body: Any, model: str) -> None:
    """Refuse what Gemini would refuse."""
    if not isinstance(body, dict):
        raise invalid("Invalid JSON payload received. Unexpected token.")
    request = _known(body, REQUEST, "")
    if not request.get("contents"):
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    config = _known(request.get("generationConfig") or {}, GENERATION, "generation_config")
    _check_config(config)
    names = _check_tools(request.get("tools") or [])
    _check_choice(request.get("toolConfig") or {}, names)
    _check_contents(request["contents"], model)
    system = request.get("systemInstruction")
    if system is not None:
        for part in _known(system, {"parts", "role"}, "system_instruction").get("parts") or ():
            _known(part, PART, "system_instruction.parts")


def camel(name: str) -> str:
    """Return a field's name in camel case."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _known(value: Any, fields: Iterable[str], where: str) -> dict[str, Any]:
    """Return a message with its fields in camel case; refuses fields that it does not have."""
    if not isinstance(value, dict):
        raise invalid(f"Invalid value at '{where}': expected an object")
    known = {}
    for name, inner in value.items():
        if camel(name) not in fields:
            place = f" at '{where}'" if where else ""
            raise invalid(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')
        known[camel(name)] = inner
    return known


def _check_config(config: dict[str, Any]) -> None:
    tokens = config.get("maxOutputTokens")
    if tokens is not None and (type(tokens) is not int or tokens < 1):
        raise invalid("* GenerateContentRequest.generation_config.max_output_tokens: must be positive.")
    if len(config.get("stopSequences") or ()) > STOPS_MAX:
        raise invalid(f"* GenerateContentRequest.generation_config.stop_sequences: at most {STOPS_MAX}.")
    mime = config.get("responseMimeType")
    shaped = config.get("responseSchema") or config.get("responseJsonSchema")
    if shaped and mime not in {"application/json", "text/x.enum"}:
        raise invalid("Response schema is only supported with the response mime type `application/json`.")
    if config.get("responseSchema"):
        _check_schema(config["responseSchema"], "generation_config.response_schema")
    thinking = _known(
        config.get("thinkingConfig") or {}, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "thinking_config"
    )
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        raise invalid("You can only set only one of thinking budget and thinking level.")


def _check_schema(schema: Any, where: str) -> None:
    """Check a schema in Google's own subset of OpenAPI (JSON Schema goes into the fields named for it)."""
    known = _known(schema, SCHEMA, where)
    if "type" in known and str(known["type"]).upper() not in TYPES:
        raise invalid(f"Invalid value at '{where}.type' (type.googleapis.com/google.ai.generativelanguage.v1beta.Type)")
    for name, inner in (known.get("properties") or {}).items():
        _check_schema(inner, f"{where}.properties[{name}]")
    if "items" in known:
        _check_schema(known["items"], f"{where}.items")
    for inner in known.get("anyOf") or ():
        _check_schema(inner, f"{where}.any_of")


def _check_tools(tools: list[Any]) -> set[str]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        declared = tool.get("functionDeclarations") or tool.get("function_declarations") or []
        for at, declaration in enumerate(declared):
            where = f"tools[{index}].function_declarations[{at}]"
            known = _known(declaration, DECLARATION, where)
            if not NAME.fullmatch(str(known.get("name", ""))):
                raise invalid(f"* GenerateContentRequest.{where}.name: Invalid function name.")
            if "parameters" in known and "parametersJsonSchema" in known:
                raise invalid(f"{where}: parameters and parameters_json_schema are mutually exclusive.")
            if known["name"] in names:
                raise invalid(f"Duplicate function declaration found: {known['name']}")
            if known.get("parameters") is not None:
                _check_schema(known["parameters"], f"{where}.parameters")
            names.add(known["name"])
    return names


def _check_choice(config: dict[str, Any], names: set[str]) -> None:
    calling = config.get("functionCallingConfig") or config.get("function_calling_config") or {}
    known = _known(calling, {"mode", "allowedFunctionNames", "streamFunctionCallArguments"}, "function_calling_config")
    mode = known.get("mode", "AUTO")
    if mode not in {"AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"}:
        raise invalid("Invalid value at 'tool_config.function_calling_config.mode'")
    if known.get("allowedFunctionNames"):
        if mode not in {"ANY", "VALIDATED"}:
            raise invalid("Allowed function names should only be set when the function calling mode is ANY.")
        if unknown := set(known["allowedFunctionNames"]) - names:
            raise invalid(f"Function name {min(unknown)} is not in the tools.")


def _check_contents(contents: list[Any], model: str) -> None:
    """Roles, known parts, and as many responses as calls, right after them; Gemini 3 wants its signatures back."""
    open_calls: list[dict[str, Any]] = []
    turns = [_known(content, {"parts", "role"}, f"contents[{at}]") for at, content in enumerate(contents)]
    last_user_text = max((at for at, turn in enumerate(turns) if _is_question(turn)), default=-1)
    for index, turn in enumerate(turns):
        if turn.get("role", "user") not in {"user", "model", "function"}:
            raise invalid("Please use a valid role: user, model.")
        if not turn.get("parts"):
            message = f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            raise invalid(message)
        parts = [_known(part, PART, f"contents[{index}].parts[{at}]") for at, part in enumerate(turn["parts"])]
        responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
        calls = [part for part in parts if "functionCall" in part]
        if len(responses) != len(open_calls):
            message = "Please ensure that the number of function response parts is equal to the number of function call"
            raise invalid(f"{message} parts of the function call turn.")
        if sorted(one.get("name", "") for one in responses) != sorted(call["name"] for call in open_calls):
            raise invalid("Please ensure that each function response has the name of its function call.")
        ids = {call.get("id") for call in open_calls}
        if any(one.get("id") not in ids for one in responses if one.get("id")):
            raise invalid("Please ensure that each function response has the id of its function call.")
        if any(not isinstance(one.get("response"), dict) for one in responses):
            raise invalid(f"Invalid value at 'contents[{index}].parts.function_response.response'")
        if calls and turn.get("role") != "model":
            raise invalid("Function calls must be in a turn of the role model.")
        if calls and index == 0:
            raise invalid("Please ensure that function call turn comes immediately after a user turn.")
        if calls and model.startswith("gemini-3") and index > last_user_text:
            _check_signature(calls[0], index)
        open_calls = [part["functionCall"] for part in calls]
    if open_calls:
        raise invalid("Please ensure that function call turn is followed by a function response turn.")


def _is_question(turn: dict[str, Any]) -> bool:
    parts = turn.get("parts") or ()
    return turn.get("role", "user") == "user" and any("text" in part or "inlineData" in part for part in parts)


def _check_signature(part: dict[str, Any], index: int) -> None:
    name = part["functionCall"].get("name")
    if not part.get("thoughtSignature"):
        raise invalid(f"Function call `{name}` in the {index}. content block is missing a `thought_signature`.")
    written = part["thoughtSignature"].translate(str.maketrans("-_", "+/"))  # bytes in proto JSON: either alphabet
    if not sealed(written, name) and written not in UNCHECKED_SIGNATURES:
        raise invalid("Thought signature is not valid.")
