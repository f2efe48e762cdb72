"""Taking a task on: the run's row is written first, and everything else follows from it."""

import hashlib
import json
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from airside.config.settings import Settings
from airside.core import canonical
from airside.core.clock import SECOND_US
from airside.core.errors import AirsideError, Code
from airside.core.ports import Sealed, Transaction
from airside.core.run import RunState
from airside.journal.queries import load
from airside.runs import transitions, vouching
from airside.runs.budgets import Node
from airside.runs.off_peak import OFF_PEAK
from airside.runs.record import RunRecord, of_row

_SQL = load("airside.runs", "runs.sql")

IDEMPOTENCY_US = 24 * 3_600 * SECOND_US
KEY_CHARACTERS_MAX = 255
LABELS = ("business_unit", "workflow", "customer", "user")
LABEL_CHARACTERS_MAX = 200
PRIORITY_MAX = 100
URL_CHARACTERS_MAX = 2_000


class Submission(Struct, frozen=True, kw_only=True):
    """A task for an agent. `input` is any JSON value, as canonical bytes.

    `labels` may name `business_unit`, `workflow`, `customer` and `user`; the customer, else the user, is the subject
    whose data the run handles. It begins not before `not_before_us`, and with the window `off_peak` not before that
    window opens. `priority` is -100 to 100 and, as with `nice`, the lower number goes first. `by` is
    the name of the key that submitted it, `caller` its role. `principal` is what it knows for certain of whom the run
    is for, `untrusted` are paths in the input that are not the user's own words, `plan` the run's plan as JSON.
    """

    tenant_id: str
    agent: str
    input: bytes
    labels: dict[str, str] = {}
    priority: int = 0
    webhook_url: str = ""
    idempotency_key: str = ""
    parent_run_id: str = ""
    not_before_us: int = 0
    window: str = ""
    by: str = ""
    principal: dict[str, str] = {}
    untrusted: tuple[str, ...] = ()
    plan: bytes = b""
    caller: str = ""

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 by which a repeated submission is told from another one under the same key."""
        parts = msgspec.to_builtins(self, builtin_types=(bytes,)) | {
            "input": self.input.decode(),
            "plan": self.plan.decode(),
            "idempotency_key": "",
            "by": "",
        }
        return hashlib.sha256(canonical.encode(parts)).digest()

    def subject(self, run_id: str) -> str:
        """Whose personal data the run's content is: the customer's, else the user's, else the run stands for itself."""
        if customer := self.labels.get("customer"):
            return f"customer:{customer}"
        return f"user:{self.labels['user']}" if self.labels.get("user") else run_id


def check(submission: Submission, settings: Settings) -> None:
    """Raise AirsideError for a submission that no run can be made of."""
    if submission.agent not in settings.agents:
        raise AirsideError(Code.UNKNOWN_AGENT, f"no agent is called {submission.agent[:100]!r}")
    if len(submission.input) > settings.server.body_bytes_max:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the input is over {settings.server.body_bytes_max} bytes")
    if abs(submission.priority) > PRIORITY_MAX:
        raise AirsideError(Code.INVALID_REQUEST, f"priority must be from -{PRIORITY_MAX} to {PRIORITY_MAX}")
    if len(submission.idempotency_key) > KEY_CHARACTERS_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"Idempotency-Key is over {KEY_CHARACTERS_MAX} characters")
    for name, value in submission.labels.items():
        if name not in LABELS:
            raise AirsideError(Code.INVALID_REQUEST, f"unknown label {name[:100]!r}; known are {', '.join(LABELS)}")
        if not value or len(value) > LABEL_CHARACTERS_MAX:
            raise AirsideError(Code.INVALID_REQUEST, f"label {name} needs 1 to {LABEL_CHARACTERS_MAX} characters")
        if not value.isprintable():  # labels name budgets, in more than one notation
            raise AirsideError(Code.INVALID_REQUEST, f"label {name} holds characters that cannot be printed")
    if submission.window not in {"", OFF_PEAK}:
        raise AirsideError(Code.INVALID_REQUEST, f"window must be empty or {OFF_PEAK}")
    vouching.check(submission.principal, submission.untrusted, submission.plan)
    if submission.webhook_url:
        _check_url(submission.webhook_url)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > URL_CHARACTERS_MAX:
        raise AirsideError(
            Code.INVALID_REQUEST, f"webhook_url must be http(s)://host/…, at most {URL_CHARACTERS_MAX} characters"
        )


def fresh(
    submission: Submission,
    content: Sealed,
    nodes: list[Node],
    *,
    wall_us_max: int,
    run_id: str,
    release: str,
    now_us: int,
    ready_us: int = 0,
) -> RunRecord:
    """Return the row of a new run that waits to be executed; `content` is its sealed input."""
    return RunRecord(
        tenant_id=submission.tenant_id,
        run_id=run_id,
        parent_run_id=submission.parent_run_id or None,
        agent=submission.agent,
        release=release,
        subject=submission.subject(run_id),
        state=RunState.QUEUED,
        suspend=None,
        version=1,
        priority=submission.priority,
        supervised=1,
        attempt=0,
        crashes=0,
        input=content.content_id,
        result=None,
        code="",
        message="",
        labels=json.dumps(submission.labels, sort_keys=True),
        budget_path=json.dumps([node.name for node in nodes]),
        wall_us_max=wall_us_max,
        running_us=0,
        created_us=now_us,
        ready_us=max(now_us, ready_us),
        started_us=None,
        ended_us=None,
        webhook_url=submission.webhook_url or None,
        principal=json.dumps(submission.principal, sort_keys=True),
        untrusted=json.dumps(submission.untrusted),
        caller=submission.caller,
    )


async def write(tx: Transaction, run: RunRecord, content: Sealed, by: str = "") -> None:
    """Write a new run with its sealed input."""
    await tx.store(content)
    await transitions.insert(tx, run, by)


async def take_key(tx: Transaction, submission: Submission, run_id: str) -> RunRecord | None:
    """Reserve the idempotency key for `run_id`, or return the run that an equal submission has already made.

    Raises `idempotency_conflict` if the key was used with another body within 24 hours.
    """
    named = {"tenant_id": submission.tenant_id, "idempotency_key": submission.idempotency_key}
    taken = await tx.execute(
        _SQL["take_idempotency_key"],
        **named,
        body_hash=submission.fingerprint,
        run_id=run_id,
        expires_us=tx.now_us + IDEMPOTENCY_US,
        now_us=tx.now_us,
    )
    if taken:
        return None
    row = await tx.one(_SQL["idempotency"], **named, now_us=tx.now_us)
    if row is None:
        raise AirsideError(Code.CONFLICT, "the Idempotency-Key expired this instant; send the request again")
    if bytes(row["body_hash"]) != submission.fingerprint:
        raise AirsideError(Code.IDEMPOTENCY_CONFLICT)
    first = await tx.one(_SQL["get"], tenant_id=submission.tenant_id, run_id=row["run_id"])
    if first is None:
        raise AirsideError(Code.CONFLICT, "the run made with this Idempotency-Key is gone")
    return of_row(first)
