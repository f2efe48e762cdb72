"""Who is asked for the facts that rules look at, in their order."""

from collections.abc import Sequence

from airside.composition.ground import Ground
from airside.composition.policy import policy_witness
from airside.core.ports import Witness
from airside.gateways.tools.guarding.risk import RiskWitness
from airside.guards.service import Guards
from airside.runs.services import RunServices


def witnesses(ground: Ground, services: RunServices, provenance: Witness, guards: Guards) -> Sequence[Witness]:
    """Return the witnesses of this installation."""
    return (
        services.reviewing.calibrations,
        provenance,
        RiskWitness(guards.risks),
        policy_witness(ground.settings, ground.policy, ground.backend.database),
    )
