"""The review queue, where it needs more than runs: edits are checked by schema and policy when they are saved."""

from collections.abc import Mapping
from typing import Any

from airside.composition.ground import Ground
from airside.gateways.tools.arguments import compile_schema
from airside.runs.reviewing.preview import Preview
from airside.runs.services import RunServices


def open_reviews(ground: Ground, services: RunServices) -> None:
    """Let reviewers' edits be checked at once."""
    services.reviews.preview = Preview(_fits, lambda: ground.policy, ground.clock)


def _fits(schema: Mapping[str, Any], arguments: Any) -> None:
    compile_schema(schema).check(arguments)
