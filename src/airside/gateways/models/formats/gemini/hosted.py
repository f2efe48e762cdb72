"""What of a Gemini request would run, or be kept, at the provider, past the gateways, or cannot be metered: refused."""

from collections.abc import Mapping
from typing import Any

from airside.core.errors import AirsideError, Code

_CLIENT_TOOLS = frozenset({"functionDeclarations", "computerUse"})
_KEPT = {
    "cachedContent": "names a cache at the provider, whose account all tenants share",
    "continuationToken": "continues what is kept at the provider",
    "store": "would keep the conversation at the provider",
}
_OTHER_MODELS = ("routingConfig", "modelSelectionConfig", "modelConfig")
_UNMETERED = ("speechConfig", "imageConfig", "audioTranscriptionConfig")
_VIDEOS = ("youtube.com/", "youtu.be/")
_TIERS = frozenset({"standard", "flex", "unspecified"})
_ADVICE = "Provider-hosted tools are denied; offer the tool through the tool gateway."


def check(value: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise `policy_denied` for what would run at the provider, `invalid_request` for what cannot be metered."""
    for name, why in _KEPT.items():
        if value.get(name) or config.get(name):
            raise AirsideError(Code.POLICY_DENIED, f"{name} {why}", advice="Send the content itself.")
    for name in _OTHER_MODELS:
        if value.get(name) or config.get(name):
            raise AirsideError(Code.POLICY_DENIED, f"{name} lets the provider choose another model, at another price")
    for tool in value.get("tools") or ():
        for name, item in tool.items():
            if name not in _CLIENT_TOOLS and item is not None:
                raise AirsideError(
                    Code.POLICY_DENIED,
                    f"the tool {name[:64]} would run at the provider, past the tool gateway",
                    advice=_ADVICE,
                )
    _check_metered(value, config)


def check_part(part: Mapping[str, Any], where: str) -> None:
    """Refuse content that is kept at the provider, or that cannot be metered."""
    for name in ("inlineData", "fileData"):
        blob = part.get(name)
        if blob is None:
            continue
        if not isinstance(blob, dict):
            raise AirsideError(Code.INVALID_REQUEST, f"{where}.{name} must be an object")
        kind, address = str(blob.get("mimeType") or "").lower(), str(blob.get("fileUri") or "").lower()
        if any(host in address for host in _VIDEOS):
            kind = "video/*"  # whatever the client calls it
        if kind.startswith(("audio/", "video/")):
            raise AirsideError(Code.INVALID_REQUEST, f"{where} holds {kind[:64]}, which cannot be metered here yet")
        if name == "fileData" and ("googleapis.com/" in address or not address.startswith(("https://", "http://"))):
            raise AirsideError(
                Code.POLICY_DENIED,
                f"{where} names a file that is kept at the provider, whose account all tenants share",
                advice="Send the content itself, as inlineData.",
            )


def _check_metered(value: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    if config.get("candidateCount") not in (None, 1):
        raise AirsideError(Code.INVALID_REQUEST, "candidateCount must be 1: each request is answered with one")
    modalities = config.get("responseModalities")
    if modalities and [str(item).upper() for item in modalities] != ["TEXT"]:
        raise AirsideError(Code.INVALID_REQUEST, "responseModalities must be TEXT: others cannot be metered here yet")
    for name in _UNMETERED:
        if config.get(name) is not None:
            raise AirsideError(Code.INVALID_REQUEST, f"{name} makes answers that cannot be metered here yet")
    tier = value.get("serviceTier")
    if tier is not None and str(tier).lower().removeprefix("service_tier_") not in _TIERS:
        raise AirsideError(Code.INVALID_REQUEST, "serviceTier must be standard or flex: others cost extra")
