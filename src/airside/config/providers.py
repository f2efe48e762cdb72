"""Providers that exist without being configured: `scripted` always, `openai` as soon as a key for it is present."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from airside.config.settings import ProviderSettings, Settings
from airside.core.errors import AirsideError, Code

OPENAI_URL = "https://api.openai.com/v1"


def with_built_in(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the built-in providers added; one that is configured under the same name wins.

    `openai` takes OPENAI_API_KEY_FILE, else OPENAI_API_KEY, and OPENAI_BASE_URL from airside's own environment: agents
    never see them. Raises AirsideError `misconfigured` if `model_provider` names a provider that does not exist.
    """
    built_in = {"scripted": ProviderSettings(kind="scripted")}
    key, key_file = environ.get("OPENAI_API_KEY", ""), environ.get("OPENAI_API_KEY_FILE", "")
    if key or key_file:
        built_in["openai"] = ProviderSettings(
            kind="openai_compatible",
            base_url=environ.get("OPENAI_BASE_URL") or OPENAI_URL,
            api_key_file=Path(key_file).absolute() if key_file else None,
            api_key=SecretStr(key) if key and not key_file else None,
        )
    providers = built_in | settings.providers
    if settings.model_provider not in providers:
        known = ", ".join(sorted(providers))
        raise AirsideError(
            Code.MISCONFIGURED,
            f"model_provider: there is no provider `{settings.model_provider}`; known: {known}",
            advice="Configure it under `providers:`, or set OPENAI_API_KEY or OPENAI_API_KEY_FILE for `openai`.",
        )
    return settings.model_copy(update={"providers": providers})
