"""A Decision: the verdict of policy on one call, with its reasons, and the Facts that it was decided on."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from airside.core.money import NanoUsd


class Verdict(StrEnum):
    """Deny beats ask, ask beats allow, and nothing said is deny."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


class Reason(Struct, frozen=True, omit_defaults=True):
    """One rule that spoke: its name, what it said and why it applied.

    One that asks says how many different people must agree, and whether the call goes to a higher step of the
    escalation chain at once.
    """

    rule: str
    verdict: Verdict
    because: str
    approvals: int = 1
    escalate: bool = False


class Origin(StrEnum):
    """Where the value of an argument comes from. Only what is listed in VOUCHED may decide whom an effect hits."""

    PROMPT = "prompt"  # the user's own words hold it
    PLAN = "plan"  # a constant of the run's plan
    TRUSTED = "trusted"  # a field of a result that its tool's manifest calls trusted
    ANCHORED = "anchored"  # it stands in an untrusted record that the user's own words named
    OWNED = "owned"  # a declared relation ties it to the principal
    ENDORSED = "endorsed"  # a person has vouched for this value
    UNTRUSTED = "untrusted"  # an untrusted result holds it, and nothing better does
    UNKNOWN = "unknown"  # nothing that the run has seen holds it


VOUCHED: Final = frozenset({Origin.PROMPT, Origin.PLAN, Origin.TRUSTED, Origin.ANCHORED, Origin.OWNED, Origin.ENDORSED})

CHOSEN: Final = VOUCHED - {Origin.TRUSTED}
"""Origins that show what the user wants. A trusted value is only genuine: whoever steers the agent may pick any."""


class Link(Struct, frozen=True):
    """The provenance of one argument: `argument` is its path, `role` its role in the manifest (empty: undeclared).

    `source` is the call, approval or other thing that the value was found in, `field` the place in it. Never holds the
    value itself.
    """

    argument: str
    role: str
    origin: Origin
    source: str = ""
    field: str = ""


class Planned(StrEnum):
    """How a call stands to its run's plan."""

    NO_PLAN = "no_plan"
    INSIDE = "inside"
    OUTSIDE = "outside"


class Counter(Struct, frozen=True):
    """An amount that an allowed call adds to a sum over a period, and the sum's limit, in nano-dollars or pieces.

    The sum is kept by `name` and the period's start (µs). It is checked again, and added to, in the transaction that
    writes the call's intent, so that concurrent calls stay within it together.
    """

    name: str
    period_start_us: int
    amount: int
    limit: int


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Facts(Struct, frozen=True, kw_only=True):
    """What rules look at beside the request itself, gathered by the step `evidence` before policy is asked.

    `at_us` is when (µs UTC). `links` are the provenance of the arguments. `taints` are what the run has come across
    before this call (`untrusted`, `secret`, or names of sources as `untrusted:inbox`). `leaves` names what would leave
    with this call and must not: `argument: secret stripe`, `argument: unknown link`. `moved` holds sums by their
    counter's name, as they stand. `confidence` is calibrated; None when there is no calibration to rely on. `stage` is
    that of the release; `caller` the role of whoever began the run. `risk` is how sure the surest finding of a guard
    was, in all that the run has come across, that somebody attacks (0 to 1; 0 is nothing found).
    """

    at_us: int = 0
    links: tuple[Link, ...] = ()
    planned: Planned = Planned.NO_PLAN
    taints: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    moved: Mapping[str, NanoUsd] = _NOTHING
    confidence: float | None = None
    stage: str = ""
    caller: str = ""
    risk: float = 0.0


class Decision(Struct, frozen=True):
    """A verdict, the rules that led to it, and the version (fingerprint) of the policy that was asked.

    `links` say of each argument where its value came from; `counters` are what the call adds to if it goes on.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    policy_version: str
    links: tuple[Link, ...] = ()
    counters: tuple[Counter, ...] = ()
