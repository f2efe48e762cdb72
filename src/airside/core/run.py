"""Runs, attempts and who is asking: the nouns that live longer than one call."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct


class RunState(StrEnum):
    """Where a run stands. Terminal states are never left."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    PARKED = "parked"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    ESCALATED = "escalated"
    CANCELLED = "cancelled"
    DIVERGED = "diverged"


TERMINAL = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.PARTIAL,
        RunState.FAILED,
        RunState.ESCALATED,
        RunState.CANCELLED,
        RunState.DIVERGED,
    }
)
"""States in which a run has ended. `held` is not among them: it waits for a person."""


class Role(StrEnum):
    """What a management API key may do; each role includes those before it, except `agent`, which stands alone."""

    AGENT = "agent"  # may call the gateways as an outside program; no management route
    VIEWER = "viewer"  # may read
    REVIEWER = "reviewer"  # may decide approvals
    OPERATOR = "operator"  # may submit, cancel, kill
    ADMIN = "admin"  # may manage keys and lift kills


class Principal(Struct, frozen=True):
    """The holder of a management API key."""

    tenant_id: str
    key_id: str
    name: str
    role: Role


_NOTHING: Mapping[str, str] = MappingProxyType({})


class Identity(Struct, frozen=True):
    """Who makes a call: what a run token, or an outside program's key, resolves to.

    `attempt` fences: the intent transaction refuses it once a newer attempt has started. `budget_path` names the
    budget nodes that every call of the run is charged to, from the tenant down to the run. `supervised` is true when a
    worker can end and re-run the attempt, so that a call may wait for a person. `subject` is whose personal data the
    content is (the end user, else the run itself); content is sealed under the subject's key. `principal` is what is
    known for certain of whom the run is for (`customer`, `user`, …), by whoever submitted it; ownership relations refer
    to it. `caller` is the role of the key that began the run. `caveats` are policies, as texts, that narrow what the
    token may do, besides the rules that hold for everybody; `only` are the tools that it was narrowed to, hosted or
    local (None: to none in particular).
    """

    tenant_id: str
    run_id: str
    attempt: int
    agent: str
    release: str
    subject: str
    budget_path: tuple[str, ...]
    supervised: bool
    deadline_us: int
    tools: tuple[str, ...] = ()
    principal: Mapping[str, str] = _NOTHING
    caller: str = ""
    caveats: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    @property
    def executor_of_attempt(self) -> str:
        """The executor name under which the attempt process itself runs local tools."""
        return executor_of_attempt(self.run_id, self.attempt)


def executor_of_attempt(run_id: str, attempt: int) -> str:
    """Return the executor name of an attempt. The journals' statements spell it too, where they ask who is alive."""
    return f"attempt:{run_id}/{attempt}"
