"""What journal tests share: one tenant, runs with budgets, and calls made by hand."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from airside.core.call import Call, CallKind, CallState, Effect, Need, Outcome
from airside.core.ids import new_id
from airside.core.money import NanoUsd
from airside.core.ports import Admitted, Closing, Database, Journal, Opening, Sealed, Transaction
from airside.core.run import Identity
from airside.journal import events, queries

TENANT = "default"
RUN = "run_1"
FAR_US = 4_000_000_000_000_000
SQL = queries.load("tests.journal", "world.sql")


def who(run_id: str = RUN, attempt: int = 1, **changes: Any) -> Identity:
    """The identity of an attempt of a run."""
    known = {
        "tenant_id": TENANT,
        "run_id": run_id,
        "attempt": attempt,
        "agent": "shop",
        "release": "rel_1",
        "subject": "sub",
        "budget_path": (f"tenant:{TENANT}", f"run:{run_id}"),
        "supervised": True,
        "deadline_us": FAR_US,
    }
    return Identity(**(known | changes))


def call(request: str = "hello", **changes: Any) -> Call:
    """A tool call that writes and may need up to $0.01."""
    known: dict[str, Any] = {
        "call_id": new_id("call"),
        "kind": CallKind.TOOL,
        "name": "refund",
        "token": "",
        "parts": (request.encode(),),
        "effect": Effect.WRITE,
        "idempotent": False,
        "timeout_s": 1.0,
        "identity": who(),
        "request_hash": digest(request),
        "need": Need(fixed_nanousd=NanoUsd(10_000_000), fixed_tokens=10),
    }
    return Call(**(known | changes))


def digest(text: str) -> bytes:
    """A request hash."""
    return hashlib.sha256(text.encode()).digest()


def sealed(text: str, subject: str = "sub") -> Sealed:
    """A content whose sealing does not matter."""
    return Sealed(TENANT, subject, digest(text), text.encode())


def opening(a_call: Call, executor_id: str = "gw-1") -> Opening:
    """The opening of a call, its parts as contents."""
    contents = [sealed(part.decode()) for part in a_call.parts]
    intent = events.intent(a_call, executor_id, [content.content_id for content in contents])
    return Opening(call=a_call, executor_id=executor_id, intent=intent, contents=contents)


def closing(
    a_call: Call,
    state: CallState = CallState.OK,
    cost: int | None = 4_000_000,
    tokens: int | None = 7,
    answer: str = "done",
    **changes: Any,
) -> Closing:
    """The closing of a call, with its answer."""
    outcome = sealed(answer)
    event = events.outcome(a_call, Outcome(state=state, body=answer.encode()), outcome.content_id)
    price = None if cost is None else NanoUsd(cost)
    return Closing(call=a_call, state=state, event=event, outcome=outcome, cost=price, tokens=tokens, **changes)


async def opened(journal: Journal, a_call: Call) -> Call:
    """Open a call that must be admitted."""
    verdict = await journal.open(opening(a_call))
    assert isinstance(verdict, Admitted), verdict
    return msgspec.structs.replace(a_call, occurrence=verdict.occurrence)


async def done(journal: Journal, a_call: Call, **how: Any) -> Call:
    """Open and close a call."""
    a_call = await opened(journal, a_call)
    await journal.close(closing(a_call, **how))
    return a_call


async def start_run(
    database: Database, run_id: str = RUN, *, tenant_nanousd: int | None = None, **limits: int | None
) -> None:
    """A running run with its first attempt and its budget nodes; the run may spend $0.50 unless told otherwise."""
    known: dict[str, int | None] = {"nanousd": 500_000_000, "tokens": 100_000, "calls": 500, "turn_tool_calls": 10}

    async def body(tx: Transaction) -> None:
        path = who(run_id).budget_path
        text = msgspec.json.encode(path).decode()
        await tx.execute(SQL["add_run"], tenant_id=TENANT, run_id=run_id, attempt=1, input=b"{}", budget_path=text)
        await _attempt(tx, run_id, 1)
        free = dict.fromkeys(known) | {"nanousd": tenant_nanousd}
        await tx.execute(SQL["add_budget"], tenant_id=TENANT, node=path[0], **free)
        await tx.execute(SQL["add_budget"], tenant_id=TENANT, node=path[1], **(known | limits))

    await database.transact(body)


async def next_attempt(database: Database, run_id: str = RUN, attempt: int = 2) -> Identity:
    """End the attempt before and start this one."""

    async def body(tx: Transaction) -> None:
        await tx.execute(SQL["end_attempt"], tenant_id=TENANT, run_id=run_id, attempt=attempt - 1)
        await tx.execute(SQL["set_run"], tenant_id=TENANT, run_id=run_id, state="running", attempt=attempt, code="")
        await _attempt(tx, run_id, attempt)

    await database.transact(body)
    return who(run_id, attempt)


async def _attempt(tx: Transaction, run_id: str, attempt: int) -> None:
    await tx.execute(
        SQL["add_attempt"],
        tenant_id=TENANT,
        run_id=run_id,
        attempt=attempt,
        token_hash=digest(f"{run_id}/{attempt}"),
        lease_until_us=FAR_US,
    )


async def execute(database: Database, name: str, **parameters: object) -> int:
    """Run one statement of world.sql in a transaction."""
    return await database.transact(lambda tx: tx.execute(SQL[name], **parameters))


async def fetch(database: Database, name: str, **parameters: object) -> list[dict[str, Any]]:
    """Read with one statement of world.sql."""

    async def body(tx: Transaction) -> list[dict[str, Any]]:
        return [dict(row) for row in await tx.fetch(SQL[name], **parameters)]

    return await database.read(body)


async def budget(database: Database, node: str = f"run:{RUN}") -> dict[str, Any]:
    """One budget node as stored."""
    (row,) = await fetch(database, "budget", tenant_id=TENANT, node=node)
    return row


Make = Callable[[], Awaitable[None]]
