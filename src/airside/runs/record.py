"""A run as its row in the database, and what outsiders may see of it."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from airside.core.ports import Row
from airside.core.run import TERMINAL, Identity, RunState
from airside.runs.vouching import principal_of


class RunRecord(Struct, frozen=True, kw_only=True):
    """One row of `runs`. `input` and `result` are content ids, `labels`, `budget_path`, `principal` and `untrusted`
    JSON texts.

    `suspend` is the state that the worker is asked to leave the run in; `version` numbers its transitions.
    """

    tenant_id: str
    run_id: str
    parent_run_id: str | None
    agent: str
    release: str
    subject: str
    state: RunState
    suspend: RunState | None
    version: int
    priority: int
    supervised: int
    attempt: int
    crashes: int
    input: bytes
    result: bytes | None
    code: str
    message: str
    labels: str
    budget_path: str
    wall_us_max: int
    running_us: int
    created_us: int
    ready_us: int
    started_us: int | None
    ended_us: int | None
    webhook_url: str | None
    principal: str = "{}"
    untrusted: str = "[]"
    caller: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and run id: what names a run in this process."""
        return self.tenant_id, self.run_id

    @property
    def terminal(self) -> bool:
        """Whether the run has ended for good."""
        return self.state in TERMINAL

    def identity(self, deadline_us: int, tools: tuple[str, ...]) -> Identity:
        """Return the identity under which the run's present attempt calls the gateways."""
        return Identity(
            tenant_id=self.tenant_id,
            run_id=self.run_id,
            attempt=self.attempt,
            agent=self.agent,
            release=self.release,
            subject=self.subject,
            budget_path=tuple(json.loads(self.budget_path)),
            supervised=bool(self.supervised),
            deadline_us=deadline_us,
            tools=tools,
            principal=principal_of(self.principal),
            caller=self.caller,
        )

    def public(self) -> dict[str, Any]:
        """Return what the management API shows: plain JSON values, no content."""
        return {
            "id": self.run_id,
            "agent": self.agent,
            "release": self.release,
            "state": self.state.value,
            "attempt": self.attempt,
            "priority": self.priority,
            "version": self.version,
            "code": self.code,
            "message": self.message,
            "labels": json.loads(self.labels),
            "principal": principal_of(self.principal),
            "parent": self.parent_run_id,
            "supervised": bool(self.supervised),
            "running_us": self.running_us,
            "created_us": self.created_us,
            "started_us": self.started_us,
            "ended_us": self.ended_us,
        }


def of_row(row: Row) -> RunRecord:
    """Return the run of a database row."""
    return msgspec.convert(dict(row), RunRecord)
