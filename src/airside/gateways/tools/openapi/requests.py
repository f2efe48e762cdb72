"""The HTTP request of a call: arguments in their places, in the styles of OpenAPI (RFC 6570). Pure, no I/O.

Whatever an argument holds, it stays in its place: a path segment is no path, a header has one line, and the host is the
one of the settings.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.gateways.tools.openapi.operations import BODY, Operation, Parameter

URL_CHARS_MAX: Final = 16_384
_DELIMITERS: Final = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "form": ",", "simple": ","}


class Request(Struct, frozen=True):
    """What is sent: path and query as they stand in the request line, headers, and the body."""

    target: str
    headers: Mapping[str, str]
    body: bytes


def request(operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Return the request of a call; raises AirsideError `invalid_arguments` for values that have no place in it."""
    path, query, headers, cookies = operation.path, list[str](), dict[str, str](), list[str]()
    for parameter in operation.parameters:
        if parameter.argument not in arguments:
            continue
        value = arguments[parameter.argument]
        value = msgspec.json.encode(value).decode() if parameter.as_json else value
        if parameter.place == "path":
            path = path.replace("{" + parameter.name + "}", _segment(parameter, value))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        elif parameter.place == "cookie":
            cookies += _pairs(parameter, value)
        else:
            headers[parameter.name] = _header(parameter, value)
    if any(segment.replace("%2E", ".") in {".", ".."} for segment in path.split("/")):
        raise AirsideError(Code.INVALID_ARGUMENTS, "the arguments would change the path")
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    body = b""
    if operation.media and BODY in arguments:
        headers["content-type"] = operation.media
        body = _body(operation.media, arguments[BODY])
    target = path + ("?" + "&".join(query) if query else "")
    if len(target) > URL_CHARS_MAX:
        raise AirsideError(Code.INVALID_ARGUMENTS, f"the address would have more than {URL_CHARS_MAX} characters")
    return Request(target, headers, body)


def _segment(parameter: Parameter, value: Any) -> str:
    """Return a path segment (styles simple, label, matrix)."""
    name, explode = quote(parameter.name, safe=""), parameter.explode
    if isinstance(value, Mapping):
        pairs = [(_text(key), _text(item)) for key, item in value.items()]
        flat = ",".join(f"{key},{item}" for key, item in pairs)
        exploded = [f"{key}={item}" for key, item in pairs]
    elif isinstance(value, list | tuple):
        flat, exploded = ",".join(map(_text, value)), [_text(item) for item in value]
    else:
        flat, exploded = _text(value), [_text(value)]
    if parameter.style == "label":
        return "." + (".".join(exploded) if explode else flat)
    if parameter.style == "matrix":
        if explode and isinstance(value, Mapping):
            return "".join(f";{pair}" for pair in exploded)
        return "".join(f";{name}={item}" for item in exploded) if explode else f";{name}={flat}"
    segment = ",".join(exploded) if explode else flat
    if segment.replace("%2E", ".") in {"", ".", ".."}:
        raise AirsideError(Code.INVALID_ARGUMENTS, f"{parameter.argument}: would change the path")
    return segment


def _pairs(parameter: Parameter, value: Any) -> Iterable[str]:
    """Return `name=value` pairs for queries and cookies (styles form, spaceDelimited, pipeDelimited, deepObject)."""
    name = quote(parameter.name, safe="[]")
    if isinstance(value, Mapping):
        if parameter.style == "deepObject":
            return [f"{name}[{_text(key)}]={_text(item)}" for key, item in value.items()]
        if parameter.explode:
            return [f"{_text(key)}={_text(item)}" for key, item in value.items()]
        flat = [part for key, item in value.items() for part in (_text(key), _text(item))]
        return [f"{name}={_DELIMITERS[parameter.style].join(flat)}"]
    if isinstance(value, list | tuple):
        if parameter.explode:
            return [f"{name}={_text(item)}" for item in value]
        return [f"{name}={_DELIMITERS.get(parameter.style, ',').join(map(_text, value))}"]
    return [f"{name}={_text(value)}"]


def _header(parameter: Parameter, value: Any) -> str:
    """Return a header's value (style simple), which is not percent-encoded and so must be one line."""
    if isinstance(value, Mapping):
        sign = "=" if parameter.explode else ","
        text = ",".join(f"{_raw(key)}{sign}{_raw(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = ",".join(map(_raw, value))
    else:
        text = _raw(value)
    if not text.isascii() or not (text.isprintable() or not text):
        raise AirsideError(Code.INVALID_ARGUMENTS, f"{parameter.argument}: a header takes one line of ASCII")
    return text.strip()


def _body(media: str, value: Any) -> bytes:
    if media.startswith("text/plain"):
        return _raw(value).encode()
    if media.startswith("application/x-www-form-urlencoded"):
        if not isinstance(value, Mapping):
            raise AirsideError(Code.INVALID_ARGUMENTS, "body: a form is an object")
        pairs = []
        for key, item in value.items():
            items = item if isinstance(item, list | tuple) else [item]
            pairs += [f"{_text(key)}={_text(each)}" for each in items]
        return "&".join(pairs).encode()
    return msgspec.json.encode(value)


def _text(value: Any) -> str:
    """Return a value percent-encoded: nothing of it means anything to whoever takes the address apart."""
    return quote(_raw(value), safe="")


def _raw(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
