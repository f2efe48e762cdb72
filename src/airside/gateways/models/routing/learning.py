"""From recorded outcomes to a fitted classifier: `airside routing fit`.

The prompts are read where they are stored, sealed, under their subjects' keys: whose key was destroyed is not learned
from. Several verdicts on one answer are weighed by who speaks: a person's feedback beats an evaluation, that beats a
cascade's check.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from airside.core.call import Usage
from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.gateways.models.provider import Route
from airside.gateways.models.routing.classifier import ROWS_MIN, Learned, Sample, learn
from airside.gateways.models.routing.exchange import Option, kept, rate_for
from airside.gateways.models.routing.features import VERSION, Seen, features
from airside.gateways.models.routing.fitted import FLOORS, Fitted
from airside.gateways.models.routing.needs import BYTES_PER_TOKEN, OUTPUT_TOKENS
from airside.gateways.models.routing.outcomes import THOUSAND
from airside.gateways.models.routing.seeing import seen
from airside.journal import events
from airside.journal.queries import load

_SQL = load("airside.gateways.models.routing", "routing.sql")
OUTCOMES_MAX = 50_000
RATE_ROWS_MAX = 4_000
"""Rows that exchange rates are chosen on; more would take long and change little."""
_WEIGHT = {"feedback": 4.0, "evaluation": 3.0, "cascade": 1.0}


class Recorded(Struct, frozen=True):
    """A call that is known about: its prompt, its size, and by model how good its answers were and their tokens."""

    looked: Seen
    body_bytes: int
    scores: Mapping[str, float]
    output_tokens: Mapping[str, int]


class Finder(Protocol):
    """Where a model is answered and at what price."""

    def find(self, model: str) -> Route:
        """Return the route of a model; raises AirsideError `unknown_model`."""
        ...


async def recorded(database: Database, keyring: Keyring, tenant_id: str) -> list[Recorded]:
    """Return the tenant's latest calls with verdicts, OUTCOMES_MAX verdicts at most."""
    rows = await database.read(lambda tx: tx.fetch(_SQL["outcomes"], tenant_id=tenant_id, count=OUTCOMES_MAX))
    by_call: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        by_call.setdefault((row["run_id"], row["call_id"], row["subject"]), []).append(row)
    found = []
    for (run_id, call_id, subject), said in by_call.items():
        one = await _one(database, keyring, (tenant_id, run_id, call_id, subject), said)
        if one is not None:
            found.append(one)
    return found


async def _one(
    database: Database, keyring: Keyring, key: tuple[str, str, str, str], said: Sequence[Row]
) -> Recorded | None:
    tenant_id, run_id, call_id, subject = key

    async def body(tx: Transaction) -> tuple[Row | None, Row | None, list[tuple[bytes, Row | None]]]:
        of_call = {"tenant_id": tenant_id, "run_id": run_id, "call_id": call_id}
        intent = await tx.one(_SQL["intent"], type=events.CALL_INTENT, **of_call)
        outcome = await tx.one(_SQL["intent"], type=events.CALL_OUTCOME, **of_call)
        names = (
            [bytes.fromhex(name) for name in msgspec.json.decode(bytes(intent["body"]))["request"]] if intent else []
        )
        pieces = [
            (name, await tx.one(_SQL["content"], tenant_id=tenant_id, subject=subject, content_id=name))
            for name in names
        ]
        return intent, outcome, pieces

    intent, outcome, pieces = await database.read(body)
    if intent is None or not pieces:
        return None
    try:
        subject_key = await keyring.subject(tenant_id, subject)
        parts = [subject_key.open(name, bytes(row["sealed"])) for name, row in pieces if row is not None]
    except AirsideError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return None  # erased
    if len(parts) != len(pieces):
        return None
    answered = str(_body(intent)["name"])
    tokens = int(_body(outcome).get("usage", {}).get("output", 0))
    return Recorded(seen(parts), sum(map(len, parts)), _scores(said), {answered: tokens} if tokens > 0 else {})


def _body(entry: Row | None) -> Mapping[str, Any]:
    return msgspec.json.decode(bytes(entry["body"]), type=dict[str, Any]) if entry is not None else {}


def _scores(said: Sequence[Row]) -> Mapping[str, float]:
    """Return one score a model: the mean of what was said of it, by the weight of who said it."""
    sums: dict[str, tuple[float, float]] = {}
    for row in said:
        weight = _WEIGHT.get(row["source"], 1.0)
        total, weights = sums.get(row["model"], (0.0, 0.0))
        sums[row["model"]] = total + weight * row["score"] / THOUSAND, weights + weight
    return {model: total / weights for model, (total, weights) in sums.items()}


def fit_recorded(rows: Sequence[Recorded], routes: Finder, order: Sequence[str], *, seed: int = 0) -> Fitted:
    """Return what the rows teach about the models in `order`, the strongest last. Takes seconds.

    Raises `conflict` if fewer than two models have ROWS_MIN outcomes: there is nothing to choose between.
    """
    wanted = set(order)
    samples = [
        Sample(
            features(row.looked),
            {name: score for name, score in row.scores.items() if name in wanted},
            row.output_tokens,
        )
        for row in rows
    ]
    learned = learn(samples, seed=seed)
    known = [name for name in order if name in learned.classifier.judges]
    if len(known) < 2:
        counts = {name: sum(name in row.scores for row in rows) for name in order}
        each = ", ".join(f"{name}: {count}" for name, count in counts.items()) or "no models are configured for routing"
        raise AirsideError(
            Code.CONFLICT,
            f"two models need at least {ROWS_MIN} outcomes each; there are {each}",
            advice="Collect more: feedback, evaluations, a cascade, or a shadow route with a judge.",
        )
    table = _options(rows, samples, learned, known, routes)[:RATE_ROWS_MAX]
    rates = {floor: rate_for(table, floor) for floor in FLOORS}
    promised = {str(floor): msgspec.to_builtins(kept(table, rate)) for floor, rate in rates.items() if rate != inf}
    provenance: dict[str, Any] = {
        "features": VERSION,
        "seed": seed,
        "prompts": len(rows),
        "models": {
            name: {"outcomes": judge.rows, "mean": round(judge.score_mean, 4)}
            for name, judge in learned.classifier.judges.items()
        },
        "strongest": known[-1],
        "promised": promised,
    }
    return Fitted(learned.classifier, rates, provenance)


def _options(
    rows: Sequence[Recorded], samples: Sequence[Sample], learned: Learned, models: Sequence[str], routes: Finder
) -> list[list[Option]]:
    """Return each row's options; where a model's answer is not known, its prediction stands for it."""
    prices = {name: routes.find(name).price for name in models}
    judges = learned.classifier.judges
    table = []
    for at, (row, sample) in enumerate(zip(rows, samples, strict=True)):
        options = []
        for name in models:
            output = int(judges[name].output_tokens_mean) or OUTPUT_TOKENS
            cost = prices[name].cost(Usage(input=row.body_bytes // BYTES_PER_TOKEN + 1, output=output))
            predicted = learned.held_out[name][at]
            options.append(Option(float(cost), predicted, sample.scores.get(name, predicted)))
        table.append(options)
    return table
