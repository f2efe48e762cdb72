"""A Decision: the verdict of policy on one call, with its reasons."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """Deny beats ask, ask beats allow, and nothing said is deny."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


class Reason(Struct, frozen=True):
    """One rule that spoke: its name, what it said and why it applied."""

    rule: str
    verdict: Verdict
    because: str


class Decision(Struct, frozen=True):
    """A verdict, the rules that led to it, and the version (fingerprint) of the policy that was asked."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    policy_version: str
