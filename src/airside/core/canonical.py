"""Canonical form v1: one byte string for one JSON value, so that a hash names exactly one call.

Close to RFC 8785 (JCS), with three differences that serve approvals: integers are kept exact at any size instead of
being read as doubles, keys sort by code point, and text is never normalised (two spellings are two calls). Duplicate
keys, NaN and infinities are refused, because two readers could disagree on what such a text means.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import jiter

from airside.core.errors import AirsideError, Code

VERSION = 1
DEPTH_MAX = 64
INTEGER_END = 10**4_000  # CPython refuses to print integers of more than 4,300 digits

_encoded = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def parse(data: bytes, *, bytes_max: int) -> Any:
    """Return the value of a JSON text.

    Raises AirsideError: `limit_exceeded` beyond `bytes_max` or about 200 levels; `invalid_request` for malformed JSON,
    duplicate keys, NaN or infinities, and invalid UTF-8.
    """
    if len(data) > bytes_max:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the body has {len(data)} bytes; at most {bytes_max} are accepted")
    try:
        value = jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        if "recursion" in str(error):
            raise AirsideError(Code.LIMIT_EXCEEDED, "the JSON is nested too deep") from None
        raise AirsideError(Code.INVALID_REQUEST, f"the body is not acceptable JSON: {error}") from None
    return value


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value (dicts with text keys, lists, text, numbers, booleans, None).

    Raises AirsideError `invalid_request` for anything else, `limit_exceeded` beyond DEPTH_MAX levels.
    """
    _refuse(value, DEPTH_MAX)
    try:
        return _encoded(value).encode()
    except UnicodeEncodeError:
        raise AirsideError(Code.INVALID_REQUEST, "text holds a lone surrogate, which UTF-8 cannot carry") from None


def _refuse(value: Any, depth_left: int) -> None:
    if depth_left == 0:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the value is nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, str) or value is None:
        return
    if isinstance(value, int):
        if abs(value) >= INTEGER_END:
            raise AirsideError(Code.LIMIT_EXCEEDED, "an integer has more than 4,000 digits")
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise AirsideError(Code.INVALID_REQUEST, "NaN and infinities have no canonical form")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise AirsideError(Code.INVALID_REQUEST, f"an object key must be text, not {type(key).__name__}")
            _refuse(item, depth_left - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse(item, depth_left - 1)
    else:
        raise AirsideError(Code.INVALID_REQUEST, f"{type(value).__name__} has no canonical form")
