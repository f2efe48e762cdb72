"""What whoever submits a run says for certain of it: whom it is for, what is not the user's own words, and its plan."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.policy.plans.plan import Plan, read, written

PRINCIPAL_NAMES_MAX: Final = 20
NAME_CHARACTERS_MAX: Final = 60
VALUE_CHARACTERS_MAX: Final = 200
PATHS_MAX: Final = 100
PLAN_BYTES_MAX: Final = 262_144


def check(principal: Mapping[str, str], untrusted: Sequence[str], plan: bytes) -> None:
    """Raise AirsideError `invalid_request` or `limit_exceeded` for what cannot be kept."""
    if len(principal) > PRINCIPAL_NAMES_MAX or len(untrusted) > PATHS_MAX:
        raise AirsideError(
            Code.LIMIT_EXCEEDED, f"at most {PRINCIPAL_NAMES_MAX} names in principal and {PATHS_MAX} paths in untrusted"
        )
    for name, value in principal.items():
        if not name.isidentifier() or not name.isascii() or len(name) > NAME_CHARACTERS_MAX:
            raise AirsideError(Code.INVALID_REQUEST, f"principal: {name[:100]!r} is no name of letters, digits and _")
        if not value or len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
            raise AirsideError(
                Code.INVALID_REQUEST, f"principal.{name} needs 1 to {VALUE_CHARACTERS_MAX} printable characters"
            )
    if any(not path or len(path) > VALUE_CHARACTERS_MAX for path in untrusted):
        raise AirsideError(Code.INVALID_REQUEST, f"untrusted: paths have 1 to {VALUE_CHARACTERS_MAX} characters")
    if len(plan) > PLAN_BYTES_MAX:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the plan is over {PLAN_BYTES_MAX} bytes")
    if plan:
        plan_of(plan)


def plan_of(said: bytes) -> Plan:
    """Return the plan of a submission; raises `invalid_request`."""
    return read(canonical.parse(said, bytes_max=PLAN_BYTES_MAX))


def plan_bytes(plan: Plan) -> bytes:
    """Return a plan as it is kept."""
    return canonical.encode(written(plan))


def principal_of(said: str) -> dict[str, str]:
    """Return the principal of a run's row."""
    found: dict[str, str] = json.loads(said)
    return found
