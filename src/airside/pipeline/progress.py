"""Does the run get anywhere: the same calls with the same results, round after round, are noted and then stopped.

Four patterns, each told by how often it has been seen: `same_call` and `same_round` (one tool call, or two to four in
turn, with equal arguments and equal results), `same_request` (an equal request to a model, whatever it answers) and
`same_answer` (a model that is told the same again in a growing conversation, and says the same again; to say "yes" to
many different questions is work). Tools named in `tools.polling` are left out.

What is remembered here only says when to look: the verdict is on the journal's record of the run, so that it survives
restarts, counts what other processes served, and a replayed call is the call it replays. Stopping is `no_progress`:
the call is refused, and a supervised run ends `partial`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from airside.config.budgets import ProgressSettings
from airside.core.call import Call, CallKind, Outcome
from airside.core.errors import Code
from airside.core.lru import Lru
from airside.core.ports import Forward, Notices, Suspensions
from airside.core.run import Identity
from airside.pipeline.refusal import Refusal

WINDOW = 64
"""How many of a run's latest calls are looked at."""

ROUND_MAX = 4
RUNS_MAX = 20_000


class Made(Struct, frozen=True):
    """A call that has an outcome. `result` tells results apart; `said` is a model's text unless it called tools."""

    kind: str
    name: str
    request: bytes
    result: bytes
    said: str = ""


class Pattern(Struct, frozen=True):
    """A way of getting nowhere, and how often it has been seen, the call in question not counted."""

    name: str
    times: int
    length: int = 1


class Recent(Protocol):
    """The journal's record of a run."""

    async def made(self, who: Identity, limit: int) -> Sequence[Made]:
        """Return the run's latest calls that have an outcome, the oldest first."""
        ...


class Seen:
    """What this process remembers of a run, in order to know when to look."""

    __slots__ = ("answers", "look", "newest", "output", "requests", "told")

    def __init__(self, *, look: bool) -> None:
        self.requests: deque[bytes] = deque(maxlen=WINDOW)
        self.newest = b""
        self.output = -1
        self.answers = 0
        self.look = look
        self.told: set[str] = set()


def find(history: Sequence[Made], call: Call, polling: frozenset[str] = frozenset()) -> Sequence[Pattern]:
    """Return the patterns that a call would go on with. Pure."""
    if call.kind is CallKind.MODEL:
        models = [made for made in history if made.kind == CallKind.MODEL]
        requests = sum(made.request == call.request_hash for made in models)
        return [Pattern("same_request", requests), Pattern("same_answer", _same_answers(history))]
    tools = [made for made in history if made.kind == CallKind.TOOL and made.name not in polling]
    return [_round(tools, call.request_hash, length) for length in range(1, ROUND_MAX + 1)]


def _same_answers(history: Sequence[Made]) -> int:
    """Count how often a model has said the same last, with nothing else in between but what came back to it."""
    last, times = "", 0
    for made in reversed(history):
        if made.kind != CallKind.MODEL or not made.said or (times and made.said != last):
            break
        last, times = made.said, times + 1
    return times


def _round(tools: Sequence[Made], request: bytes, length: int) -> Pattern:
    """Count the equal rounds of so many calls that `tools` ends with, if `request` begins the next one."""
    name = "same_call" if length == 1 else "same_round"
    if len(tools) < length or tools[-length].request != request:
        return Pattern(name, 0, length)
    same = 0
    while same + length < len(tools) and _equal(tools[-1 - same], tools[-1 - same - length]):
        same += 1
    return Pattern(name, (same + length) // length, length)


def _equal(one: Made, other: Made) -> bool:
    return one.request == other.request and one.result == other.result


class Progress:
    """Notes and stops runs that get nowhere; `limits_of` gives an agent's settings, `polling` names tools that may."""

    def __init__(
        self,
        recent: Recent,
        limits_of: Callable[[str], ProgressSettings],
        polling: frozenset[str],
        suspensions: Suspensions,
        notices: Notices,
    ) -> None:
        self._recent = recent
        self._limits_of = limits_of
        self._polling = polling
        self._suspensions = suspensions
        self._notices = notices
        self._runs: Lru[tuple[str, str], Seen] = Lru(RUNS_MAX)

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass the call on, with a note if it repeats what was done; raises `no_progress` when that is too often."""
        limits = self._limits_of(call.who.agent)
        if not limits.enabled or (call.kind is CallKind.TOOL and call.name in self._polling):
            return await forward(call)
        seen = self._of(call.who)
        if _suspicious(seen, call, limits):
            call = await self._judged(call, seen, limits)
        seen.requests.append(call.request_hash)
        outcome = await forward(call)
        if call.kind is CallKind.MODEL:
            newest = _newest(call)
            again = outcome.usage.output == seen.output and newest == seen.newest
            seen.answers = seen.answers + 1 if again else 1
            seen.output, seen.newest = outcome.usage.output, newest
        return outcome

    async def _judged(self, call: Call, seen: Seen, limits: ProgressSettings) -> Call:
        history = await self._recent.made(call.who, WINDOW)
        if seen.look:
            seen.requests.extend([made.request for made in history])
            seen.look = False
        for found in find(history, call, self._polling):
            again = seen.answers if _newest(call) == seen.newest else 0
            pattern = found if found.name != "same_answer" else replace(found, times=min(found.times, again))
            same_request = pattern.name == "same_request"
            if pattern.times >= (limits.requests_stop if same_request else limits.repeats_stop):
                await self._stop(call, pattern)
            if pattern.times >= (limits.requests_warn if same_request else limits.repeats_warn):
                note = {"pattern": pattern.name, "times": pattern.times, "length": pattern.length}
                call = replace(call, notes={**call.notes, "progress": note})
                self._tell(call, seen, note)
        return call

    def _tell(self, call: Call, seen: Seen, note: dict[str, object]) -> None:
        """Tell operators of each pattern once in a run."""
        if note["pattern"] not in seen.told:
            seen.told.add(str(note["pattern"]))
            who = call.who
            told = {"key": f"{who.run_id} {note['pattern']}", "run": who.run_id, "agent": who.agent, "name": call.name}
            self._notices.tell(who.tenant_id, "run.no_progress", {**told, **note})

    async def _stop(self, call: Call, pattern: Pattern) -> None:
        what = {
            "same_call": f"{call.name} was called {pattern.times} times with equal arguments and equal results",
            "same_round": f"the same {pattern.length} calls were made {pattern.times} times in turn with equal results",
            "same_request": f"the model {call.name} was asked the same {pattern.times} times",
            "same_answer": f"the model {call.name} has said the same {pattern.times} times",
        }[pattern.name]
        message = f"the run gets nowhere: {what}"
        if call.who.supervised:
            await self._suspensions.suspend(call.who, "partial", message)
        details = {"pattern": pattern.name, "times": pattern.times, "length": pattern.length}
        raise Refusal(call, Code.NO_PROGRESS, message, details=details)

    def _of(self, who: Identity) -> Seen:
        key = (who.tenant_id, who.run_id)
        seen = self._runs.get(key)
        if seen is None:
            seen = Seen(look=who.attempt > 1)
            self._runs.put(key, seen)
        return seen


def _newest(call: Call) -> bytes:
    """Return the name of the last message of a request; its last part are the parameters."""
    return call.part_ids[-2] if len(call.part_ids) > 1 else b""


def _suspicious(seen: Seen, call: Call, limits: ProgressSettings) -> bool:
    """Whether the journal should be asked: the run was taken over, or what is remembered looks like a pattern."""
    if call.kind is CallKind.MODEL and seen.answers >= limits.repeats_warn:
        return True
    return seen.look or seen.requests.count(call.request_hash) >= limits.repeats_warn
