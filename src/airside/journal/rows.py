"""A call rebuilt from its row, for whoever closes it without having made it: orphans and batches."""

from airside.core.call import Call, CallKind, Effect
from airside.core.ports import Row
from airside.core.run import Identity


def call_of(row: Row) -> Call:
    """Return the call of a row joined with its run's, as far as its settlement needs it."""
    identity = Identity(
        tenant_id=row["tenant_id"],
        run_id=row["run_id"],
        attempt=row["attempt"],
        agent=row["agent"],
        release=row["release"],
        subject=row["subject"],
        budget_path=(),
        supervised=bool(row["supervised"]),
        deadline_us=0,
    )
    return Call(
        call_id=row["call_id"],
        kind=CallKind(row["kind"]),
        name=row["name"],
        token="",
        parts=(),
        effect=Effect(row["effect"]),
        idempotent=bool(row["idempotent"]),
        timeout_s=0.0,
        identity=identity,
        request_hash=bytes(row["request_hash"]),
        occurrence=row["occurrence"],
        try_number=row["try_number"],
        approval_id=row["approval_id"],
    )
