"""`airside cache`: what is kept and saved, why an answer would be given again, and clearing."""

from collections.abc import Callable

from tests.cli.conftest import Told

Airside = Callable[..., Told]


def test_a_decision_is_explained_without_a_server(airside: Airside) -> None:
    told = airside(
        "cache", "explain", "Can I return shoes after 30 days?", "Can I return shoes after 60 days?", "--json"
    )
    assert told.code == 0
    assert told.json["decision"] == "vetoed"
    assert told.json["vetoes"] == [{"kind": "number", "kept": "30 day", "asked": "60 day"}]
    words = airside("cache", "explain", "How do I delete a user?", "How can I remove a user?")
    assert "no difference was found" in words.err
    assert "threshold  0.95" in words.err


def test_what_is_kept_is_shown_and_cleared(airside: Airside) -> None:
    shown = airside("cache", "stats", "--json")
    assert shown.code == 0
    assert set(shown.json) == {"entries", "bytes", "saved", "learned"}
    assert "answers are kept" in airside("cache", "stats", "--days", "1", "--agent", "nobody").err
    cleared = airside("cache", "clear", "--agent", "nobody", "--learned", "--json")
    assert cleared.json == {"entries": 0}
    assert "0 answers are forgotten" in airside("cache", "clear", "--subject", "nobody").err
