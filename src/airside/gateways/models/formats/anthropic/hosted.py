"""What of a Messages request would run, or be kept, at the provider, past the gateways: it is denied.

Tools that Anthropic defines and the client runs (bash, text editor, memory, computer, browser) are the client's own:
they come back as `tool_use` like any other. Beta features are passed on by name, because each may bring something that
runs at the provider or costs extra.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from airside.core.errors import AirsideError, Code

THREADS_BETA = "message-threads-2026-08-12"
_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_", "browser_toolset_")
_BETAS = (
    "claude-code-",
    "computer-use-",
    "context-1m-",
    "context-management-",
    "dev-full-thinking-",
    "extended-cache-ttl-",
    "fine-grained-tool-streaming-",
    "interleaved-thinking-",
    "model-context-window-exceeded-",
    "output-128k-",
    "output-300k-",
    "pdfs-",
    "prompt-caching-",
    "structured-outputs-",
    "task-budgets-",
    "thinking-display-updates-",
    "thinking-token-count-",
    "token-counting-",
    "token-efficient-tools-",
)
_AT_THE_PROVIDER = {
    "container": "runs code at the provider",
    "mcp_servers": "lets the provider call tools",
    "compaction": "is answered by the provider with a summary that is billed apart",
    "fallbacks": "lets the provider choose another model, at another price",
    "fallback_credit_token": "changes what is billed",
    "billing_policy": "changes who is billed",
    "diagnostics": "compares with requests of other tenants, which share the provider's account",
}
_EDITS = ("clear_tool_uses_", "clear_thinking_")
_ADVICE = "Provider-hosted tools are denied; offer the tool through the tool gateway."


def betas(header: str) -> tuple[str, ...]:
    """Return the beta features of an `anthropic-beta` header that go upstream; raises `policy_denied` for others."""
    names = sorted({name.strip() for name in header.split(",")} - {"", THREADS_BETA})
    for name in names:
        if not name.startswith(_BETAS):
            raise AirsideError(
                Code.POLICY_DENIED,
                f"the beta feature {name[:64]!r} is none of those that are passed on",
                advice="Leave it out of anthropic-beta; docs/models.md lists what is passed on.",
            )
    return tuple(names)


def check(value: Mapping[str, Any]) -> None:
    """Raise `policy_denied` for what would run at the provider, `invalid_request` for what cannot be metered."""
    for name, why in _AT_THE_PROVIDER.items():
        if value.get(name):
            raise AirsideError(Code.POLICY_DENIED, f"{name} {why}", advice=_ADVICE)
    if value.get("speed") not in (None, "standard"):
        raise AirsideError(Code.INVALID_REQUEST, "speed must be standard: fast costs extra")
    if value.get("inference_geo") not in (None, "global"):
        raise AirsideError(Code.INVALID_REQUEST, "inference_geo must be global: others cost extra")
    if value.get("service_tier") not in (None, "auto", "standard_only"):
        raise AirsideError(Code.INVALID_REQUEST, "service_tier must be auto or standard_only")
    _check_context_management(value.get("context_management"))
    for tool in value.get("tools") or ():
        kind = tool.get("type")
        if kind in (None, "custom") or (isinstance(kind, str) and kind.startswith(_CLIENT_TOOLS)):
            continue
        raise AirsideError(
            Code.POLICY_DENIED,
            f"a tool of type {str(kind)[:64]!r} would run at the provider, past the tool gateway",
            advice=_ADVICE,
        )


def check_blocks(blocks: Iterable[Mapping[str, Any]], where: str) -> None:
    """Refuse content that is kept at the provider: its files are shared by all tenants of its account."""
    for block in blocks:
        source = block.get("source")
        if isinstance(source, dict):
            inner = source.get("content")
            if source.get("type") == "file":
                raise _kept(where)
            if isinstance(inner, list):
                check_blocks([item for item in inner if isinstance(item, dict)], where)
        if block.get("type") in {"container_upload", "tool_addition"}:
            raise _kept(where)


def _check_context_management(wanted: Any) -> None:
    if wanted is None:
        return
    edits = wanted.get("edits") if isinstance(wanted, dict) else None
    for edit in edits if isinstance(edits, list) else [wanted]:
        kind = edit.get("type") if isinstance(edit, dict) else None
        if not isinstance(kind, str) or not kind.startswith(_EDITS):
            said = f"the context edit {str(kind)[:64]!r} is billed apart, or unknown"
            raise AirsideError(Code.POLICY_DENIED, said, advice="Use clear_tool_uses or clear_thinking.")


def _kept(where: str) -> AirsideError:
    return AirsideError(
        Code.POLICY_DENIED,
        f"{where} names something that is kept at the provider, whose account all tenants share",
        advice="Send the content itself.",
    )
