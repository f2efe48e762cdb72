"""What is a handle, and what only looks like one."""

import pytest

from airside.core.errors import AirsideError
from airside.secrets.handle import Handle, handles_in, parse

HANDLES = {
    "secret://house/github": Handle("house", "github"),
    "secret://house/team/github#token": Handle("house", "team/github", "token"),
    "secret://a-b_1/A.b+c=d@e#x.y-z": Handle("a-b_1", "A.b+c=d@e", "x.y-z"),
}
ATTACKS = [
    "secret://../../etc/passwd",
    "secret://house/../other",
    "secret://house/a/../b",
    "secret://house/./a",
    "secret://house//a",
    "secret://house/a/",
    "secret://house/%2e%2e/a",
    "secret://house/.hidden",
    "secret://house",
    "secret://house/",
    "secret:///a",
    "secret://House/a",
    "SECRET://house/a",
    "secret://house/a#",
    "secret://house/a#b#c",
    "secret://house/a\x00",
    "secret://house/a\n",
    "secret://house/a b",
    "ѕecret://house/a",
    "secret：//house/a",
    "secret://house/а",
    "ｓecret://house/a",
    "secret://secret://house/a",
    "secret://house/secret://house/a",
    "secret://house/a?x=1",
    "secret://user@house/a",
    "secret://house:80/a",
    f"secret://house/{'a' * 513}",
    f"secret://{'a' * 64}/a",
    "",
]


@pytest.mark.parametrize("text", HANDLES)
def test_a_handle_is_read_and_written_alike(text: str) -> None:
    assert parse(text) == HANDLES[text]
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ATTACKS)
def test_what_only_looks_like_a_handle_is_none(text: str) -> None:
    with pytest.raises(AirsideError):
        parse(text)
    assert [place.handle for place in handles_in(text) if place.end - place.start == len(text) and place.handle] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Bearer secret://house/a", ["secret://house/a"]),
        ('{"k":"secret://house/a#b"}', ["secret://house/a#b"]),
        ("secret://house/a:secret://house/b", [None]),
        ("secret://house/a, secret://house/b.", ["secret://house/a", "secret://house/b"]),
        ("topsecret://house/a", []),
        ("see secret://house/../b", [None]),
        ("nothing here", []),
    ],
)
def test_handles_are_found_within_texts(text: str, found: list[str | None]) -> None:
    assert [str(place.handle) if place.handle else None for place in handles_in(text)] == found


def test_a_long_text_of_beginnings_is_read_in_time() -> None:
    text = "secret://" * 100_000
    assert [place.handle for place in handles_in(text)] == [None]
