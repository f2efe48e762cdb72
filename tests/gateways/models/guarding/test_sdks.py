"""The real SDKs before guarded calls: what is redacted, what is blocked, and the class of error that they raise."""

from pathlib import Path
from typing import Any

import openai
import pytest

from airside.config.guards import GuardRule
from tests.gateways.models.guarding.rig import ATTACK, EMAIL, SECRET, guarded
from tests.gateways.models.guarding.test_step import bodies
from tests.gateways.models.places import MODELS, acts
from tests.gateways.models.world import World

RULES = (GuardRule(guards=["injection"], mode="block"), GuardRule(guards=["personal"], mode="tokenise"))
SAID = f"I am {EMAIL}, key {SECRET}"
SENT = "I am <EMAIL_1>, key [SECRET]"


async def test_openai(tmp_path: Path) -> None:
    async with guarded(tmp_path, "openai", *RULES) as (w, plane, _):
        acts(w, await plane.start_run())
        tool: Any = {"type": "function", "function": {"name": "f", "description": f"mail {EMAIL}", "parameters": {}}}
        await w.openai.chat.completions.create(
            model="gpt-5-fake", messages=[{"role": "user", "content": SAID}], tools=[tool]
        )
        assert w.fake.requests[0]["messages"][0]["content"] == SENT
        assert w.fake.requests[0]["tools"][0]["function"]["description"] == "mail <EMAIL_1>"
        async with w.openai.responses.stream(model="gpt-5-fake", input=SAID, instructions=f"never {SECRET}") as stream:
            assert (await stream.get_final_response()).output_text
        assert w.fake.requests[1]["instructions"] == "never [SECRET]"
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await w.openai.responses.create(model="gpt-5-fake", input=ATTACK)
        assert refused.value.code == "guard_blocked"
        assert w.fake.calls == 2
        _nothing_left(w)


async def test_anthropic(tmp_path: Path) -> None:
    anthropic = pytest.importorskip("anthropic")
    async with guarded(tmp_path, "anthropic", *RULES) as (w, plane, _):
        who = await plane.start_run()
        client = anthropic.AsyncAnthropic(base_url=w.url, auth_token=f"{who.run_id}/{who.attempt}", max_retries=0)
        asked: Any = {"model": MODELS["anthropic"], "max_tokens": 50}
        async with client:
            await client.messages.create(**asked, system=SAID, messages=[{"role": "user", "content": SAID}])
            with pytest.raises(anthropic.PermissionDeniedError) as refused:
                await client.messages.create(**asked, messages=[{"role": "user", "content": ATTACK}])
        assert refused.value.body["error"]["code"] == "guard_blocked"
        assert w.fake.calls == 1
        assert SENT in str(w.fake.requests[0]["system"])
        _nothing_left(w)


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # the SDK's own
async def test_google(tmp_path: Path) -> None:
    genai = pytest.importorskip("google.genai")
    types = pytest.importorskip("google.genai.types")
    async with guarded(tmp_path, "gemini", *RULES) as (w, plane, _):
        who = await plane.start_run()
        client = genai.Client(api_key=f"{who.run_id}/{who.attempt}", http_options=types.HttpOptions(base_url=w.url)).aio
        try:
            config = {"system_instruction": SAID}
            await client.models.generate_content(model="fake-large", contents=SAID, config=config)
            with pytest.raises(Exception, match="blocked") as refused:
                await client.models.generate_content(model="fake-large", contents=ATTACK)
        finally:
            await client.aclose()
        assert refused.value.code == 403  # type: ignore[attr-defined]  # of the SDK's error
        assert w.fake.calls == 1
        assert w.fake.requests[0]["systemInstruction"]["parts"][0]["text"] == SENT
        _nothing_left(w)


def _nothing_left(w: World) -> None:
    assert EMAIL not in bodies(w)
    assert SECRET not in bodies(w)
    assert not w.fake.refusals
