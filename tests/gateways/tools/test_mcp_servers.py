"""MCP servers as sources of tools: what agents get of a good one, and what a bad one cannot do."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from airside.core.call import Effect
from airside.core.errors import Code
from tests.gateways.tools.desks import Desk, desk_of, program
from tests.gateways.tools.tooling import until

MANY_S = 20


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with desk_of({"mcp:r/*": {"effect": "read"}}) as made:
        yield made


def hostile(mode: str, **more: Any) -> dict[str, Any]:
    return {"command": program("hostile", mode), "timeout_s": MANY_S, **more}


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_a_servers_tools_are_called_and_answer_json(desk: Desk) -> None:
    async with desk.server("f", command=program("friendly"), timeout_s=MANY_S) as server:
        assert server.left_out == []
        who = await desk.begin()
        assert await desk.call(who, "f__echo", text="ü\u0000\U0001f600") == {"result": "ü\u0000\U0001f600"}
        assert await desk.call(who, "f__add", left=2**60, right=2) == {"total": 2**60 + 2}
        assert await desk.call(who, "f__put", item="a") == {"result": ["a"]}
        assert await desk.call(who, "f__put", item="b") == {"result": ["a", "b"]}, "a run has a session of its own"
        picture = (await desk.call(who, "f__picture"))["content"][0]
        assert picture == {"type": "image", "mime_type": "image/png", "content_id": picture["content_id"], "bytes": 15}
        failed = await desk.failure(who, "f__fail")
        assert (failed.code, "the paper is out" in failed.message) == (Code.TOOL_FAILED, True)
        assert (await desk.failure(who, "f__add", left="x", right=2)).code is Code.INVALID_ARGUMENTS


async def test_what_is_not_declared_is_at_its_worst(desk: Desk) -> None:
    async with desk.server("s", **hostile("plain")):
        undeclared = desk.catalogue.lookup("s__act")
        assert undeclared is not None
        assert (undeclared.effect, undeclared.declared, undeclared.idempotent) == (Effect.EXECUTE, False, False)
        assert undeclared.source == "mcp:s"
    async with desk.server("r", **hostile("plain")):
        declared = desk.catalogue.lookup("r__act")
        assert declared is not None
        assert (declared.effect, declared.declared) == (Effect.READ, True)


async def test_names_that_could_be_taken_for_others_do_not_exist(desk: Desk) -> None:
    async with desk.server("s", **hostile("names")) as server:
        offered = [tool.name for tool in desk.catalogue.manifests()]
        assert "s__fine" in offered
        assert "s__a_b_c" in offered
        assert "s__two_words" in offered
        assert all(len(name) <= 64 and name.isascii() for name in offered)
        assert len([name for name in offered if name.startswith("s__xxx")]) == 1
        out = {left.name: left.why for left in server.left_out}
        assert "f\\u0456ne" in out
        assert "fi\\u200bne" in out
        assert "s__Fine" in out
        assert "looks like, that of s__flne" in out["s__fIne"]
        assert {body["tool"] for body in desk.told.of("tool.left_out")} == set(out)


async def test_a_server_cannot_take_the_name_of_another_ones_tool(desk: Desk) -> None:
    async with desk.server("a", **hostile("plain", prefix="x__")), desk.server("b", **hostile("tell", prefix="x__")):
        assert {tool.source for tool in desk.catalogue.manifests()} == {"mcp:a"}
        assert {body["source"] for body in desk.told.of("tool.left_out")} == {"mcp:b"}


async def test_a_bad_schema_leaves_its_tool_out_and_no_other(desk: Desk) -> None:
    async with desk.server("s", **hostile("schemas")) as server:
        assert list(server.offers) == ["s__good"]
        left_out = {out.name for out in server.left_out}
        assert left_out == {"no_schema", "list", "wrong", "elsewhere", "deep", "huge", "array", "(no name)"}


async def test_texts_lose_what_is_not_seen_and_are_bounded(desk: Desk) -> None:
    async with desk.server("s", **hostile("texts")):
        tool = desk.catalogue.lookup("s__t")
        assert tool is not None
        assert tool.description.startswith("Look up [31mthings now.zzz")
        assert len(tool.description) == 8_000
        assert tool.schema["properties"]["q"]["description"] == "ab"


async def test_lists_are_bounded_in_pages_and_tools(desk: Desk) -> None:
    async with desk.server("s", **hostile("endless")) as server:
        assert list(server.offers) == ["s__act", "s__sum"]
    async with desk.server("m", **hostile("many", tools_max=10)) as server:
        assert len(server.offers) == 10
        assert "30 more" in server.left_out[-1].name or "more" in server.left_out[-1].name


async def test_a_server_that_does_not_start_says_why_and_spoils_nothing(desk: Desk) -> None:
    async with (
        desk.server("dead", **hostile("leaves")),
        desk.server("none", command=["/does/not/exist"]),
        desk.server("mute", **hostile("mute", start_timeout_s=1.0)),
        desk.server("good", **hostile("plain")),
    ):
        told = {body["source"]: body["why"] for body in desk.told.of("tools.unreachable")}
        assert "the licence has run out" in told["mcp:dead"]
        assert "No such file" in told["mcp:none"]
        assert "in time" in told["mcp:mute"]
        who = await desk.begin()
        assert await desk.call(who, "good__act") == "done"


async def test_the_process_gets_nothing_that_it_is_not_given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRSIDE_SECRET_OF_OURS", "x")
    monkeypatch.setenv("PASSED", "yes")
    given = {"env": {"TOKEN": "t1"}, "env_pass": ["PASSED"], "memory_bytes_max": 2**29, "open_files_max": 64}
    async with desk.server("r", **hostile("tell", **given)):
        who = await desk.begin()
        told = json.loads(await desk.call(who, "r__act"))
    assert set(told["env"]) <= {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "TOKEN", "PASSED", "LC_CTYPE"}
    assert (told["env"]["TOKEN"], told["env"]["PASSED"]) == ("t1", "yes")
    assert (told["RLIMIT_DATA"], told["RLIMIT_NOFILE"], told["group"]) == (2**29, 64, True)
    assert told["cwd"] == told["env"]["HOME"] != str(Path.cwd())
    assert not alive(told["pid"]), "closing ends the process"
    assert not Path(told["cwd"]).exists()


async def test_sessions_are_shared_only_if_the_server_is_stateless(desk: Desk) -> None:
    async with desk.server("r", **hostile("tell", stateless=True)):
        pids = {json.loads(await desk.call(await desk.begin(), "r__act"))["pid"] for _ in range(3)}
        assert len(pids) == 1
    async with desk.server("q", **hostile("tell")):
        pids = {json.loads(await desk.call(await desk.begin(), "q__act"))["pid"] for _ in range(2)}
        assert len(pids) == 2


async def test_a_session_ends_with_its_run_with_idleness_and_with_itself(desk: Desk) -> None:
    async with desk.server("r", **hostile("tell", sessions_max=1)):
        first, second = await desk.begin(), await desk.begin()
        pid = json.loads(await desk.call(first, "r__act"))["pid"]
        waiting = asyncio.create_task(desk.call(second, "r__act"))
        desk.over.add(first.run_id)
        assert json.loads(await waiting)["pid"] != pid, "the place of the run that is over is free"
        assert not alive(pid)
    async with desk.server("r", **hostile("tell", idle_s=0.2)):
        who = await desk.begin()
        pid = json.loads(await desk.call(who, "r__act"))["pid"]
        async with asyncio.timeout(20):
            while alive(pid):  # whoever waits for the idle time may begin to wait only now
                await desk.plane.clock.advance(1.0)
                await asyncio.sleep(0.02)
        # a read: what was sent before the death is noticed may be asked again, where an effect would be held
        os.kill(pid := json.loads(await desk.call(who, "r__act", again=1))["pid"], 9)
        await until(lambda: not alive(pid), "the server is dead")
        assert json.loads(await desk.call(who, "r__act", again=2))["pid"] != pid, "a dead session is opened again"


async def test_an_effect_whose_server_dies_is_held_and_a_read_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    began = tmp_path / "began"
    async with desk.server("s", **hostile("die")):
        who = await desk.begin()
        calling = asyncio.create_task(desk.call(who, "s__act", began=str(began)))
        await until(lambda: desk.plane.suspensions.asked, "the run is held")
        assert desk.plane.suspensions.asked[0][1] == "held"
        (row,) = await desk.plane.calls(who)
        assert (row["state"], row["code"]) == ("held", "outcome_unknown")
        assert len(began.read_text().split()) == 1
        calling.cancel()
    began.unlink()
    async with desk.server("r", **hostile("die")):
        who = await desk.begin()
        failed = await desk.failure(who, "r__act", began=str(began))
        assert failed.code in {Code.UPSTREAM_FAILED}
        assert len(began.read_text().split()) == 3, "three tries, each in a process of its own"


async def test_a_hanging_server_is_killed_at_the_deadline_with_its_children(desk: Desk, tmp_path: Path) -> None:
    began = tmp_path / "began"
    async with desk.server("s", **hostile("forks", timeout_s=1.0)):
        who = await desk.begin()
        calling = asyncio.create_task(desk.call(who, "s__act", began=str(began)))
        await until(lambda: desk.plane.suspensions.asked, "the run is held")
        pids = [int(pid) for pid in began.read_text().split()]
        await until(lambda: not any(alive(pid) for pid in pids), "the processes are gone", 10)
        calling.cancel()


@pytest.mark.parametrize("mode", ["garbage", "drip"])
async def test_a_server_that_sends_no_answer_fails_in_time(desk: Desk, mode: str) -> None:
    async with desk.server("s", **hostile(mode, timeout_s=1.0)):
        who = await desk.begin()
        calling = asyncio.create_task(desk.call(who, "s__act"))
        await until(lambda: desk.plane.suspensions.asked, "the run is held")
        calling.cancel()


async def test_answers_are_bounded_in_bytes(desk: Desk) -> None:
    async with desk.server("s", **hostile("flood", result_bytes_max=1_000_000)):
        who = await desk.begin()
        assert (await desk.failure(who, "s__act")).code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("mode", "tool", "said"),
    [
        ("nonsense", "act", "what is no result"),
        ("wants", "act", "asks for input"),
        ("refuses", "act", "not today"),
        ("lies", "sum", "does not fit the schema it promises"),
        ("plain", "sum", "does not fit the schema it promises"),
    ],
)
async def test_answers_that_are_none_fail_the_call(desk: Desk, mode: str, tool: str, said: str) -> None:
    async with desk.server("s", **hostile(mode)):
        failed = await desk.failure(await desk.begin(), f"s__{tool}")
        assert failed.code is Code.TOOL_FAILED
        assert said in failed.message


async def test_a_server_may_ask_for_nothing(desk: Desk) -> None:
    async with desk.server("s", **hostile("asks")):
        assert json.loads(await desk.call(await desk.begin(), "s__act")) == {"s1": True, "r1": True}
    async with desk.server("k", **hostile("keeps")):
        assert await desk.call(await desk.begin(), "k__sum") == {"n": 1}
