"""bench-guards: recall, false alarms and time of the guards as they are out of the box, on texts made by others.

Each topic yields figures from its own sets; one whose data is not on this machine says so and yields none.
`AIRSIDE_BENCH_GUARDS` names the topics (default: all), `AIRSIDE_BENCH_DATA` the folder of the sets.
"""

from pathlib import Path

from benchmarks.figures import figure, option
from benchmarks.guards import injection, latency, leakage, personal, secrets, tools

TOPICS = {
    "injection": injection.figures,
    "secrets": secrets.figures,
    "personal": personal.figures,
    "latency": latency.figures,
    "tools": tools.figures,
    "leakage": leakage.figures,
}


def main() -> None:
    """Print every figure, one JSON line each."""
    folder = Path(option("data", "../shared/data"))
    for topic in option("guards", ",".join(TOPICS)).split(","):
        for found in TOPICS[topic](folder):
            more = {name: value for name, value in found.items() if name not in {"figure", "value", "unit"}}
            figure(found["figure"], found["value"], found.get("unit", "share"), **more)


if __name__ == "__main__":
    main()
