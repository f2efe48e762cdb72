"""The end of a pipeline as a test wants it: answers, failures, and a note of every call that came."""

from collections.abc import Awaitable, Callable

from airside.core import canonical
from airside.core.call import Call, CallState, Outcome, Usage
from airside.core.money import NanoUsd

Act = Outcome | BaseException | Callable[[Call], Awaitable[Outcome]]


class ScriptedTerminal:
    """The end of a pipeline: does what it is told, call by call, and keeps the calls that reached it.

    An act is an Outcome to return, an exception to raise, or an async function of the call. After the last act the
    terminal answers every call with its arguments.
    """

    def __init__(self, *acts: Act) -> None:
        self.calls: list[Call] = []
        self._acts = list(acts)

    async def __call__(self, call: Call) -> Outcome:
        """Play the next act."""
        self.calls.append(call)
        act = self._acts.pop(0) if self._acts else echo(call)
        if isinstance(act, Outcome):
            return act
        if isinstance(act, BaseException):
            raise act
        return await act(call)


def echo(call: Call) -> Outcome:
    """Return an answer that names the call's parts, with a usage of 10 tokens and a cost of 1,000 nano-dollars."""
    body = canonical.encode({"echo": [part.decode() for part in call.parts]})
    return Outcome(
        state=CallState.OK, body=body, usage=Usage(input=7, output=3), cost=NanoUsd(1_000), upstream="scripted"
    )
