"""Canonical form v1: one byte string for one value, and nothing that two readers could read differently."""

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core import canonical
from airside.core.errors import AirsideError, Code

LIMIT = 10_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


def _same(one: Any, two: Any) -> bool:
    """Equality of JSON values: 1, 1.0 and True are three values, and so are 0.0 and -0.0."""
    if type(one) is not type(two):
        return False
    if isinstance(one, list):
        return len(one) == len(two) and all(_same(left, right) for left, right in zip(one, two, strict=True))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, float):
        return math.copysign(1, one) == math.copysign(1, two) and one == two
    return bool(one == two)


@given(VALUES)
def test_encoding_then_parsing_gives_the_value_back(value: Any) -> None:
    assert _same(canonical.parse(canonical.encode(value), bytes_max=LIMIT), value)


@given(VALUES)
def test_the_canonical_form_is_a_fixed_point(value: Any) -> None:
    once = canonical.encode(value)
    assert canonical.encode(canonical.parse(once, bytes_max=LIMIT)) == once


@given(VALUES, VALUES)
def test_bytes_are_equal_just_when_values_are(one: Any, two: Any) -> None:
    assert (canonical.encode(one) == canonical.encode(two)) == _same(one, two)


@given(st.dictionaries(TEXT, SCALARS, min_size=2), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, Any], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert canonical.encode({key: value[key] for key in keys}) == canonical.encode(value)


@given(VALUES)
def test_spelling_does_not_matter(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)):
        assert canonical.encode(canonical.parse(text.encode(), bytes_max=LIMIT)) == canonical.encode(value)


def test_text_is_never_normalised() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert canonical.encode(composed) != canonical.encode(decomposed)
    assert canonical.encode({composed: 1, decomposed: 2}).count(b":") == 2


def test_keys_sort_by_code_point_and_not_by_utf_16() -> None:
    assert canonical.encode({"\U0001f600": 1, "\ufb33": 2}) == '{"\ufb33":2,"\U0001f600":1}'.encode()


@pytest.mark.parametrize("number", [2**53 + 1, -(2**64), 10**30, 10**3_999])
def test_integers_are_exact(number: int) -> None:
    assert canonical.encode(number) == str(number).encode()
    assert canonical.parse(str(number).encode(), bytes_max=LIMIT) == number


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'[{"a":1,"\\u0061":2}]',
        b"NaN",
        b"[Infinity]",
        b'{"a":-Infinity}',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"{'a':1}",
        b"[1,]",
        b"01",
        b"",
        b'"a\nb"',
        b"// comment\n1",
    ],
)
def test_what_two_readers_may_read_differently_is_refused(text: bytes) -> None:
    with pytest.raises(AirsideError) as refused:
        canonical.parse(text, bytes_max=LIMIT)
    assert refused.value.code is Code.INVALID_REQUEST


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"a": [math.nan]}, "\ud800", {"\udfff": 1}])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(AirsideError) as refused:
        canonical.encode(value)
    assert refused.value.code is Code.INVALID_REQUEST


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, {"a": {1, 2}}, b"bytes", object(), {True: 1}])
def test_what_is_no_json_value_is_refused(value: Any) -> None:
    with pytest.raises(AirsideError) as refused:
        canonical.encode(value)
    assert refused.value.code is Code.INVALID_REQUEST


def _nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


def test_depth_has_a_limit() -> None:
    assert canonical.encode(_nested(canonical.DEPTH_MAX - 1))
    for levels in (canonical.DEPTH_MAX, 5_000):
        with pytest.raises(AirsideError) as refused:
            canonical.encode(_nested(levels))
        assert refused.value.code is Code.LIMIT_EXCEEDED
    with pytest.raises(AirsideError) as refused:
        canonical.parse(b"[" * 100_000 + b"]" * 100_000, bytes_max=LIMIT)
    assert refused.value.code is Code.LIMIT_EXCEEDED


def test_size_has_a_limit() -> None:
    canonical.parse(b'"aaaa"', bytes_max=6)
    with pytest.raises(AirsideError) as refused:
        canonical.parse(b'"aaaaa"', bytes_max=6)
    assert refused.value.code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("text", [b"9" * 4_001, b"-" + b"9" * 4_300, b"[" + b"9" * 100_000 + b"]"])
def test_huge_integers_are_refused_and_never_crash(text: bytes) -> None:
    with pytest.raises(AirsideError) as refused:
        canonical.encode(canonical.parse(text, bytes_max=LIMIT))
    assert refused.value.code in {Code.LIMIT_EXCEEDED, Code.INVALID_REQUEST}


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(AirsideError):
        canonical.encode(canonical.parse(data, bytes_max=100))
