"""Schemas of arguments: strict, private about values, and unable to make the gateway fetch or hang."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.config.tools import LocalToolSettings
from airside.core.call import Effect
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.tools.answer import pack, unpack
from airside.gateways.tools.arguments import compile_schema
from airside.gateways.tools.catalogue import ToolCatalogue
from airside.gateways.tools.declare import tool
from airside.gateways.tools.host import encode_result
from airside.gateways.tools.signature import describe

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé\U0001f600"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=10,
)


def refused(schema: dict[str, Any], arguments: Any) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        compile_schema(schema).check(arguments)
    assert caught.value.code is Code.INVALID_ARGUMENTS
    return caught.value


def test_the_argument_is_named_and_its_value_is_not() -> None:
    schema = {"type": "object", "properties": {"to": {"type": "array", "items": {"type": "string", "maxLength": 3}}}}
    error = refused(schema, {"to": ["abc", "secret"]})
    assert error.details["argument"] == "to.1"
    assert "secret" not in error.message


def test_integers_are_exact() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 2**63}}}
    compile_schema(schema).check({"n": 2**63})
    refused(schema, {"n": 2**63 + 1})
    refused(schema, {"n": 10**400})


@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"pattern": "("}, {"$ref": "http://127.0.0.1:9/s"}, {"$ref": "file:///etc/passwd"}],
)
def test_what_is_no_schema_is_refused_without_fetching(schema: dict[str, Any]) -> None:
    with pytest.raises(AirsideError) as caught:
        compile_schema(schema)
    assert caught.value.code is Code.INVALID_REQUEST


def test_a_huge_schema_is_refused() -> None:
    with pytest.raises(AirsideError) as caught:
        compile_schema({"description": "x" * 300_000})
    assert caught.value.code is Code.LIMIT_EXCEEDED


def test_a_hostile_pattern_ends_soon() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?=a)(a+)+\\1$"}}}
    began = time.perf_counter()
    refused(schema, {"a": "a" * 5_000 + "!"})
    assert time.perf_counter() - began < 2


def test_local_tools_have_the_effects_of_the_configuration_only() -> None:
    catalogue = ToolCatalogue({"note": LocalToolSettings(effect="write", idempotent=True, amount="sum")})
    declared, unknown = catalogue.local("note", None).tool, catalogue.local("other", {"type": "object"}).tool
    assert (declared.effect, declared.idempotent, declared.amount_argument) == (Effect.WRITE, True, "sum")
    assert (unknown.effect, unknown.idempotent, unknown.reversible) == (Effect.EXECUTE, False, False)
    assert declared.local
    assert unknown.local
    assert catalogue.hosted("note") is None


def test_a_tool_whose_schema_is_none_is_misconfigured() -> None:
    with pytest.raises(AirsideError) as caught:
        ToolCatalogue({}).set_hosted([Tool(name="bad", description="", schema={"type": 7})])
    assert caught.value.code is Code.MISCONFIGURED
    assert "'bad'" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a" * 65}, "no name for a tool"),
        ({"name": "a/b"}, "no name for a tool"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 1e9}, "timeout_s"),
        ({"amount_unit": "euro"}, "amount_unit"),
        ({"effect": "delete"}, "use read, write or execute"),
    ],
)
def test_declarations_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tool(**({"name": "fine"} | changes))(lambda: None)


def test_descriptions_in_both_styles() -> None:
    google = "Pay.\n\nArgs:\n    a (int): first\n      line\n    b: second\n\nReturns:\n    Nothing."
    assert describe(google) == ("Pay.\n\nReturns:\n    Nothing.", {"a": "first line", "b": "second"})
    sphinx = "Pay.\n\n:param a: first\n    line\n:param str b: second\n:returns: nothing"
    assert describe(sphinx) == ("Pay.", {"a": "first line", "b": "second"})
    assert describe("") == ("", {})


@given(JSON, st.none() | st.dictionaries(st.text("ab"), JSON))
def test_answers_are_read_as_they_were_packed(value: Any, edited: Any) -> None:
    result = encode_result(value, 1_000_000)
    arguments = None if edited is None else encode_result(edited, 1_000_000)
    answer = unpack(pack(result, arguments))
    assert bytes(answer.result) == result
    assert answer.edited is (edited is not None)
