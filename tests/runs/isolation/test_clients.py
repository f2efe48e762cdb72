"""HTTP clients of an agent's own: unmodified, made before there was a run, and still of the run."""

import json

import pytest

from airside.config.settings import AgentSettings

from .conftest import AGENTS, RECORDED_US


@pytest.mark.parametrize("name", ["openai_blocking", "openai_waiting", "standard_library", "with_aiohttp"])
async def test_requests_carry_the_run_token_and_answers_move_the_clock(run, gateway, name):
    end = await run(name, agent=AgentSettings(entry=f"sdks:{name}", path=[AGENTS]))
    assert json.loads(end.result or "null") == {"text": "I am the gateway", "time": RECORDED_US / 1e6}, end.message
    assert gateway.tokens == ["bearer rt_the-token-of-this-run"]
