"""What an HTTP answer means for a call: its result, or a failure of which it is known whether anything happened."""

from typing import Any, Final

from airside.core import canonical
from airside.core.call import Call
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.gateways.tools.binaries import Binaries
from airside.gateways.tools.faults import Fault, fault_error
from airside.gateways.tools.foreign import plain

EXCERPT_CHARS_MAX: Final = 1_000
_TEXTS: Final = ("text/", "application/xml", "application/yaml", "application/x-ndjson")


def failure(call: Call, source: str, status: int, excerpt: bytes, retry_after_s: float | None) -> AirsideError:
    """Return what a status beyond 2xx means.

    What the API refuses (4xx) did not happen; what it was too busy for (429) neither. A 5xx may come from anything on
    the way after the effect, so a call that changes something and cannot be repeated is of unknown outcome.
    """
    if status == 401:
        return CredentialRefused(f"{source} does not accept its credential")
    if status == 429:
        return TransientError(
            Code.RATE_LIMITED,
            f"{source} has too much to do",
            details={"not_sent": True},
            retry_after_s=retry_after_s,
        )
    if status >= 500:
        return fault_error(call, Fault.HOST_DIED, died=f"{source} answered with status {status}")
    said = plain(excerpt.decode(errors="replace"), EXCERPT_CHARS_MAX)
    moved = " (redirects are not followed)" if 300 <= status < 400 else ""
    return AirsideError(Code.TOOL_FAILED, f"status {status}{moved}{': ' if said else ''}{said}")


def result(kind: str, body: bytes, binaries: Binaries) -> Any:
    """Return an answer's body as a JSON value: JSON as it is, text as text, nothing as null, anything else by name.

    Raises AirsideError `tool_failed` for what calls itself JSON and is none.
    """
    kind = kind.partition(";")[0].strip().lower()
    if not body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return canonical.parse(body, bytes_max=len(body))
        except AirsideError as error:
            raise AirsideError(Code.TOOL_FAILED, f"the API's answer is not JSON: {error.message}") from None
    if kind.startswith(_TEXTS):
        return body.decode(errors="replace")
    return {"mime_type": kind, "content_id": binaries.keep(body), "bytes": len(body)}
