"""Rules in YAML, and the decision on a call that follows from them. Pure: no I/O but reading the file at start."""

from airside.policy.decision import RulePolicy
from airside.policy.loading import load, parse

__all__ = ["RulePolicy", "load", "parse"]
