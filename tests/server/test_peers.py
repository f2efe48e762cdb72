"""Who is at the other end: only proxies that are trusted are believed, and only what they wrote themselves."""

from typing import Any

import pytest

from airside.server.peers import Peers

TRUSTING = Peers(["10.0.0.0/8", "::1/128"])


def seen(peers: Peers, client: str | None, *forwarded: str) -> str:
    scope: dict[str, Any] = {
        "client": (client, 1234) if client is not None else None,
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }
    peers.settle(scope)
    return str(scope["client"][0]) if scope["client"] else ""


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy: what it says counts for nothing
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # the left word is the client's own invention
        ("10.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1"),  # two proxies in a row
        ("10.0.0.1", "10.2.2.2, 10.9.9.9", "10.2.2.2"),  # all inside
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("10.0.0.1", "198.51.100.1:80", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("::1", "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_caller_behind_proxies(client: str, forwarded: str, expected: str) -> None:
    assert seen(TRUSTING, client, forwarded) == expected


def test_several_headers_are_one_list() -> None:
    assert seen(TRUSTING, "10.0.0.1", "1.2.3.4", "198.51.100.1") == "198.51.100.1"


def test_nobody_is_trusted_unless_the_settings_say_so() -> None:
    assert seen(Peers([]), "127.0.0.1", "198.51.100.1") == "127.0.0.1"


def test_a_unix_socket_has_no_peer() -> None:
    assert not seen(TRUSTING, None, "198.51.100.1")


def test_a_chain_of_proxies_is_followed_so_far_and_no_further() -> None:
    assert seen(TRUSTING, "10.0.0.1", ",".join(["198.51.100.1", *["10.0.0.2"] * 10_000])) == "10.0.0.2"
