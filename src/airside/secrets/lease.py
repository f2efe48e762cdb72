"""What a store gives and what a caller gets: documents of secret values, and leases on one value for a while.

Values stay out of every `repr`, so that neither logs nor tracebacks with locals show them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

import msgspec

from airside.core.errors import AirsideError, Code
from airside.secrets.handle import Handle

VALUE_CHARS_MIN = 8
VALUE_BYTES_MAX = 65_536


@dataclass(frozen=True)
class Document:
    """What a store has under one name: one text, or texts by field.

    `version` tells contents apart and says nothing about them. `lease_s` is how long the values are good for, when the
    store says so; `lease_id` names the lease at the store, for renewal and revocation.
    """

    content: str | Mapping[str, str] = field(repr=False)
    version: str
    lease_s: float = inf
    lease_id: str = ""
    renewable: bool = False
    asked_s: float = 0.0

    def lasting(self, lease_s: float) -> "Document":
        """Return the same values with a renewed lease; `asked_s` stays how long the first one was."""
        return replace(self, lease_s=lease_s, asked_s=self.asked_s or self.lease_s)


@dataclass(frozen=True)
class Lease:
    """One value for a while: until `expires_s` of the monotonic clock it is certainly as good as its store says."""

    handle: Handle
    tenant_id: str
    value: str = field(repr=False)
    version: str
    expires_s: float


def pick(document: Document, handle: Handle) -> str:
    """Return the value that a handle means in a document.

    Without a field: the text itself, or the only field, or the one called `value`. With a field, a text is read as a
    JSON object. Raises AirsideError `secret_unavailable`, which never quotes a value.
    """
    content = document.content
    if handle.field:
        fields = fields_of(content, handle)
        if handle.field not in fields:
            raise unusable(handle, f"has no field {handle.field!r}", "Name one of the fields that the secret has.")
        return usable(fields[handle.field], handle)
    if isinstance(content, str):
        return usable(content, handle)
    if len(content) == 1:
        return usable(next(iter(content.values())), handle)
    if "value" in content:
        return usable(content["value"], handle)
    raise unusable(handle, f"has {len(content)} fields", "Say which one: secret://STORE/NAME#FIELD.")


def usable(value: str, handle: Handle) -> str:
    """Return a value if it can serve as a secret; raises AirsideError `secret_unavailable`."""
    if len(value) < VALUE_CHARS_MIN:
        raise unusable(
            handle,
            f"has {len(value)} characters",
            f"Use at least {VALUE_CHARS_MIN}: anything shorter cannot be told from ordinary text where it leaks.",
        )
    if len(value) > VALUE_BYTES_MAX or len(value.encode(errors="replace")) > VALUE_BYTES_MAX:
        raise unusable(handle, f"has more than {VALUE_BYTES_MAX} bytes", "Keep what is large elsewhere.")
    return value


def unusable(handle: Handle, why: str, advice: str) -> AirsideError:
    """Return the error of a secret that is there and cannot be used as it is."""
    return AirsideError(Code.SECRET_UNAVAILABLE, f"{handle} {why}", advice=advice, details={"not_sent": True})


def text_of(raw: bytes, handle_name: str) -> str:
    """Return bytes as text; raises AirsideError `secret_unavailable` if they are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise AirsideError(
            Code.SECRET_UNAVAILABLE,
            f"{handle_name} is not UTF-8 text",
            advice="Keep binary secrets in base64.",
            details={"not_sent": True},
        ) from None


def fields_of(content: str | Mapping[str, str], handle: Handle) -> Mapping[str, str]:
    """Return the fields of a document; a text is read as a JSON object, or `secret_unavailable` is raised."""
    if not isinstance(content, str):
        return content
    try:
        return texts(msgspec.json.decode(content))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise unusable(handle, "is no JSON object, so it has no fields", "Leave #FIELD out.") from None


def texts(value: object) -> Mapping[str, str]:
    """Return the fields of a JSON object that can be secrets: texts, and numbers as they are written."""
    if not isinstance(value, dict):
        raise ValueError("no object")
    return {
        str(name): str(item)
        for name, item in value.items()
        if isinstance(item, str | int) and not isinstance(item, bool)
    }
