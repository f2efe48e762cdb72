"""Providers that exist without being configured: `scripted`, `local` if it is named, others once there is a key."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from airside.config.settings import ProviderSettings, Settings
from airside.core.errors import AirsideError, Code

OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_DOMAIN = "openai.com"
_KEYED = (
    ("anthropic", ("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL"),
    ("gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "GOOGLE_GEMINI_BASE_URL"),
    ("mistral", ("MISTRAL_API_KEY",), "MISTRAL_BASE_URL"),
)


def with_built_in(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the built-in providers added; one that is configured under the same name wins.

    They take their keys from airside's own environment, each also as NAME_FILE: agents never see them. Raises
    AirsideError `misconfigured` if `model_provider` names a provider that does not exist.
    """
    built_in = {"scripted": ProviderSettings(kind="scripted"), **_openai(environ)}
    used = {settings.model_provider, *[model.provider for model in settings.models.values()]}
    asked = _azure(environ) | _bedrock(environ) | _vertex(environ)  # variables that may be meant for other programs
    asked["local"] = ProviderSettings(kind="local")  # a model in memory, which nobody should have who does not want it
    built_in |= {name: provider for name, provider in asked.items() if name in used}
    for kind, names, address in _KEYED:
        key = next((found for name in names if (found := _key(environ, name))), None)
        if key is not None:
            built_in[kind] = _provider(kind, environ.get(address, ""), key)
    providers = built_in | settings.providers
    if settings.model_provider not in providers:
        known = ", ".join(sorted(providers))
        raise AirsideError(
            Code.MISCONFIGURED,
            f"model_provider: there is no provider `{settings.model_provider}`; known: {known}",
            advice="Configure it under `providers:`, or set OPENAI_API_KEY or OPENAI_API_KEY_FILE for `openai`.",
        )
    return settings.model_copy(update={"providers": providers})


_Key = Mapping[str, SecretStr | Path]


def _key(environ: Mapping[str, str], name: str) -> _Key | None:
    """Return the setting of a key that stands in a variable, or in the file that NAME_FILE names."""
    if file := environ.get(f"{name}_FILE", ""):
        return {"api_key_file": Path(file).absolute()}
    return {"api_key": SecretStr(environ[name])} if environ.get(name) else None


def _provider(kind: str, base_url: str, key: _Key, **more: str) -> ProviderSettings:
    return ProviderSettings.model_validate({"kind": kind, "base_url": base_url, **key, **more})


def _openai(environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    """OpenAI itself speaks Responses as well; of what else OPENAI_BASE_URL may name, only Chat is certain."""
    key = _key(environ, "OPENAI_API_KEY")
    if key is None:
        return {}
    base_url = environ.get("OPENAI_BASE_URL") or OPENAI_URL
    own = (urlsplit(base_url).hostname or "").endswith(_OPENAI_DOMAIN)
    return {"openai": _provider("openai" if own else "openai_compatible", base_url, key)}


def _azure(environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    key, address = _key(environ, "AZURE_OPENAI_API_KEY"), environ.get("AZURE_OPENAI_ENDPOINT", "")
    if key is None or not address:
        return {}
    return {"azure": _provider("azure", address, key, api_version=environ.get("OPENAI_API_VERSION", ""))}


def _bedrock(environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    """A Bedrock key, or an access key, which the provider reads itself; both need a region."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    key = _key(environ, "AWS_BEARER_TOKEN_BEDROCK")
    if not region or (key is None and not environ.get("AWS_ACCESS_KEY_ID")):
        return {}
    return {"bedrock": _provider("bedrock", "", key or {}, region=region)}


def _vertex(environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    file, region = environ.get("GOOGLE_APPLICATION_CREDENTIALS", ""), environ.get("GOOGLE_CLOUD_LOCATION", "")
    if not file or not region:
        return {}
    credentials = {"credentials_file": Path(file).absolute()}
    return {
        "vertex": _provider("vertex", "", credentials, region=region, project=environ.get("GOOGLE_CLOUD_PROJECT", ""))
    }
