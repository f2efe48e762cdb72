"""Reading the tokens of a Chat Completions answer."""

from typing import Any

from airside.core.call import Usage
from airside.gateways.models.formats.counts import openai_usage


def read(reported: Any) -> Usage | None:
    """Return the usage of an answer, or None if it is missing, malformed or impossible."""
    return openai_usage(reported, "prompt_tokens", "completion_tokens")
