"""An airside in memory, for tests of agents and of airside itself: the real journal, pipeline and rules, no network.

`InMemoryPlane` runs on the SQLite journal without a file. Its parts that stand for people and other machines are small
and scripted: a clock that the test moves, a terminal that answers and fails as told, reviewers, and the kill switch.
"""

from airside.testing.calls import model_call, tool_call
from airside.testing.clock import FakeClock
from airside.testing.people import NotedSuspensions, Reviewers, ScriptedIdentities
from airside.testing.plane import InMemoryPlane
from airside.testing.terminal import ScriptedTerminal, echo

__all__ = [
    "FakeClock",
    "InMemoryPlane",
    "NotedSuspensions",
    "Reviewers",
    "ScriptedIdentities",
    "ScriptedTerminal",
    "echo",
    "model_call",
    "tool_call",
]
