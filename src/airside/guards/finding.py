"""The vocabulary of guards: what is found, where the text stands, and what follows from it."""

from enum import StrEnum
from typing import Final

from msgspec import Struct


class Guard(StrEnum):
    """What a guard looks for."""

    SECRETS = "secrets"
    PERSONAL = "personal"
    INJECTION = "injection"
    LEAKAGE = "leakage"  # the system prompt, a canary, the agent's own instructions
    EXFILTRATION = "exfiltration"  # links and images that carry data away
    SCHEMA = "schema"
    RULES = "rules"
    TOOLS = "tools"  # calls of tools that do not exist
    REFUSAL = "refusal"
    TOXICITY = "toxicity"
    GROUNDEDNESS = "groundedness"


class Place(StrEnum):
    """Where a checked text stands: whose words they are, and to whom they go."""

    SYSTEM = "system"  # to the model, by the developer
    USER = "user"  # to the model, by the user
    HISTORY = "history"  # to the model, what it said before
    RESULT = "result"  # what a tool gave back, on its way to the agent or the model
    DESCRIPTION = "description"  # of a tool, to the model
    ANSWER = "answer"  # of the model, to the agent
    ARGUMENTS = "arguments"  # of the agent, to a tool


class Mode(StrEnum):
    """What follows from a finding, the gentlest first. Each does what those before it do."""

    OFF = "off"  # not looked for
    OBSERVE = "observe"  # journaled
    FLAG = "flag"  # raises the run's risk, and operators are told
    TOKENISE = "tokenise"  # a placeholder goes on in its place, which those who may are given back as the value
    REDACT = "redact"  # a label goes on in its place
    BLOCK = "block"  # the call is refused


FOREIGN: Final = frozenset({Place.USER, Place.RESULT, Place.DESCRIPTION})
"""Places whose words may be an attacker's."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something that a guard found in a text; never holds the text itself.

    `rule` names the rule, unique in its guard (`aws_access_key`, `ignore_instructions.de`). `kind` is what placeholders
    and settings call it, upper case for personal data and secrets (`EMAIL`, `PERSON`, `SECRET`), else as `rule`.
    `start` and `end` are characters of the checked text, half open; a finding in a decoded part has the span of what
    was decoded, and `via` says through what (`("base64",)`). `score` is between 0 and 1: how sure the guard is.
    """

    guard: Guard
    rule: str
    kind: str
    start: int
    end: int
    score: float = 1.0
    via: tuple[str, ...] = ()
