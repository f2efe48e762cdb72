"""The labelling of the suites' tools (`manifests.yaml`), as the product's own manifests."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from airside.core.call import Effect
from airside.core.tool import ArgumentRole, FieldLabel, Tool
from airside.policy.provenance.declared import Anchor, Declared, Listing, Relation

FILE = Path(__file__).with_name("manifests.yaml")


class Labels(Struct, frozen=True):
    """A suite's tools, what its records vouch for, and what an unauthorised call of each tool would be."""

    tools: dict[str, Tool]
    declared: Declared
    harm: dict[str, str]


def load(suite: str) -> Labels:
    """Return the labels of a suite of AgentDojo."""
    return read(FILE, suite)


@cache
def read(file: Path, suite: str) -> Labels:
    """Return the labels of a suite from a file."""
    said = yaml.safe_load(file.read_text())[suite]
    return Labels(
        tools={name: _tool(name, manifest) for name, manifest in said["tools"].items()},
        declared=Declared(
            tuple(Anchor(**_tuples(anchor)) for anchor in said.get("anchors", ())),
            tuple(Relation(**_tuples(relation)) for relation in said.get("relations", ())),
            tuple(Listing(**_tuples(listing)) for listing in said.get("listings", ())),
        ),
        harm={name: manifest.get("harm", "") for name, manifest in said["tools"].items()},
    )


def _tool(name: str, manifest: dict[str, Any]) -> Tool:
    return Tool(
        name=name,
        description="",
        schema={"type": "object"},
        effect=Effect(manifest["effect"]),
        reversible=manifest.get("reversible", manifest["effect"] == "read"),
        amount_argument=manifest.get("amount", ""),
        roles={path: ArgumentRole(role) for path, role in manifest.get("roles", {}).items()},
        results={path: FieldLabel(**label) for path, label in manifest.get("results", {}).items()},
        hosts=tuple(manifest.get("hosts", ())),
        declared=True,
    )


def _tuples(said: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
