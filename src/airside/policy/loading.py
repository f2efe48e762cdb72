"""Reads a policy file. Every complaint names the file, the line and the key, because a policy is written by people."""

from pathlib import Path

from airside.config import typed_yaml
from airside.config.bounded_files import read_bounded
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rules
from airside.policy.windows import Place

FILE_BYTES_MAX = 4_194_304
ADVICE = "Correct the line; docs/policy.md lists every key."


def load(file: Path | None, place: Place | None = None) -> RulePolicy:
    """Return the policy in a file; without a file, one that denies every tool call.

    Raises AirsideError `misconfigured`.
    """
    return RulePolicy(Rules(), place) if file is None else parse(read_bounded(file, FILE_BYTES_MAX), str(file), place)


def parse(text: bytes | str, source: str = "policy", place: Place | None = None) -> RulePolicy:
    """Return the policy in a YAML text; `source` stands in complaints. Raises AirsideError `misconfigured`."""
    return RulePolicy(typed_yaml.parse(text, Rules, source=source, advice=ADVICE), place)
