"""The policy in force, which follows its files: noticed by looking, or at SIGHUP, and swapped in one assignment."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from airside.core.call import Call
from airside.core.errors import AirsideError
from airside.core.policy import Counter, Decision
from airside.core.ports import Database, Notices, Transaction
from airside.core.tool import Tool
from airside.journal import events
from airside.policy.files import Change, PolicyFiles
from airside.policy.layers import LayeredPolicy

_log = structlog.get_logger(__name__)
READ_S = 30.0  # the longest that reading changed files may take before the old ones stay in force for another look


class LivePolicy:
    """Implements core.ports.Policy over files that may change at any time."""

    def __init__(self, files: PolicyFiles) -> None:
        self._files = files
        self.now = LayeredPolicy(files.layers)

    @property
    def version(self) -> str:
        """The name of what the rules say now."""
        return self.now.version

    def decide(self, call: Call, tool: Tool | None) -> Decision:
        """Return the verdict on a call by the rules as they are now."""
        return self.now.decide(call, tool)

    def counters(self, call: Call, tool: Tool) -> Sequence[Counter]:
        """Return the counters that a call would add to."""
        return self.now.counters(call, tool)

    async def look(self, *, anew: bool = False) -> Sequence[Change]:
        """Follow the files; return what has changed. Reading and compiling is done beside the loop."""
        async with asyncio.timeout(READ_S):
            changes = await asyncio.to_thread(self._files.look, anew=anew)
        if any(not change.problem for change in changes):
            self.now = LayeredPolicy(self._files.layers)
        return changes


class Reloading:
    """Looks after the files of a policy, and tells operators and the journal what became of changes."""

    def __init__(
        self, policy: LivePolicy, database: Database, notices: Notices, tenant_id: str, *, every_s: float
    ) -> None:
        self._policy = policy
        self._database = database
        self._notices = notices
        self._tenant_id = tenant_id
        self._every_s = every_s
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._heeds_hangup = False

    def start(self) -> None:
        """Begin to look. What is only observed is told at once, because it is let pass."""
        self._tell_observed()
        self._task = asyncio.create_task(self._follow())
        if not sys.stdin or not sys.stdin.isatty():  # a terminal's hangup ends the process, as it should
            with suppress(ValueError, RuntimeError, NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
                self._heeds_hangup = True

    async def close(self) -> None:
        """Stop looking."""
        if self._heeds_hangup:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            asked = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    asked = await self._asked.wait()
            self._asked.clear()
            try:
                await self._told(await self._policy.look(anew=asked))
            except (AirsideError, TimeoutError, OSError) as error:
                _log.warning("policy files could not be looked at", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - the old policy stays in force, and the next look may go well
                _log.exception("looking at policy files failed")

    async def _told(self, changes: Sequence[Change]) -> None:
        for change in changes:
            body: Mapping[str, Any] = {"layer": change.layer, "before": change.before, "process": os.getpid()}
            if change.problem:
                _log.error("policy file is broken; the old policy stays in force", problem=change.problem)
                self._notices.tell(
                    self._tenant_id, "policy.rejected", {"key": change.layer, "problem": change.problem[:500]}
                )
                entry = events.entry(events.POLICY_REJECTED, {**body, "line": change.line}, tenant_id=self._tenant_id)
            else:
                _log.info("policy changed", layer=change.layer, version=change.now)
                self._notices.tell(self._tenant_id, "policy.changed", {"key": change.layer, "version": change.now})
                entry = events.entry(events.POLICY_CHANGED, {**body, "now": change.now}, tenant_id=self._tenant_id)
            await self._database.transact(_appending(entry))
        if any(not change.problem for change in changes):
            self._tell_observed()

    def _tell_observed(self) -> None:
        observed = self._policy.now.observed()
        if observed:
            _log.warning("policy is only observed: what it would stop is let pass", layers_and_rules=observed[:20])
            self._notices.tell(self._tenant_id, "policy.observing", {"key": "observe", "only_observed": observed[:20]})


def _appending(entry: Any) -> Any:
    async def body(tx: Transaction) -> None:
        await tx.append(entry)

    return body
