"""What of the queue is wanted, and in which order."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct


class Filter(Struct, frozen=True, kw_only=True):
    """Empty filters match everything; `by_risk` puts in front what to look at first."""

    state: str = ""
    run_id: str = ""
    tool: str = ""
    agent: str = ""
    risk_min: int = 0
    by_risk: bool = False

    @property
    def columns(self) -> Mapping[str, Any]:
        """The parameters of the statement."""
        names = ("state", "run_id", "tool", "agent", "risk_min")
        return {name: getattr(self, name) for name in names}


NO_FILTER: Final = Filter()
