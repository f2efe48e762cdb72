"""The review queue on the command line: evidence, comments, endorsements, statistics, cases for evaluation."""

import json
from collections.abc import Callable

from tests.cli.conftest import Told
from tests.cli.test_commands import submitted, until


def test_a_proposal_is_looked_at_denied_and_exported(airside: Callable[..., Told]) -> None:
    run = submitted(airside, "payer", '{"to": "eve", "amount_usd": 3}')
    until(lambda: bool(airside("approvals", "list", "--run", run, "--json").json["items"]))
    (item,) = airside("approvals", "list", "--run", run, "--order", "risk", "--tool", "pay", "--json").json["items"]
    approval = item["id"]
    assert airside("approvals", "evidence", approval, "--json").json["task"] == {"to": "eve", "amount_usd": 3}
    assert airside("approvals", "endorse", approval, "to", "--json").json["items"][0]["argument"] == "to"
    assert airside("approvals", "endorse", approval, "nothing").code != 0
    assert "who is eve?" in airside("approvals", "comment", approval, "--text", "who is eve?").out
    assert airside("approvals", "deny", approval, "--reason", "nobody").code == 0
    cases = [json.loads(line) for line in airside("approvals", "export").out.splitlines()]
    assert [case["reason"] for case in cases if case["id"] == approval] == ["nobody"]
    stats = airside("approvals", "stats", "--days", "1", "--json").json
    assert stats["all"]["denied"] >= 1
    assert "pay" in airside("approvals", "stats").out
    assert airside("approvals", "confidence", "payer", "pay", "--json").json["calibrated"] is False
