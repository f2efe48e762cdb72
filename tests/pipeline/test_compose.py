"""The order of the steps, and that nothing unexpected gets past them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.pipeline.compose import compose

CALL = Call(
    call_id="call_1",
    kind=CallKind.MODEL,
    name="m",
    token="",
    parts=(),
    effect=Effect.READ,
    idempotent=True,
    timeout_s=1.0,
)
DONE = Outcome(state=CallState.OK, body=b"{}")


async def answer(call: Call) -> Outcome:
    return DONE


class Marking:
    """A step that notes when it is entered and left."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        self.seen.append(self.name)
        outcome = await forward(call)
        self.seen.append(f"/{self.name}")
        return outcome


async def test_the_first_step_is_the_outermost() -> None:
    seen: list[str] = []
    await compose([Marking(name, seen) for name in "abc"], answer)(CALL)
    assert seen == ["a", "b", "c", "/c", "/b", "/a"]


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_an_exception_anywhere_lets_nothing_through(at: int) -> None:
    reached: list[Call] = []

    async def terminal(call: Call) -> Outcome:
        reached.append(call)
        return DONE

    async def broken(call: Call, forward: Forward) -> Outcome:
        raise ValueError("the customer's card is 4111")

    seen: list[str] = []
    steps = [Marking("a", seen), Marking("b", seen)]
    with capture_logs() as logs, pytest.raises(AirsideError) as caught:
        await compose([*steps[:at], broken, *steps[at:]], terminal)(CALL)
    assert not reached
    assert caught.value.code is Code.INTERNAL
    error_id = str(caught.value.details["error_id"])
    assert error_id in caught.value.message
    assert [log["error_id"] for log in logs] == [error_id]
    assert "4111" not in str(logs)
    assert "4111" not in caught.value.message


async def test_inner_steps_meet_only_known_failures() -> None:
    met: list[BaseException] = []

    async def watching(call: Call, forward: Forward) -> Outcome:
        try:
            return await forward(call)
        except Exception as error:
            met.append(error)
            raise

    async def terminal(call: Call) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(AirsideError):
        await compose([watching], terminal)(CALL)
    assert [type(error) for error in met] == [AirsideError]


async def test_cancellation_and_known_errors_pass_unchanged() -> None:
    denied = AirsideError(Code.POLICY_DENIED)
    for error in (denied, asyncio.CancelledError()):

        async def terminal(call: Call, error: BaseException = error) -> Outcome:
            raise error

        with pytest.raises(type(error)) as caught:
            await compose([], terminal)(CALL)
        assert caught.value is error
