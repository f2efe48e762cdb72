"""What a rule of this package has found, before it is a finding."""

from enum import IntEnum
from typing import NamedTuple


class Rank(IntEnum):
    """Which of two rules that found the same characters speaks: the greater."""

    GENERIC = 0
    NAMED = 1
    STRUCTURE = 2
    TOKEN = 3
    BLOCK = 4


class Hit(NamedTuple):
    """Characters [start, end) of a text, the rule and the kind that they were found by, and how sure it is."""

    rule: str
    kind: str
    start: int
    end: int
    score: float
    rank: Rank
