"""What Anthropic's Messages refuse, in its words."""

import re
from typing import Any

from tests.fake_providers.dialect import Refusal, names
from tests.fake_providers.script import sealed

FIELDS = names(
    "model messages max_tokens cache_control container diagnostics inference_geo metadata output_config output_format"
    " service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p"
    " context_management mcp_servers"
)
COUNTING = {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
BLOCK_FIELDS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control", "transformations"},
    "document": {"type", "source", "cache_control", "title", "context", "citations"},
    "search_result": {"type", "source", "title", "content", "citations", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
ASSISTANT_ONLY = {"thinking", "redacted_thinking", "tool_use"}
USER_ONLY = {"image", "search_result", "tool_result"}
BREAKPOINTS_MAX = 4
BUDGET_MIN = 1_024
MESSAGES_MAX = 100_000


def refusal(status: int, kind: str, message: str) -> Refusal:
    """Return a refusal in Anthropic's shape."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_0"}
    return Refusal(status, body, request_id="req_0")


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that is wrong."""
    return refusal(400, "invalid_request_error", message)


def check(body: Any, *, counting: bool = False, bedrock: bool = False) -> None:
    """Refuse what Anthropic would refuse. Where the model stands in the path, `bedrock`, the body must not name it."""
    if not isinstance(body, dict):
        raise invalid("The request body is not valid JSON")
    required = {"messages"} | (set() if bedrock else {"model"}) | (set() if counting else {"max_tokens"})
    for name in sorted(required):
        if name not in body:
            raise invalid(f"{name}: Field required")
    known = (FIELDS - {"model", "stream"}) | {"anthropic_version", "anthropic_beta"} if bedrock else FIELDS
    for name in body:
        if name not in (COUNTING if counting else known):
            raise invalid(f"{name}: Extra inputs are not permitted")
    _check_parameters(body)
    _check_tools(body)
    _check_messages(body["messages"], thinking=_budgeted(body))
    _check_breakpoints(body)


def check_newer(body: dict[str, Any]) -> None:
    """Refuse what version 2026-10-21 refuses beside."""
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            raise invalid(f"{name}: Extra inputs are not permitted")
    for index, message in enumerate(body["messages"]):
        for block in _blocks(message):
            if message["role"] == "assistant" and block["type"] == "document":
                raise invalid(f"messages.{index}: `document` blocks can only be in user messages")
            if message["role"] == "user" and block["type"] == "text" and block.get("citations"):
                raise invalid(f"messages.{index}: `citations` of text are not permitted in user messages")


def _budgeted(body: dict[str, Any]) -> bool:
    return bool((body.get("thinking") or {}).get("type") == "enabled")


def _check_parameters(body: dict[str, Any]) -> None:
    tokens = body.get("max_tokens", 1)
    if type(tokens) is not int:
        raise invalid("max_tokens: Input should be a valid integer")
    if tokens < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise invalid("temperature: range: 0..1")
    if any(not stop.strip() for stop in body.get("stop_sequences") or ()):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    if not isinstance(body.get("system", ""), str | list):
        raise invalid("system: Input should be a valid list")
    for index, block in enumerate(body["system"] if isinstance(body.get("system"), list) else ()):
        if block.get("type") != "text" or not block.get("text"):
            raise invalid(f"system.{index}: text content blocks must be non-empty")
    if set(body.get("metadata") or ()) - {"user_id"}:
        raise invalid("metadata: Extra inputs are not permitted")
    _check_thinking(body)


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type", "disabled") not in {"enabled", "disabled", "adaptive", "between_tools"}:
        raise invalid(f"thinking: Input tag '{thinking.get('type')}' found using 'type' does not match any of the tags")
    if not _budgeted(body):
        return
    budget = thinking.get("budget_tokens")
    if type(budget) is not int or budget < BUDGET_MIN:
        raise invalid(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {BUDGET_MIN}")
    if "max_tokens" in body and budget >= body["max_tokens"]:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
    if body.get("temperature", 1) != 1:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled")
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_tools(body: dict[str, Any]) -> None:
    names: set[str] = set()
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type", "custom") not in {"custom", None}:
            continue
        if not NAME.fullmatch(str(tool.get("name", ""))):
            raise invalid(f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if tool["name"] in names:
            raise invalid("tools: Tool names must be unique.")
        names.add(tool["name"])
        if (tool.get("input_schema") or {}).get("type") != "object":
            raise invalid(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
        unknown = set(tool) - {"type", "name", "description", "input_schema", "cache_control", "strict"}
        unknown -= {"allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"}
        if unknown:
            raise invalid(f"tools.{index}.custom.{min(unknown)}: Extra inputs are not permitted")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in {"auto", "any", "tool", "none"}:
        raise invalid(
            f"tool_choice: Input tag '{choice.get('type')}' found using 'type' does not match any of the tags"
        )
    if not body.get("tools"):
        raise invalid("tool_choice: tool_choice may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise invalid(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _check_messages(messages: Any, *, thinking: bool) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    if len(messages) > MESSAGES_MAX:
        raise invalid(f"messages: at most {MESSAGES_MAX} messages")
    for index, message in enumerate(messages):
        if message.get("role") not in {"user", "assistant", "system"}:
            raise invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        for name in set(message) - {"role", "content"}:
            raise invalid(f"messages.{index}.{name}: Extra inputs are not permitted")
        if not isinstance(message.get("content"), str | list):
            raise invalid(f"messages.{index}.content: Field required")
        if not message["content"] and not (index == len(messages) - 1 and message["role"] == "assistant"):
            raise invalid(
                f"messages.{index}: all messages must have non-empty content except for the optional final one"
            )
        for at, block in enumerate(_blocks(message)):
            _check_block(block, message["role"], f"messages.{index}.content.{at}")
    if messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')
    last = _blocks(messages[-1])
    if messages[-1]["role"] == "assistant" and last and str(last[-1].get("text", "")).endswith((" ", "\n")):
        raise invalid("messages: final assistant content cannot end with trailing whitespace")
    _check_pairs(_turns(messages), thinking=thinking)


def _turns(messages: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the turns: consecutive messages of one role are one."""
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in messages:
        if turns and turns[-1][0] == message["role"]:
            turns[-1] = (message["role"], turns[-1][1] + _blocks(message))
        else:
            turns.append((message["role"], _blocks(message)))
    return turns


def _check_block(block: dict[str, Any], role: str, where: str) -> None:
    kind = block.get("type")
    if kind not in BLOCK_FIELDS:
        raise invalid(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    for name in set(block) - BLOCK_FIELDS[kind]:
        raise invalid(f"{where}.{kind}.{name}: Extra inputs are not permitted")
    if kind in (USER_ONLY if role != "user" else ASSISTANT_ONLY):
        raise invalid(f"{where}: `{kind}` blocks can only be in {'user' if role != 'user' else 'assistant'} messages")
    if kind == "text" and not block.get("text"):
        raise invalid("messages: text content blocks must be non-empty")
    if kind == "thinking" and not sealed(block.get("signature"), block.get("thinking")):
        raise invalid(f"{where}: Invalid `signature` in `thinking` block")
    if kind == "redacted_thinking" and not sealed(block.get("data")):
        raise invalid(f"{where}: Invalid `data` in `redacted_thinking` block")
    if kind == "tool_use":
        if not CALL_ID.fullmatch(str(block.get("id", ""))):
            raise invalid(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        if not isinstance(block.get("input"), dict):
            raise invalid(f"{where}.tool_use.input: Input should be a valid dictionary")
    if kind == "tool_result" and "tool_use_id" not in block:
        raise invalid(f"{where}.tool_result.tool_use_id: Field required")


def _check_pairs(turns: list[tuple[str, list[dict[str, Any]]]], *, thinking: bool) -> None:
    """Every tool use answered at the start of the next turn, and nothing else answered."""
    asked: list[str] = []
    for index, (role, blocks) in enumerate(turns):
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        for tool_use_id in results:
            if tool_use_id not in asked:
                message = f"unexpected `tool_use_id` found in `tool_result` blocks: {tool_use_id}. Each `tool_result`"
                raise invalid(f"messages.{index}: {message} block must have a corresponding `tool_use` block before.")
        if len(set(results)) < len(results):
            raise invalid(f"messages.{index}: each tool_use must have a single result. Found multiple `tool_result`s")
        if missing := [tool_use_id for tool_use_id in asked if tool_use_id not in results]:
            message = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}."
            raise invalid(f"messages.{index - 1}: {message}")
        if results and any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            raise invalid(f"messages.{index}: tool_result blocks must come first")
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(asked)) < len(asked):
            raise invalid(f"messages.{index}: `tool_use` ids must be unique")
        in_use = thinking and role == "assistant" and asked and index == len(turns) - 2
        if in_use and blocks[0]["type"] not in {"thinking", "redacted_thinking"}:
            message = f"Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`. When `thinking` is"
            raise invalid(
                f"messages.{index}.content.0.type: {message} enabled, a final `assistant` message must start so"
            )
    if asked:
        raise invalid(f"messages.{len(turns) - 1}: `tool_use` ids were found without `tool_result` blocks: {asked}")


def _check_breakpoints(body: dict[str, Any]) -> None:
    places = [*(body["system"] if isinstance(body.get("system"), list) else ()), *(body.get("tools") or ())]
    for message in body["messages"]:
        places += _blocks(message)
    count = sum(1 for place in places if place.get("cache_control"))
    if count > BREAKPOINTS_MAX:
        raise invalid(f"A maximum of {BREAKPOINTS_MAX} blocks with cache_control may be provided. Found {count}.")
