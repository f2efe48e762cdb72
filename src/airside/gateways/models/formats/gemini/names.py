"""Names of fields: Google's APIs take each in camel case and with underscores; inside we know only camel case."""

from collections.abc import Mapping
from typing import Any

from airside.core.errors import AirsideError, Code

_FREE = frozenset(
    {
        "args",
        "default",
        "enum",
        "example",
        "labels",
        "parametersJsonSchema",
        "partMetadata",
        "response",
        "responseJsonSchema",
    }
)
"""Fields whose content is the client's own: its names are left alone."""


def camel(name: str) -> str:
    """Return a field's name in camel case."""
    if "_" not in name:
        return name
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def camelled(value: Any) -> Any:
    """Return a message with all its fields in camel case; raises `invalid_request` for one that is given twice."""
    if isinstance(value, list):
        return [camelled(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    known: dict[str, Any] = {}
    for name, item in value.items():
        spelled = camel(name)
        if spelled in known:
            raise AirsideError(Code.INVALID_REQUEST, f"{spelled} is given twice, in two spellings")
        if spelled == "properties" and isinstance(item, Mapping):
            known[spelled] = {inner: camelled(schema) for inner, schema in item.items()}
        else:
            known[spelled] = item if spelled in _FREE else camelled(item)
    return known
