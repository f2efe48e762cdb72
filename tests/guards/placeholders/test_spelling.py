"""How placeholders are spelled and put back."""

from hypothesis import given
from hypothesis import strategies as st

from airside.guards.placeholders.spelling import is_kind, kind_of, placeholders_in, put_back, spelled

_KINDS = st.from_regex(r"[A-Z][A-Z0-9_]{0,39}", fullmatch=True)
_NUMBERS = st.integers(1, 999_999)


@given(kind=_KINDS, number=_NUMBERS, before=st.text(), after=st.text())
def test_what_is_spelled_is_found_and_put_back(kind: str, number: int, before: str, after: str) -> None:
    name = spelled(kind, number)
    assert is_kind(kind)
    assert kind_of(name) == kind
    assert name in placeholders_in(f"{before}{name}{after}")
    assert put_back(f"{before}{name}{after}", {name: "Anna"}) == f"{before}Anna{after}"


@given(values=st.dictionaries(st.builds(spelled, _KINDS, _NUMBERS), st.text(), max_size=5), texts=st.lists(st.text()))
def test_values_are_not_looked_into(values: dict[str, str], texts: list[str]) -> None:
    """A value that is spelled like a placeholder itself stays what it is."""
    names = list(values)
    text = "|".join([*names, *[text.replace("<", "") for text in texts]])
    expected = "|".join([*[values[name] for name in names], *[text.replace("<", "") for text in texts]])
    assert put_back(text, values) == expected


def test_what_only_looks_like_one_is_text() -> None:
    odd = "<PERSON_0> <PERSON_01> <PERSON> <person_1> <1_1> <PERSON_1 > < PERSON_1> <PERSON_1000000> <PERSON_١>"
    assert placeholders_in(odd) == []
    assert placeholders_in("<<PERSON_1>> <PERSON_1>") == ["<PERSON_1>"]
    assert not is_kind("ignore_instructions.de")
    assert not is_kind("")
