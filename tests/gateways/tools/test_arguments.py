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


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few lines that looks at its value 2**levels times."""
    twice = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**twice, f"a{levels}": {"minProperties": 1}}, "$ref": "#/$defs/a0"}


EITHER = {
    "$defs": {
        "e": {
            "anyOf": [
                {"properties": {"of": {"$ref": "#/$defs/e"}, kind: {"type": "string"}}, "required": [kind]}
                for kind in ("and", "or", "not")
            ]
        }
    },
    "$ref": "#/$defs/e",
}


def nested(levels: int) -> dict[str, Any]:
    return {"not": "x"} if levels == 0 else {"of": nested(levels - 1), "not": "x"}


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        (doubling(40), {"a": 1}),
        ({"properties": {"a": {"pattern": "(?=x*y)z"}}}, {"a": "x" * 100_000}),
        ({"properties": {"a": {"items": doubling(12)}}} | doubling(12), {"a": [{}] * 100_000}),
        (EITHER, nested(30)),
        ({"$defs": {"a": {"$id": "b", "$ref": "#"}}, "$ref": "#/$defs/a"}, {}),
        ({"$ref": "#"}, {}),
    ],
)
def test_no_schema_makes_endless_work(schema: dict[str, Any], arguments: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(AirsideError) as caught:
        compile_schema({"type": "object", **schema}).check(arguments)
    assert caught.value.code in {Code.INVALID_ARGUMENTS, Code.LIMIT_EXCEEDED, Code.INVALID_REQUEST}
    assert time.monotonic() - begun < 5


def test_ordinary_schemas_are_not_meant() -> None:
    compile_schema({"type": "object", **EITHER}).check(nested(5))
    again = {"$ref": "#/$defs/j"}
    json = {"anyOf": [{"type": "string"}, {"items": again}, {"additionalProperties": again}]}
    deep: Any = "x" * 1_000_000
    for _ in range(50):
        deep = {"a": deep, "b": ["x"] * 100}
    compile_schema({"type": "object", "$defs": {"j": json}, **again}).check(deep)
    looking = {"type": "object", "properties": {"a": {"pattern": "^(?!-)[a-z-]+$"}}}
    compile_schema(looking).check({"a": "a-b", "text": "x" * 2_000})
    assert refused(looking, {"a": "-a"}).details == {"argument": "a"}


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
