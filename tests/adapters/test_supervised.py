"""Agents of every framework, killed in the middle and waiting for people, in processes of their own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.adapters.supervised import ANSWER, Desk, here, reply, serving_desk
from tests.fake_providers import text

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
EFFECTS = ["look wall", "note one", "pin two"]
each = pytest.mark.parametrize("framework", here())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DESK_EFFECTS", str(folder / "effects"))
        async with serving_desk(folder) as desk:
            yield desk


@pytest.fixture
def desk(served: Desk) -> Desk:
    """The running airside with nothing asked or done yet."""
    served.clear()
    return served


def succeeded(desk: Desk, run: dict[str, Any]) -> None:
    assert not desk.provider.refusals, desk.provider.refusals
    assert run["state"] == "succeeded", (run["state"], run)
    assert run["result"] == ANSWER


@each
@pytest.mark.parametrize("kind", ["agent", "streaming"])
async def test_killed_in_the_middle_it_asks_and_does_nothing_twice(desk: Desk, framework: str, kind: str) -> None:
    undisturbed = await desk.until(await desk.start(framework, {"kind": kind}))
    succeeded(desk, undisturbed)
    asked = desk.provider.requests
    assert (len(asked), sorted(desk.effects)) == (3, EFFECTS)
    desk.clear()
    desk.crash_file.write_text("look")
    crashed = await desk.until(await desk.start(framework, {"kind": kind}))
    succeeded(desk, crashed)
    assert (undisturbed["attempt"], crashed["attempt"]) == (1, 2)
    assert desk.provider.requests == asked, "something was asked again, or came back changed"
    assert sorted(desk.effects) == ["look wall", *EFFECTS], "only what reads may be done again"


@each
async def test_killed_within_an_effect_it_is_held_for_a_person(desk: Desk, framework: str) -> None:
    desk.crash_file.write_text("pin")
    run = await desk.until(await desk.start(framework, {"kind": "agent"}))
    assert run["state"] == "held", run
    assert [effect for effect in desk.effects if effect.startswith("pin")] == ["pin two"]


@each
@pytest.mark.parametrize("kind", ["careful", "careful_streaming"])
async def test_what_the_framework_wants_approved_waits_for_people(desk: Desk, framework: str, kind: str) -> None:
    run_id = await desk.start(framework, {"kind": kind})
    for _ in range(3):
        run = await desk.until(run_id, "waiting_approval")
        if run["state"] != "waiting_approval":
            break
        for approval in await desk.pending(run_id):
            assert approval["tool"] not in [effect.split()[0] for effect in desk.effects]
            if approval["tool"] == "note":
                await desk.decide(approval["id"], "approve", arguments={"text": "three"})
            else:
                await desk.decide(approval["id"], "deny", reason="no pins")
        run = await desk.until(run_id)
    succeeded(desk, run)
    assert run["attempt"] in {2, 3}
    assert sorted(desk.effects) == ["look wall", "note three"]
    assert len(desk.provider.seen) == 3, "the attempt after the decision replays"
    told = str(desk.provider.requests[1])
    assert "three" in told
    assert "no pins" in told


@pytest.mark.parametrize(
    ("framework", "kind", "actors"),
    [
        ("openai_agents", "triage", ["triage", "desk", "desk", "desk", "desk", "desk", "desk"]),
        ("langgraph", "team", ["Writer", "Writer", "Writer", "Writer", "reading"]),
    ],
)
async def test_who_acted_is_told_from_the_journal(desk: Desk, framework: str, kind: str, actors: list[str]) -> None:
    if framework not in here():
        pytest.skip(f"{framework} is not installed")
    desk.provider.reply = lambda body: text("done") if kind == "team" and "PINNED" in str(body) else reply(body)
    try:
        run = await desk.until(await desk.start(framework, {"kind": kind}))
    finally:
        desk.provider.reply = reply
    assert run["state"] == "succeeded", run
    assert await desk.actors(run["id"]) == actors
