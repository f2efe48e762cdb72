"""Every framework, format and mode that is promised, with real SDKs as supervised processes under a real airside."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.compat.house import House
from tests.compat.rows import Row, rows
from tests.compat.script import ANSWER, CALLS, HELLO, VERDICT
from tests.fake_providers import Fault

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


def having(aspect: str) -> Any:
    """Run a test for every row that is tested for this aspect."""
    return pytest.mark.parametrize("row", [row for row in rows() if row.tested_for(aspect)], ids=str)


def succeeded(airside: House, run: dict[str, Any]) -> dict[str, Any]:
    """Return what the client observed; the run must have gone well, and the provider must have refused nothing."""
    assert not airside.provider.refusals, airside.provider.refusals
    assert run["state"] == "succeeded", run
    observed: dict[str, Any] = run["result"]
    assert "error" not in observed, observed
    return observed


def metered(run: dict[str, Any]) -> None:
    """Every call was metered by the provider's own usage and paid for: exactly, nothing left reserved."""
    for call in run["calls"]:
        assert call["state"] == "ok", call
        assert call["tokens"] > 0, call
        assert Decimal(call["cost_usd"]) > 0, call


def _comparable(requests: list[Any]) -> list[str]:
    """Return requests without the random ids that PydanticAI gives to the calls of models that name none."""
    return [re.sub("pyd_ai_[0-9a-f]{32}", "pyd_ai", json.dumps(request)) for request in requests]


@having("tools")
async def test_parallel_tools_also_across_a_crash(airside: House, row: Row) -> None:
    undisturbed = await airside.run(row, "tools")
    first_requests = _comparable(airside.provider.requests)
    airside.provider.seen.clear()
    crashed = await airside.run(row, "tools", crash=True)
    for run in (undisturbed, crashed):
        observed = succeeded(airside, run)
        assert observed["said"] == ANSWER
        assert sorted(observed["calls"]) == sorted(CALLS)
        assert len(run["calls"]) == len(first_requests)
        metered(run)
    assert (undisturbed["attempt"], crashed["attempt"]) == (1, 2)
    assert _comparable(airside.provider.requests) == first_requests, (
        "the first answer was asked for again, or came back changed"
    )


@having("structured")
async def test_structured_output(airside: House, row: Row) -> None:
    run = await airside.run(row, "structured")
    assert succeeded(airside, run)["said"] == VERDICT
    metered(run)


@having("denied")
async def test_a_denial_is_not_retried(airside: House, row: Row) -> None:
    run = await airside.run(row, "ask", variant="-poor", retries=2)
    observed = run["result"]
    assert run["state"] in {"succeeded", "partial", "failed"}, run
    assert not airside.provider.seen
    assert len(run["calls"]) <= 1, "the SDK tried again"
    assert "budget" in observed["error"]["text"], observed
    if row.framework.name in {"openai", "anthropic"}:
        assert observed["error"]["status"] == 402


@having("retried")
async def test_an_sdk_that_tries_again_is_answered(airside: House, row: Row) -> None:
    airside.provider.faults.extend([Fault(status=500, raw=b"{}")])
    run = await airside.run(row, "ask", retries=2)
    assert succeeded(airside, run)["said"] == HELLO
    assert len(airside.provider.seen) == 2


@having("cancelled")
async def test_cancelling_reaches_the_provider_and_settles(airside: House, row: Row) -> None:
    airside.provider.faults.extend([None, Fault(stall_after=6) if row.stream else Fault(stall=True)])
    run = await airside.run(row, "cancel")
    assert succeeded(airside, run)["said"] == HELLO
    assert airside.provider.vanished == 1
    assert [call["state"] for call in run["calls"]] == ["ok", "cancelled", "ok"]
    assert Decimal(run["calls"][1]["cost_usd"]) > 0, "what a cancelled call cost is unknown, so all of it is charged"


@having("translated")
async def test_an_upstream_of_another_format_serves_as_well(airside: House, row: Row) -> None:
    run = await airside.run(row, "tools", variant="-translated", thinks=False)
    observed = succeeded(airside, run)
    assert observed["said"] == ANSWER
    assert sorted(observed["calls"]) == sorted(CALLS)
    metered(run)
    assert (await airside.run(row, "structured", variant="-translated"))["result"]["said"] == VERDICT


@having("state")
async def test_conversations_kept_behind_an_id_are_sent_whole(airside: House, row: Row) -> None:
    run = await airside.run(row, "state", crash=True)
    observed = succeeded(airside, run)
    assert (observed["said"], run["attempt"]) == (ANSWER, 2)
    assert len(airside.provider.seen) == 2, "the first answer was asked for again"


@having("runner")
async def test_the_tool_runner_of_the_sdk(airside: House, row: Row) -> None:
    observed = succeeded(airside, await airside.run(row, "runner", crash=True))
    assert observed["said"] == ANSWER
    assert sorted(observed["calls"]) == sorted(CALLS)
    assert len(airside.provider.seen) == 2
