"""Files of cases: a text, where it stands, and what must be found in it. docs/guards.md shows one."""

from pathlib import Path
from typing import Final

from pydantic import Field

from airside.config import typed_yaml
from airside.config.fields import Section
from airside.config.guards import GuardName, ModeName, PlaceName

FILE_BYTES_MAX: Final = 67_108_864
ADVICE: Final = "docs/guards.md shows what a case looks like."


class Expected(Section):
    """One finding that there must be. What is empty is not looked at; `found` is the very text that is found."""

    guard: GuardName
    rule: str = Field(default="", max_length=200)
    kind: str = Field(default="", max_length=100)
    found: str = Field(default="", max_length=100_000)
    mode: ModeName | None = None


class Case(Section):
    """A text and all that must be found in it: nothing else may be flagged, replaced or blocked."""

    name: str = Field(default="", max_length=200)
    text: str = Field(max_length=16_777_216)
    place: PlaceName = "user"
    agent: str = Field(default="", max_length=200)
    stage: str = Field(default="", max_length=100)
    expect: tuple[Expected, ...] = Field(default=(), max_length=1_000)
    becomes: str | None = Field(default=None, max_length=16_777_216, description="the text as it goes on")


class CaseFile(Section):
    """A file of cases."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=100_000)


def load(file: Path) -> tuple[Case, ...]:
    """Return the cases of a YAML file; raises `misconfigured`, naming line and key."""
    return typed_yaml.load(file, CaseFile, bytes_max=FILE_BYTES_MAX, advice=ADVICE).cases
