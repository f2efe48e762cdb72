"""Reading and writing the tokens of a response."""

from typing import Any

from airside.core.call import Usage
from airside.gateways.models.formats.counts import openai_usage


def read(reported: Any) -> Usage | None:
    """Return the usage of a response, or None if it is missing, malformed or impossible."""
    return openai_usage(reported, "input_tokens", "output_tokens")


def write(used: Usage) -> dict[str, Any]:
    """Return a usage as a response reports it. How much of the output was thought is not known of other formats."""
    given = used.total - used.output
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": used.cached_read,
            "cache_write_tokens": given - used.input - used.cached_read,
        },
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + used.output,
    }
