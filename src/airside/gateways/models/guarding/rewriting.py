"""A request with some of its values replaced; everything else keeps its bytes."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from airside.core import canonical
from airside.gateways.models.formats.gemini.names import camel
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.guarding.items.item import Path

_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_listed = msgspec.json.Decoder(list[Raw]).decode


def with_values(request: ModelRequest, values: Mapping[Path, Any]) -> ModelRequest:
    """Return the request with other values at some paths; `parts` stay those of the client's request.

    The empty path takes fields of the request's own, of which None leaves.
    """
    value, spelled = dict(request.value), _fields(request.body)
    names = {camel(name): name for name in spelled} if request.format.name == "gemini" else {}
    lists: dict[str, list[Raw]] = {}
    for path, new in values.items():
        if len(path) == 2:
            name, index = str(path[0]), int(path[1])
            if name not in lists:
                lists[name] = _listed(spelled[names.get(name, name)])
                value[name] = list(value[name])
            lists[name][index] = _raw(new)
            value[name][index] = new
            continue
        for name, item in (new if path == () else {str(path[0]): new}).items():
            at = names.get(name, name)
            if item is None:
                value.pop(name, None)
                spelled.pop(at, None)
            else:
                value[name] = item
                spelled[at] = _raw(item)
    for name, items in lists.items():
        spelled[names.get(name, name)] = Raw(msgspec.json.encode(items))
    return replace(request, body=msgspec.json.encode(spelled), value=value)


def _raw(value: Any) -> Raw:
    try:
        return Raw(msgspec.json.encode(value))
    except OverflowError:  # an integer of more than 64 bits
        return Raw(canonical.encode(value))
