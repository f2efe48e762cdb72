"""Message threads, held in the journal: with the real SDK, replayed to the byte, and for nobody else."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from airside.core.clock import SystemClock
from airside.gateways.models.threads import Threads
from airside.pipeline.compose import compose
from airside.policy import load
from airside.testing import InMemoryPlane
from tests.fake_providers.script import text, tool_calls
from tests.gateways.models.places import MODELS, Remembering, acts, as_tenant, place
from tests.gateways.models.world import World

MODEL = MODELS["anthropic"]
BETA = {"anthropic-beta": "message-threads-2026-08-12"}
TOOLS = [{"name": "get_order", "input_schema": {"type": "object", "properties": {}}}]


class Threading(Remembering):
    """The whole pipeline with threads."""

    def pipeline(self, terminal: Any) -> Any:
        first, *others = self.plane.steps()
        return compose([first, Threads(self.histories, bytes_max=1_000_000), *others], terminal)


@asynccontextmanager
async def threading(folder: Path, kind: str = "anthropic") -> AsyncIterator[tuple[World, InMemoryPlane]]:
    async with (
        InMemoryPlane(policy=load(None), clock=SystemClock()) as plane,
        place(kind, folder, spy=Threading(plane)) as w,
    ):
        yield w, plane


async def say(w: World, words: Any, thread: dict[str, Any], **more: Any) -> httpx2.Response:
    """Send one turn."""
    said = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": words}], "thread": thread}
    return await w.http.post("/v1/messages", json={**said, **more}, headers=BETA)


def after(message: Any) -> dict[str, Any]:
    return {"type": "continue", "previous_message_id": message["id"]}


CREATE = {"type": "create"}


async def test_a_thread_goes_on_with_all_that_was_said(tmp_path: Path) -> None:
    async with threading(tmp_path) as (w, plane):
        who = await plane.start_run()
        acts(w, who)
        w.fake.reply = lambda body: tool_calls(("get_order", {"id": 4711}), content="Let me see")
        first = (await say(w, "Where is it?", CREATE, tools=TOOLS, system="Be brief.")).json()
        use = next(block for block in first["content"] if block["type"] == "tool_use")
        w.fake.reply = lambda body: text("Under way.")
        result = [{"type": "tool_result", "tool_use_id": use["id"], "content": "{}"}]
        second = (await say(w, result, after(first))).json()
        third = (await say(w, "Thanks", after(second))).json()
        assert third["content"][0]["text"] == "Under way."
        sent = w.fake.requests[-1]
        assert (sent["system"], sent["tools"]) == ([{"type": "text", "text": "Be brief."}], TOOLS) or (
            (sent["system"], sent["tools"]) == ("Be brief.", TOOLS)
        )
        assert "thread" not in sent
        assert "anthropic-beta" not in w.fake.seen[-1].headers
        assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user", "assistant", "user"]
        assert not w.fake.refusals


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_both_modes_name_the_message_alike_and_replay_to_the_byte(tmp_path: Path, kind: str) -> None:
    async with threading(tmp_path, kind) as (w, plane):
        who = await plane.start_run()
        acts(w, who)
        streamed = await say(w, "Hello", CREATE, stream=True)
        begun = json.loads(streamed.text.partition("data: ")[2].partition("\n")[0])["message"]
        going_on = await say(w, "More", after(begun), stream=True)
        assert "message_stop" in going_on.text
        acts(w, await plane.next_attempt(who))
        calls = w.fake.calls
        again = (await say(w, "Hello", CREATE)).json()
        assert again["id"] == begun["id"]
        more = await say(w, "More", after(again))
        assert more.headers["x-airside-replayed"] == "true"
        assert w.fake.calls == calls


async def test_nobody_else_may_continue_it_and_what_is_none_is_not_found(tmp_path: Path) -> None:
    async with threading(tmp_path) as (w, plane):
        who = await plane.start_run()
        acts(w, who)
        first = (await say(w, "Hello", CREATE)).json()
        for name in ("msg_0123", "msg_zz_zz", "x", "msg_" + "9" * 300 + "_1"):
            lost = await say(w, "More", {"type": "continue", "previous_message_id": name})
            assert (lost.status_code, lost.json()["error"]["details"]["error_code"]) == (404, "thread_not_found")
        as_tenant(plane, who, tenant_id="other")
        assert (await say(w, "More", after(first))).status_code in {401, 403, 404}


@pytest.mark.parametrize(
    "changed",
    [{"thread": "x"}, {"thread": {"type": "fork"}}, {"thread": {"type": "continue"}}, {"messages": []},
     {"thread": {"type": "continue", "previous_message_id": "msg_1_1"}, "system": "again"}],
)  # fmt: skip
async def test_threads_of_wrong_shapes(tmp_path: Path, changed: dict[str, Any]) -> None:
    async with threading(tmp_path) as (w, plane):
        acts(w, await plane.start_run())
        response = await say(w, "Hello", CREATE, **changed) if "thread" not in changed else await w.http.post(
            "/v1/messages",
            json={"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "x"}], **changed},
        )  # fmt: skip
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")


async def test_the_sdks_own_thread_and_tool_runner(tmp_path: Path) -> None:
    anthropic = pytest.importorskip("anthropic")

    @anthropic.beta_async_tool  # type: ignore[untyped-decorator]  # the SDK may be absent
    async def get_order(number: int) -> str:
        """Return an order."""
        return json.dumps({"number": number})

    async with threading(tmp_path) as (w, plane):
        who = await plane.start_run()
        token = f"{who.run_id}/{who.attempt}"
        async with anthropic.AsyncAnthropic(base_url=w.url, api_key=token, max_retries=0) as client:
            thread = client.beta.messages.thread(model=MODEL, max_tokens=100)
            await thread.send({"role": "user", "content": "Hello"})
            async with thread.stream({"role": "user", "content": "And now?"}) as stream:
                await stream.get_final_message()
            assert len(w.fake.requests[-1]["messages"]) == 3
            assert thread.previous_message_id.startswith("msg_")
            w.fake.reply = lambda body: (
                text("Under way.") if len(body["messages"]) > 1 else tool_calls(("get_order", {"number": 4711}))
            )
            runner = client.beta.messages.tool_runner(
                model=MODEL, max_tokens=100, tools=[get_order], messages=[{"role": "user", "content": "Where is it?"}]
            )
            final = await runner.until_done()
            assert final.content[0].text == "Under way."
            assert len(w.fake.requests[-1]["messages"]) == 3
        assert not w.fake.refusals
