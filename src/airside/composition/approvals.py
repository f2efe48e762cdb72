"""The review queue, where it needs more than runs: what its settings name exists, and edits are checked when saved."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from airside.composition.ground import Ground
from airside.config.approvals import ApprovalSettings
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.arguments import compile_schema
from airside.runs.reviewing.preview import Preview
from airside.runs.services import RunServices


def open_reviews(ground: Ground, services: RunServices) -> None:
    """Let reviewers' edits be checked at once. Raises AirsideError `misconfigured` if nobody could ever be told."""
    check(ground.settings.approvals)
    services.reviews.preview = Preview(_fits, lambda: ground.policy, ground.clock)


def check(settings: ApprovalSettings) -> None:
    """Raise `misconfigured` for a target that does not exist, or for targets without the extra that tells them."""
    for number, step in enumerate(settings.escalation):
        if unknown := sorted(set(step.notify) - settings.targets.keys()):
            raise AirsideError(
                Code.MISCONFIGURED, f"approvals.escalation[{number}].notify: there is no target {unknown[0]}"
            )
    if settings.targets and find_spec("apprise") is None:
        raise AirsideError(
            Code.MISCONFIGURED, "approvals.targets needs Apprise", advice="pip install 'airside[notify]'"
        )


def _fits(schema: Mapping[str, Any], arguments: Any) -> None:
    compile_schema(schema).check(arguments)
