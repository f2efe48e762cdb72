"""What guards add to tool calls: a value of 1 KB read and judged, with and without detectors, and values named.

CPU time on one core. Without detectors it is what the steps themselves cost; remembered verdicts are those of values
that were met before.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from airside.config.guards import GuardSettings
from airside.config.settings import DatabaseSettings
from airside.core.run import Identity
from airside.gateways.tools.guarding.values import guarded
from airside.guards.defaults import detectors
from airside.guards.detector import Detector
from airside.guards.finding import Place
from airside.guards.placeholders.vault import Vault
from airside.guards.ports import Value
from airside.guards.risk.runs import RunRisks
from airside.guards.scanner import Scanner
from airside.guards.service import Guards
from airside.journal.backend import Backend, connect
from airside.journal.sealing import DatabaseKeyring

ROUNDS: Final = 1_000
_MS: Final = 1e6  # nanoseconds
_WHO: Final = Identity("default", "run", 1, "agent", "rel", "subject", (), True, 0)


class _Nobody:
    """Operators that nobody tells anything."""

    def tell(self, tenant_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Tell nobody."""


def figures(_: Path) -> Iterator[Mapping[str, Any]]:
    """Yield what guards add to tool calls."""
    yield from asyncio.run(_measured())


async def _measured() -> list[Mapping[str, Any]]:
    backend = await connect("memory:", settings=DatabaseSettings(), executor_id="bench")
    keyring = DatabaseKeyring(backend.database, b"k" * 32)
    values = [_value(number) for number in range(ROUNDS)]
    size = len(json.dumps(values[0]))
    found: list[Mapping[str, Any]] = []
    for name, asked in (("steps", []), ("default", list(detectors(GuardSettings())))):
        guards = _guards(backend, keyring, asked)

        async def check(number: int, guards: Guards = guards) -> None:
            await guarded(guards, _WHO, values[number], Place.RESULT, size=size)

        for kind in ("fresh", "remembered"):
            ms = await _median_ms(check)
            found.append({"figure": f"guards.tool_value_ms_{name}_{kind}", "value": ms, "unit": "ms", "bytes": size})
    vault = Vault(backend.database, keyring, values_max=ROUNDS)

    async def name_one(number: int) -> None:
        await vault.names(_WHO, [Value("EMAIL", f"someone.{number}@example.org")])

    for kind in ("fresh", "remembered"):
        ms = await _median_ms(name_one)
        found.append({"figure": f"guards.placeholder_ms_{kind}", "value": ms, "unit": "ms"})
    await backend.close()
    return found


def _guards(backend: Backend, keyring: DatabaseKeyring, asked: Sequence[Detector]) -> Guards:
    return Guards(
        GuardSettings(),
        Scanner(asked, text_bytes_max=1 << 24, verdicts_max=ROUNDS * 2),
        Vault(backend.database, keyring, values_max=ROUNDS),
        RunRisks(backend.database),
        _Nobody(),
        lambda _: "",
    )


def _value(number: int) -> Mapping[str, Any]:
    orders = [
        {"id": f"ORD-{number}-{at}", "status": "shipped on tuesday", "items": ["a grey coat", f"{at} buttons"], "n": at}
        for at in range(10)
    ]
    return {"orders": orders}


async def _median_ms(work: Callable[[int], Awaitable[None]]) -> float:
    took = []
    for number in range(ROUNDS):
        begun = time.process_time_ns()
        await work(number)
        took.append(time.process_time_ns() - begun)
    return round(median(took) / _MS, 4)
