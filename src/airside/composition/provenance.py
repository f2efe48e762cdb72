"""What runs have seen and planned, as configured: the past of every run, the witness that tells of it, commit_plan."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airside.composition.ground import Ground
from airside.config import typed_yaml
from airside.config.provenance import ProvenanceSettings
from airside.config.settings import Settings
from airside.core.tool import Tool
from airside.gateways.tools.catalogue import Execute, ToolCatalogue
from airside.gateways.tools.provenance.commit import COMMIT_PLAN, CommitPlan
from airside.gateways.tools.provenance.past import Past
from airside.gateways.tools.provenance.witness import ProvenanceWitness
from airside.guards.ports import Placeholders
from airside.policy.plans.plan import Plan
from airside.policy.provenance.declared import Anchor, Declared, Listing, Relation

PLAN_BYTES_MAX = 4_194_304


class Manifests:
    """Finds manifests by name once the catalogue is there; it needs what needs this."""

    def __init__(self) -> None:
        self._catalogue: ToolCatalogue | None = None

    def are_in(self, catalogue: ToolCatalogue) -> None:
        """Say where they are."""
        self._catalogue = catalogue

    def __call__(self, name: str) -> Tool | None:
        """Return the manifest of a tool, None for one that does not exist."""
        return self._catalogue.lookup(name) if self._catalogue is not None else None


class Provenance:
    """The parts that know of runs' pasts, around one memory of them."""

    def __init__(self, ground: Ground, manifest_of: Callable[[str], Tool | None], placeholders: Placeholders) -> None:
        settings, database = ground.settings, ground.backend.database
        self._past = Past(
            database,
            ground.keyring,
            manifest_of,
            declared(settings.provenance),
            {name: agent.prompt for name, agent in settings.agents.items()},
            runs_max=settings.provenance.runs_max,
            placeholders=placeholders,
        )
        self.witness = ProvenanceWitness(self._past, database, plans(settings), ground.secrets.watch)
        self._commit = CommitPlan(self._past, database, ground.keyring)

    def tools(self) -> Sequence[tuple[Tool, Execute]]:
        """Return the tool by which agents commit themselves."""
        return [(COMMIT_PLAN, self._commit)]


def declared(settings: ProvenanceSettings) -> Declared:
    """Return what the settings declare about records."""
    return Declared(
        tuple(Anchor(**_tuples(anchor.model_dump())) for anchor in settings.anchors),
        tuple(Relation(**_tuples(relation.model_dump())) for relation in settings.relations),
        tuple(Listing(**_tuples(listing.model_dump())) for listing in settings.listings),
    )


def plans(settings: Settings) -> Mapping[str, Plan]:
    """Return the plans of agents that have one; raises AirsideError `misconfigured`."""
    return {name: plan_file(agent.plan) for name, agent in settings.agents.items() if agent.plan is not None}


def plan_file(file: Path) -> Plan:
    """Return the plan in a YAML or JSON file; raises AirsideError `misconfigured`."""
    return typed_yaml.load(file, Plan, bytes_max=PLAN_BYTES_MAX, advice="docs/provenance.md shows a plan.")


def _tuples(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
