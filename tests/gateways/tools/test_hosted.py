"""The tool host: what it tells, what it runs, and what becomes of calls when it or a tool misbehaves."""

import asyncio
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airside.config.tools import ToolSettings
from airside.core.call import Effect, Outcome
from airside.core.errors import AirsideError, Code, TransientError
from tests.gateways.tools.tooling import MODULES, Tooling, settings, tooling_of, until


def result(outcome: Outcome) -> Any:
    return msgspec.json.decode(outcome.body)["result"]


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_manifests_say_what_was_declared_and_assume_the_worst_otherwise(tooling: Tooling) -> None:
    refund, undeclared = tooling.catalogue.lookup("refund"), tooling.catalogue.lookup("undeclared")
    assert refund is not None
    assert undeclared is not None
    assert (refund.effect, refund.idempotent, refund.reversible) == (Effect.WRITE, False, False)
    assert (refund.amount_argument, refund.amount_unit) == ("amount", "cents")
    assert (undeclared.effect, undeclared.idempotent, undeclared.reversible) == (Effect.EXECUTE, False, False)


async def test_schemas_and_descriptions_come_from_signature_and_docstring(tooling: Tooling) -> None:
    find, refund = tooling.catalogue.lookup("find_order"), tooling.catalogue.lookup("refund")
    assert find is not None
    assert refund is not None
    assert find.description == (
        "Look an order up.\n\nThe second paragraph belongs to the description too.\n\n"
        "Returns:\n    What is known of it."
    )
    assert refund.description == "Pay money back."
    assert find.schema["properties"]["order_id"]["description"] == "the order's number, as printed on the invoice"
    assert find.schema["required"] == ["order_id"]
    assert find.schema["additionalProperties"] is False
    assert set(refund.schema["properties"]) == {"order_id", "amount", "reason", "note"}, "the context is not offered"
    assert refund.schema["properties"]["amount"] == {
        "description": "how much, in cents",
        "exclusiveMinimum": 0,
        "title": "Amount",
        "type": "integer",
    }


async def test_sync_and_async_tools_return_json(tooling: Tooling) -> None:
    found = await tooling.call("find_order", order_id="A1", with_lines=True)
    assert result(found) == {
        "order_id": "A1",
        "day": "2026-11-22",
        "total": "12.50",
        "lines": [{"article": "pen", "pieces": 2}],
    }
    paid = await tooling.call("refund", order_id="A1", amount=5, reason="late")
    call_id = tooling.calls[-1].call_id
    assert result(paid) == {"refunded": 5, "key": call_id, "run": "run_1", "tenant": "acme"}
    odd = await tooling.call("undeclared", json={"a": 1}, _x=[{"article": "pen", "pieces": 2}])
    assert result(odd) == "{'a': 1} [Line(article='pen', pieces=2)]"


async def test_numbers_and_text_survive_exactly(tooling: Tooling) -> None:
    value = {"big": 2**70, "float": 0.1, "text": "ü\u0000\U0001f600", "none": None, "deep": [[[{}]]]}
    assert result(await tooling.call("echo", value=value)) == value


async def test_the_host_is_a_stranger_in_its_own_session(tooling: Tooling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("SHOP_URL", "sqlite://")
    async with tooling_of(settings(env_pass=["SHOP_URL"])) as made:
        seen = result(await made.call("look_around"))
    assert seen["session_leader"] is True
    assert "SHOP_URL" in seen["environment"]
    assert "OPENAI_API_KEY" not in seen["environment"]
    assert seen["dumpable"] == 0


@pytest.mark.parametrize(
    ("name", "code"), [("wait_read", Code.UPSTREAM_FAILED), ("wait_idempotent", Code.UPSTREAM_FAILED)]
)
async def test_a_call_that_may_be_sent_again_is_transient_when_the_host_dies(
    tooling: Tooling, tmp_path: Path, name: str, code: Code
) -> None:
    failure = await _killed_in_flight(tooling, tmp_path, name)
    assert isinstance(failure, TransientError)
    assert failure.code is code
    assert failure.details.get("not_sent") is not True
    (tmp_path / "go").touch()
    assert result(await tooling.call(name, signal_file=str(tmp_path / "go"))) == "done"


async def test_an_effect_in_flight_is_unknown_when_the_host_dies(tooling: Tooling, tmp_path: Path) -> None:
    failure = await _killed_in_flight(tooling, tmp_path, "wait_write")
    assert not isinstance(failure, TransientError)
    assert failure.code is Code.OUTCOME_UNKNOWN


async def _killed_in_flight(tooling: Tooling, tmp_path: Path, name: str) -> AirsideError:
    pid = tooling.hosted.pid
    assert pid is not None
    calling = asyncio.create_task(tooling.failure(name, signal_file=str(tmp_path / "go")))
    await until((tmp_path / "began").exists, "the tool begins")
    os.kill(pid, signal.SIGKILL)
    failure = await calling
    await until(lambda: tooling.hosted.pid not in {None, pid}, "the host is back")
    return failure


async def test_a_call_to_a_host_that_is_dead_but_not_yet_buried_was_not_sent(tooling: Tooling, tmp_path: Path) -> None:
    life = tooling.hosted._life
    assert life is not None
    life.writer.close()
    failure = await tooling.failure("wait_write", signal_file=str(tmp_path / "go"))
    assert isinstance(failure, TransientError)
    assert failure.details["not_sent"] is True


async def test_calls_wait_for_a_host_that_is_being_restarted(tooling: Tooling) -> None:
    assert (await tooling.failure("kill_myself")).code is Code.OUTCOME_UNKNOWN
    answers = await asyncio.gather(*[tooling.call("echo", value=number) for number in range(20)])
    assert [result(answer) for answer in answers] == list(range(20))


async def test_under_random_kills_no_effect_happens_twice_and_every_answer_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFECTS", str(tmp_path))
    async with tooling_of(settings(env_pass=["EFFECTS"], concurrency_max=8)) as made:
        killing = asyncio.create_task(_kill_often(made, tmp_path / "refund", times=5))
        asked = [made.call("refund", order_id="A1", amount=n + 1, reason="late") for n in range(200)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await killing
    effects = (tmp_path / "refund").read_text().split()
    assert len(effects) == len(set(effects)), "an effect happened twice"
    done = {result(answer)["key"] for answer in answers if isinstance(answer, Outcome)}
    assert done <= set(effects), "an answer without its effect"
    failures = [answer for answer in answers if isinstance(answer, AirsideError)]
    assert len(done) + len(failures) == 200
    unsent = sum(failure.details.get("not_sent") is True for failure in failures)
    unknown = sum(failure.code is Code.OUTCOME_UNKNOWN for failure in failures)
    assert unsent + unknown == len(failures)
    assert unknown > 0, "no kill met a call in flight"
    assert len(effects) <= len(done) + unknown


async def _kill_often(tooling: Tooling, effects: Path, times: int) -> None:
    """Kill the host each time after ten more effects, so that every kill meets effects that are not yet told."""

    def happened() -> int:
        return len(effects.read_text().split()) if effects.exists() else 0

    for _ in range(times):
        enough = happened() + 10
        await until(functools.partial(lambda enough: happened() >= enough, enough), "effects happen")
        pid = await until(lambda: tooling.hosted.pid, "the host runs")
        os.kill(pid, signal.SIGKILL)
        await until(functools.partial(lambda pid: tooling.hosted.pid not in {None, pid}, pid), "the host is back")


async def test_a_host_that_babbles_is_replaced(tooling: Tooling) -> None:
    first = tooling.hosted.pid
    assert (await tooling.failure("babble")).code is Code.UPSTREAM_FAILED
    assert result(await tooling.call("echo", value=1)) == 1
    assert tooling.hosted.pid != first


async def test_timeouts_by_class_of_tool(tooling: Tooling, tmp_path: Path) -> None:
    read, write, idempotent = await asyncio.gather(
        tooling.failure("hang_read", path=str(tmp_path)),
        tooling.failure("hang_write"),
        tooling.failure("hang_idempotent"),
    )
    assert isinstance(read, TransientError)
    assert read.code is Code.UPSTREAM_TIMEOUT
    assert write.code is Code.OUTCOME_UNKNOWN
    assert isinstance(idempotent, TransientError)


async def test_when_every_slot_hangs_the_host_is_started_anew(tmp_path: Path) -> None:
    async with tooling_of(settings(concurrency_max=2)) as made:
        first = made.hosted.pid
        await asyncio.gather(*[made.failure("hang_read", path="x") for _ in range(2)])
        assert result(await made.call("echo", value=1)) == 1
        assert made.hosted.pid != first


async def test_a_call_without_a_free_slot_was_certainly_not_sent(tmp_path: Path) -> None:
    async with tooling_of(settings(concurrency_max=1)) as made:
        waiting = asyncio.create_task(made.call("wait_write", signal_file=str(tmp_path / "go")))
        await until((tmp_path / "began").exists, "the only slot is taken")
        late = await made.failure("hang_write")
        assert isinstance(late, TransientError)
        assert late.details["not_sent"] is True
        (tmp_path / "go").touch()
        assert result(await waiting) == "done"


async def test_what_a_tool_raises_is_its_answer(tooling: Tooling) -> None:
    failure = await tooling.failure("raise_error", kind="value")
    assert (failure.code, failure.message) == (Code.TOOL_FAILED, "ValueError: no such order: 4711")
    assert not isinstance(failure, TransientError)
    assert (await tooling.failure("raise_error", kind="exit")).message == "SystemExit: 3"
    assert (await tooling.failure("raise_error", kind="stop")).code is Code.TOOL_FAILED
    assert isinstance(await tooling.failure("raise_error", kind="transient"), TransientError)
    assert result(await tooling.call("echo", value="alive")) == "alive"


@pytest.mark.parametrize(
    ("kind", "message"),
    [("surrogate", "ValueError: no such file: ?\ufffd"), ("mute", "_MuteError: (its message cannot be shown)")],
)
async def test_an_exception_that_cannot_be_written_down_is_an_answer_too(
    tooling: Tooling, kind: str, message: str
) -> None:
    failure = await tooling.failure("raise_error", kind=kind)
    assert (failure.code, failure.message) == (Code.TOOL_FAILED, message)


@pytest.mark.parametrize("kind", ["nan", "object", "surrogate"])
async def test_results_must_be_json(tooling: Tooling, kind: str) -> None:
    failure = await tooling.failure("not_json", kind=kind)
    assert failure.code is Code.TOOL_FAILED
    assert "result" in failure.message


async def test_results_have_a_limit() -> None:
    async with tooling_of(settings(result_bytes_max=10_000)) as made:
        assert len(result(await made.call("big", bytes_count=9_998))) == 9_998
        failure = await made.failure("big", bytes_count=9_999)
        assert failure.code is Code.LIMIT_EXCEEDED
        assert "10000" in failure.message


async def test_ten_megabytes_pass_beside_other_calls(tooling: Tooling) -> None:
    huge, small = await asyncio.gather(tooling.call("big", bytes_count=10_000_000), tooling.call("echo", value=1))
    assert len(result(huge)) == 10_000_000
    assert result(small) == 1


async def test_64_calls_at_once_keep_their_answers(tooling: Tooling) -> None:
    calls = [tooling.call("pause" if n % 8 == 0 else "echo", **_arguments(n)) for n in range(64)]
    answers = [result(answer) for answer in await asyncio.gather(*calls)]
    assert answers == ["waited" if n % 8 == 0 else {"number": n} for n in range(64)]


def _arguments(number: int) -> dict[str, Any]:
    return {"seconds": 0.05} if number % 8 == 0 else {"value": {"number": number}}


async def test_closing_takes_the_tools_children_along() -> None:
    async with tooling_of(settings()) as made:
        child = result(await made.call("leave_child"))
        host = made.hosted.pid
        assert host is not None
        assert alive(child)
    await until(lambda: not alive(child), "the child is gone")
    assert not alive(host)


async def test_the_host_dies_with_its_gateway(tmp_path: Path) -> None:
    program = tmp_path / "gateway.py"
    program.write_text(
        "import asyncio, os\n"
        "from airside.config.tools import ToolSettings\n"
        "from airside.gateways.tools.hosted import HostedTools\n"
        "async def main():\n"
        f"    hosted = HostedTools(ToolSettings(modules=['shop'], path=[{str(MODULES)!r}]), lambda tools: None)\n"
        "    await hosted.start()\n"
        "    print(hosted.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    gateway = await asyncio.create_subprocess_exec(sys.executable, str(program), stdout=asyncio.subprocess.PIPE)
    assert gateway.stdout is not None
    host = int(await gateway.stdout.readline())
    assert alive(host)
    gateway.kill()
    await gateway.wait()
    await until(lambda: not alive(host), "the host is gone")


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("broken", None, ["broken cannot be imported: RuntimeError: the shop's database", "broken.py, line 4"]),
        ("nowhere", None, ["nowhere cannot be imported: ModuleNotFoundError", "tools.path"]),
        ("syntax", "def f(:\n    pass\n", ["SyntaxError", "syntax.py, line 1"]),
        (
            "bare",
            "from airside import tool\n@tool\ndef f(x):\n    pass\n",
            ["'f' (bare, line 2)", "no type annotation"],
        ),
        ("stars", "from airside import tool\n@tool\ndef f(*a: int):\n    pass\n", ["'a' cannot be given by name"]),
        ("sums", "from airside import tool\n@tool(amount='x')\ndef f(a: int):\n    pass\n", ["amount names 'x'"]),
        (
            "named",
            "from airside import tool\n@tool(name='a b')\ndef f():\n    pass\n",
            ["'a b' is no name", "named, line 2"],
        ),
        ("gone", "import os\nos._exit(1)\n", ["died while it started"]),
    ],
)
async def test_what_cannot_be_served_is_told_at_start(
    tmp_path: Path, module: str, text: str | None, expected: list[str]
) -> None:
    if text is not None:
        (tmp_path / f"{module}.py").write_text(text)
    with pytest.raises(AirsideError) as caught:
        async with tooling_of(ToolSettings(modules=[module], path=[MODULES, tmp_path])):
            pass
    assert caught.value.code is Code.MISCONFIGURED
    for part in expected:
        assert part in caught.value.message


async def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    for module in ("one", "two"):
        (tmp_path / f"{module}.py").write_text("from airside import tool\n@tool\ndef same():\n    pass\n")
    with pytest.raises(AirsideError, match="declared twice: in one, line 2 and in two"):
        async with tooling_of(ToolSettings(modules=["one", "two"], path=[tmp_path])):
            pass
    (tmp_path / "three.py").write_text("from airside import tool\n@tool\ndef note():\n    pass\n")
    with pytest.raises(AirsideError, match=r"tools\.local names note"):
        async with tooling_of(ToolSettings(modules=["three"], path=[tmp_path])):
            pass


async def test_without_modules_there_is_no_host() -> None:
    async with tooling_of(ToolSettings()) as made:
        assert made.hosted.pid is None
        assert made.catalogue.manifests() == ()


async def test_calls_of_a_tool_that_knows_how_are_made_together(tooling: Tooling) -> None:
    items = ["tea", "milk", "sugar"]
    outcomes = await asyncio.gather(*(tooling.call("stock", item=item) for item in items))
    assert [result(outcome)["item"] for outcome in outcomes] == items
    assert max(result(outcome)["asked_with"] for outcome in outcomes) > 1
