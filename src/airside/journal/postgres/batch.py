"""One batch of operations in one transaction: stand, lock, decide, write, commit. Five round trips, however many.

Decisions are `rulings`; here they meet the rows. An operation that cannot be decided or written fails the batch, and
the writer then runs the operations one by one, so that only the guilty one fails.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from airside.core import budget
from airside.core.budget import Balance, Granted
from airside.core.call import REPLAYABLE, Call, CallState
from airside.core.errors import AirsideError, Code
from airside.core.money import ZERO
from airside.core.ports import Admission, Admitted, Closed, Entry, Sealed
from airside.core.text import storable
from airside.journal import queries
from airside.journal.postgres import rulings
from airside.journal.postgres.counting import Counting
from airside.journal.postgres.failures import Stale
from airside.journal.postgres.operations import Close, Open, Operation, Refuse
from airside.journal.postgres.rulings import Path, Standing
from airside.journal.postgres.transaction import bound, columns, content_columns, entry_columns

SQL = queries.load(__package__, "hot.sql")
_NEW = (
    *("new_tenant_ids", "new_run_ids", "new_call_ids", "new_kinds", "new_names", "new_effects", "new_idempotents"),
    *("new_states", "new_hashes", "new_ranks", "new_attempts", "new_tries", "new_executors", "new_paths"),
    *("new_nanousds", "new_tokens", "new_outputs", "new_codes", "new_messages", "new_outcomes", "new_approvals"),
    *("new_edited", "new_keys"),
)
_END = (
    *("end_tenant_ids", "end_run_ids", "end_call_ids", "end_tries", "end_executors", "end_states", "end_costs"),
    *("end_tokens", "end_upstreams", "end_codes", "end_messages", "end_outcomes", "end_attempts", "end_delivered"),
)
_NODE = (
    *("node_tenants", "nodes", "node_spent_nanousds", "node_spent_tokens", "node_spent_calls", "node_turns"),
    *("node_nanousds", "node_tokens", "node_calls"),
)
_ANSWER = ("answer_tenants", "answer_calls", "answer_ids", "answer_blobs")
_STAND = ("tenant_ids", "run_ids", "call_ids", "attempts", "approval_ids", "fenced")
_NOTHING = Granted(ZERO, 0, 0)
_LATER = -1  # the occurrence of a new call, until the database has numbered it


async def run(connection: Any, operations: Sequence[Operation]) -> list[Any]:
    """Do the operations in a transaction of their own and return their results, in order, after the commit.

    Results are those of core.ports.Journal. Raises whatever fails the batch as a whole, after rolling back.
    """
    await connection.execute("BEGIN")
    try:
        results = await _Batch(connection).apply(operations)
        await connection.execute("COMMIT")
    except BaseException:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
        raise
    return results


class _Batch:
    """The state of one batch: balances under lock, and the rows to be written."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._counting = Counting(connection)
        self._now_us = 0
        self._balances: dict[tuple[str, str], Balance] = {}
        self._new: list[tuple[object, ...]] = []
        self._ends: list[tuple[object, ...]] = []
        self._entries: list[Entry] = []
        self._contents: dict[tuple[str, str, bytes], Sealed] = {}
        self._answers: list[tuple[object, ...]] = []
        self._ranks: dict[tuple[str, str, bytes], int] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._reopened: list[dict[str, object]] = []
        self._consumed: list[dict[str, object]] = []

    async def apply(self, operations: Sequence[Operation]) -> list[Any]:
        """Do everything but the commit."""
        standings = await self._stand(operations)
        self._now_us = standings[0]["now_us"]
        await self._lock(operations, standings)
        await self._counting.lock(operations)
        results: list[Any] = [None] * len(operations)
        pairs = list(enumerate(zip(operations, standings, strict=True)))
        for position, (operation, standing) in pairs:
            if isinstance(operation, Close):  # first, because what they give back may admit an intent of this batch
                results[position] = self._close(operation, standing)
        for position, (operation, standing) in pairs:
            if isinstance(operation, Open):
                results[position] = self._open(operation, standing)
            elif isinstance(operation, Refuse):
                await self._refuse(operation, standing)
        await self._write(operations, results)
        return results

    async def _stand(self, operations: Sequence[Operation]) -> Sequence[Standing]:
        rows = [
            (
                operation.call.who.tenant_id,
                operation.call.who.run_id,
                operation.call.call_id,
                operation.call.who.attempt,
                operation.approval_id,
                isinstance(operation, Open),
            )
            for operation in operations
        ]
        sql, values = bound(SQL["stand"], dict(zip(_STAND, columns(rows, len(_STAND)), strict=True)))
        found: Sequence[Standing] = await self._connection.fetch(sql, *values)
        return found

    async def _lock(self, operations: Sequence[Operation], standings: Sequence[Standing]) -> None:
        keys: set[tuple[str, str]] = set()
        for operation, standing in zip(operations, standings, strict=True):
            tenant_id = operation.call.who.tenant_id
            if isinstance(operation, Open):
                keys.update([(tenant_id, node) for node in operation.call.who.budget_path])
            if standing["state"] == "open":
                keys.update([(tenant_id, node) for node in rulings.path_nodes(standing["budget_path"])])
        if keys:
            tenant_ids, nodes = zip(*keys, strict=True)
            sql, values = bound(SQL["lock_nodes"], {"tenant_ids": list(tenant_ids), "nodes": list(nodes)})
            for row in await self._connection.fetch(sql, *values):
                self._balances[row["tenant_id"], row["node"]] = rulings.balance(row)

    def _path(self, tenant_id: str, nodes: tuple[str, ...]) -> Path:
        try:
            return [(node, self._balances[tenant_id, node]) for node in nodes]
        except KeyError as error:
            raise AirsideError(Code.INTERNAL, f"the budget node {error.args[0][1]!r} does not exist") from None

    def _changed(self, tenant_id: str, nodes: tuple[str, ...]) -> None:
        self._dirty.update([(tenant_id, node) for node in nodes])

    def _open(self, operation: Open, standing: Standing) -> Admission:
        opening, call, who = operation.opening, operation.call, operation.call.who
        if operation.doubtful and rulings.repeated(standing, opening):
            return Admitted(rulings.held_by(standing), standing["occurrence"], standing["opened_us"])
        refused = (
            rulings.fence(standing, who.attempt, idempotent=call.idempotent)
            or rulings.approval_gone(standing, call)
            or self._counting.full(call, self._now_us)
        )
        if refused:
            return refused
        earlier = rulings.held_by(standing) if standing["state"] == "open" else None
        verdict = rulings.admit(self._path(who.tenant_id, who.budget_path), call, earlier)
        if not isinstance(verdict, Granted):
            return verdict
        self._changed(who.tenant_id, who.budget_path)
        self._counting.add(call)
        if standing["state"] is None:
            self._add(call, CallState.OPEN, executor_id=opening.executor_id, granted=verdict)
        else:
            self._reopen(operation, standing, verdict, earlier)
        if call.approval_id:
            self._consumed.append(
                {"tenant_id": who.tenant_id, "approval_id": call.approval_id, "call_id": call.call_id}
            )
        self._entries.append(opening.intent)
        for content in opening.contents:
            self._store(content)
        return Admitted(verdict, _LATER if standing["state"] is None else standing["occurrence"], self._now_us)

    def _close(self, operation: Close, standing: Standing) -> Closed:
        closing, call, who = operation.closing, operation.call, operation.call.who
        if standing["state"] != "open" or (operation.late and standing["try_number"] != call.try_number):
            return Closed(standing["closed_us"] or self._now_us)
        nodes = rulings.path_nodes(standing["budget_path"])
        path = self._path(who.tenant_id, nodes)
        cost, tokens = rulings.settle(path, standing, closing)
        self._counting.close(call, closing.state)
        self._changed(who.tenant_id, nodes)
        self._ends.append(
            (
                *(who.tenant_id, who.run_id, call.call_id, standing["try_number"], standing["executor_id"]),
                *(closing.state.value, cost, tokens, storable(closing.upstream), closing.code),
                storable(closing.message),
                closing.outcome.content_id if closing.outcome else None,
                *(who.attempt, closing.delivered and not operation.late),
            )
        )
        self._entries.append(closing.event)
        self._answer(call, closing.outcome)
        return Closed(self._now_us, budget.fills(path))

    async def _refuse(self, operation: Refuse, standing: Standing) -> None:
        if operation.doubtful:
            event = operation.event
            key = {"tenant_id": event.tenant_id, "run_id": event.run_id, "call_id": event.call_id}
            sql, values = bound(SQL["refused_already"], key | {"type": event.type, "body": event.body})
            if await self._connection.fetchval(sql, *values):
                return
        if operation.state in REPLAYABLE and standing["state"] is None:
            self._add(operation.call, operation.state, refusal=operation)
        self._entries.append(operation.event)
        self._answer(operation.call, operation.outcome)

    def _add(
        self,
        call: Call,
        state: CallState,
        *,
        executor_id: str = "",
        granted: Granted = _NOTHING,
        refusal: Refuse | None = None,
    ) -> None:
        who = call.who
        request = (who.tenant_id, who.run_id, call.request_hash)
        rank = self._ranks[request] = self._ranks.get(request, -1) + 1
        code, message = (refusal.error.code, storable(refusal.error.message)) if refusal else ("", "")
        self._new.append(
            (
                *(who.tenant_id, who.run_id, call.call_id, call.kind, storable(call.name), call.effect),
                *(int(call.idempotent), state, call.request_hash, rank, who.attempt, call.try_number, executor_id),
                *(rulings.path_text(who.budget_path), granted.nanousd, granted.tokens, granted.output_tokens),
                *(code, message, refusal.outcome.content_id if refusal and refusal.outcome else None),
                *(call.approval_id, int(call.edited), call.request_key or None),
            )
        )

    def _reopen(self, operation: Open, standing: Standing, granted: Granted, earlier: Granted | None) -> None:
        call, who = operation.call, operation.call.who
        self._reopened.append(
            {
                "tenant_id": who.tenant_id,
                "run_id": who.run_id,
                "call_id": call.call_id,
                "attempt": who.attempt,
                "try_number": call.try_number,
                "executor_id": operation.opening.executor_id,
                "budget_path": rulings.path_text(who.budget_path),
                "reserved_nanousd": granted.nanousd,
                "reserved_tokens": granted.tokens,
                "output_tokens_granted": granted.output_tokens,
                "settled_nanousd": earlier.nanousd if earlier else 0,
                "settled_tokens": earlier.tokens if earlier else 0,
                "approval_id": call.approval_id,
                "edited": int(call.edited),
                "now_us": self._now_us,
                "state_before": standing["state"],
                "try_before": standing["try_number"],
            }
        )

    def _store(self, content: Sealed) -> None:
        self._contents[content.tenant_id, content.subject, content.content_id] = content

    def _answer(self, call: Call, sealed: Sealed | None) -> None:
        if sealed:
            self._answers.append((sealed.tenant_id, call.call_id, sealed.content_id, sealed.blob))

    async def _write(self, operations: Sequence[Operation], results: list[Any]) -> None:
        for name, rows in (("reopen", self._reopened), ("consume_approval", self._consumed)):
            for parameters in rows:
                sql, values = bound(SQL[name], parameters)
                if await self._connection.execute(sql, *values) != "UPDATE 1":
                    raise Stale(name)
        await self._counting.write()
        if not self._entries:
            return
        sql, values = bound(SQL["write"], self._parameters())
        written: Mapping[str, int] = dict(await self._connection.fetch(sql, *values))
        if len(written) != len(self._new) + len(self._ends):
            raise Stale("write")
        for position, operation in enumerate(operations):
            result = results[position]
            if isinstance(result, Admitted) and result.occurrence == _LATER:
                results[position] = Admitted(result.granted, written[operation.call.call_id], result.at_us)

    def _parameters(self) -> dict[str, object]:
        contents = [self._contents[key] for key in sorted(self._contents)]
        sealed = dict(
            zip(
                ("content_tenants", "content_subjects", "content_ids", "content_blobs"),
                content_columns(contents).values(),
                strict=True,
            )
        )
        return {
            "now_us": self._now_us,
            **dict(zip(_NEW, columns(self._new, len(_NEW)), strict=True)),
            **dict(zip(_END, columns(self._ends, len(_END)), strict=True)),
            **dict(zip(_NODE, columns([self._node(*key) for key in self._dirty], len(_NODE)), strict=True)),
            **entry_columns(self._entries),
            **sealed,
            **dict(zip(_ANSWER, columns(self._answers, len(_ANSWER)), strict=True)),
        }

    def _node(self, tenant_id: str, node: str) -> tuple[object, ...]:
        b = self._balances[tenant_id, node]
        return (
            *(tenant_id, node, b.spent_nanousd, b.spent_tokens, b.spent_calls, b.turn_tool_calls),
            *(b.reserved_nanousd, b.reserved_tokens, b.reserved_calls),
        )
