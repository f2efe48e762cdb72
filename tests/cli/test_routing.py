"""`airside routing` against a running installation, and what its report says."""

from collections.abc import Callable

import pytest

from airside.cli import routing
from airside.cli.exits import of_code
from airside.core.errors import Code
from tests.cli.conftest import Installation, Told, command

Airside = Callable[..., Told]


def test_feedback_reaches_the_report_and_too_little_is_not_learned_from(
    airside: Airside, installation: Installation
) -> None:
    run = str(airside("submit", "hello", '"hi"', "--wait", "--json").json["id"])
    told = airside("routing", "feedback", run, "1")
    assert (told.code, told.err) == (0, "noted for 1 answers\n")
    call = airside("runs", "show", run, "--json").json
    assert call["state"] == "succeeded"
    report = airside("routing", "report")
    assert "100.0 %" in report.out
    assert "nothing is fitted" in report.err
    assert airside("routing", "report", "--shadow", "--json").json == {"items": []}
    assert airside("routing", "models", "--json").json == {"items": []}
    assert airside("routing", "activate", "0").err == "none is in force\n"
    assert airside("routing", "activate", "3").code == of_code(Code.NOT_FOUND)
    assert airside("routing", "feedback", "run_x", "0.5").code == of_code(Code.NOT_FOUND)
    fit = command(installation.folder, "routing", "fit")
    assert fit.code == of_code(Code.CONFLICT)
    assert "no models are configured for routing" in fit.err


def test_fit_needs_an_installation(tmp_path_factory: pytest.TempPathFactory) -> None:
    fit = command(tmp_path_factory.mktemp("nothing"), "routing", "fit")
    assert fit.code == of_code(Code.MISCONFIGURED)
    assert "there is no installation" in fit.err


def test_a_report_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    spread = {"mean": 0.9, "low": 0.8, "high": 0.95, "n": 40}
    routing._say_report(
        {
            "routed": {
                "calls": 10,
                "spent_nanousd": 400_000_000,
                "strongest_nanousd": 1_000_000_000,
                "strongest": "large",
                "saved": 0.6,
                "by_model": {"tiny": 8, "large": 2},
                "tried": 5,
                "escalated": 2,
            },
            "quality": {"tiny": {"feedback": spread}},
            "floor": 0.95,
            "fitted": {
                "version": 3,
                "provenance": {
                    "promised": {"0.9": {"saved": 0.8, "quality": 0.91}, "0.95": {"saved": 0.5, "quality": 0.96}}
                },
            },
        }
    )
    table, said = capsys.readouterr()
    assert "10 routed calls cost 0.40 USD; always large would have cost about 1.00 USD: 60.0 % saved" in said
    assert "5 were tried first, 2 of them escalated" in said
    assert "80.0 % to 95.0 %" in table
    assert "version 3 is in force; on its own prompts it saves 50.0 % at 96.0 % of the quality (floor 0.95)" in said
