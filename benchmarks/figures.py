"""How every benchmark speaks: one JSON line per figure, options from AIRSIDE_BENCH_*."""

import json
import os
from typing import Any, TypeVar

T = TypeVar("T", int, float, str)


def figure(name: str, value: float | None, unit: str, **more: Any) -> None:
    """Print one figure as a JSON line. A figure that could not be measured has value None and a `reason`.

    Raises ValueError for a missing value without a reason.
    """
    if value is None and not more.get("reason"):
        raise ValueError(f"{name} was not measured; say why")
    line: dict[str, Any] = {"figure": name, "value": round(value, 6) if isinstance(value, float) else value}
    print(json.dumps(line | {"unit": unit} | more, default=str), flush=True)


def option(name: str, default: T) -> T:
    """Return AIRSIDE_BENCH_<NAME> from the environment, as the type of its default."""
    return type(default)(os.environ.get(f"AIRSIDE_BENCH_{name.upper()}", default))
