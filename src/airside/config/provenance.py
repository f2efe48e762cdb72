"""Settings of provenance: which records vouch for their values, and whose they are."""

from typing import Annotated

from pydantic import Field

from airside.config.fields import Section

Path = Annotated[str, Field(max_length=300)]
Argument = Annotated[str, Field(min_length=3, max_length=300, pattern=r"^\S+\.\S+$")]
Tool = Annotated[str, Field(min_length=1, max_length=200)]


class AnchorSettings(Section):
    """A record that the user names by its key, and what counts as named with it."""

    tool: Tool
    record: Path = Field(default="", description="where the records stand in the result: `*`, `orders.*`")
    keys: list[Path] = Field(min_length=1, max_length=20, description="fields by which people call it: title, name")
    values: list[Path] = Field(min_length=1, max_length=100, description="fields that are named with it: id, email")
    arguments: list[Argument] = Field(min_length=1, max_length=100, description="`TOOL.PATH` that they are good for")
    identity: Path = Field(default="", description="tells records apart; the first of `values` if empty")
    beginning: bool = Field(default=False, description="half of a key's words name it too, from the first on")


class RelationSettings(Section):
    """A record that belongs to whom the run is for, and what in it is then theirs."""

    tool: Tool
    record: Path = ""
    owner: Path = Field(description="the field that says whose it is")
    principal: str = Field(
        pattern=r"^[A-Za-z0-9_]{1,60}$", description="the name in the run's principal that it equals"
    )
    values: list[Path] = Field(min_length=1, max_length=100)
    arguments: list[Argument] = Field(min_length=1, max_length=100)


class ListingSettings(Section):
    """A list of what exists in one's own house: its entries are genuine, as these arguments."""

    tool: Tool
    field: Path
    arguments: list[Argument] = Field(min_length=1, max_length=100)


class ProvenanceSettings(Section):
    """What is declared about the records that tools return. docs/provenance.md explains each with examples."""

    anchors: list[AnchorSettings] = Field(default=[], max_length=1_000)
    relations: list[RelationSettings] = Field(default=[], max_length=1_000)
    listings: list[ListingSettings] = Field(default=[], max_length=1_000)
    runs_max: int = Field(default=1_000, ge=1, le=100_000, description="runs whose past a process remembers")
