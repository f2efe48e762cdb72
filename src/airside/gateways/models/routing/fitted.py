"""A fitted classifier as bytes, and back: versioned, whole, and refused if it is not what this airside can use."""

import sys
from array import array
from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import msgspec
from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.gateways.models.routing import features
from airside.gateways.models.routing.calibration import Line
from airside.gateways.models.routing.classifier import Classifier, Judge
from airside.gateways.models.routing.linear import Linear

FORMAT = 1
JUDGES_MAX = 64
FLOORS = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.98, 0.99, 1.0)


class Fitted(Struct, frozen=True):
    """A classifier and, for each floor of FLOORS, the exchange rate that kept it (nano-dollars an answer)."""

    classifier: Classifier
    rates: Mapping[float, float]
    provenance: Mapping[str, Any]

    def rate(self, floor: float) -> float:
        """Return the rate of the next floor that was fitted at or above this one."""
        return next((self.rates[known] for known in sorted(self.rates) if known >= floor - 1e-9), inf)


class _Judge(Struct, array_like=True):
    bias: float
    weights: bytes
    slope: float
    offset: float
    rows: int
    score_mean: float
    output_tokens_mean: float


class _Stored(Struct):
    format: int
    features: str
    buckets: int
    judges: dict[str, _Judge]
    known: bytes
    rates: list[tuple[float, float | None]]
    provenance: dict[str, Any]


_decode = msgspec.msgpack.Decoder(_Stored).decode


def pack(fitted: Fitted) -> bytes:
    """Return a fitted classifier as bytes."""
    judges = {
        name: _Judge(
            judge.linear.bias,
            _little(judge.linear.weights).tobytes(),
            judge.curve.slope,
            judge.curve.offset,
            judge.rows,
            judge.score_mean,
            judge.output_tokens_mean,
        )
        for name, judge in fitted.classifier.judges.items()
    }
    rates = [(floor, None if rate == inf else rate) for floor, rate in sorted(fitted.rates.items())]
    known = fitted.classifier.known
    stored = _Stored(FORMAT, features.VERSION, features.BUCKETS, judges, known, rates, dict(fitted.provenance))
    return msgspec.msgpack.encode(stored)


def unpack(data: bytes) -> Fitted:
    """Return the fitted classifier in `data`.

    Raises AirsideError `misconfigured` for one of another format or other features, and for one that is damaged.
    """
    try:
        stored = _decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise _unusable("it is not a fitted classifier") from None
    if stored.format != FORMAT or stored.features != features.VERSION or stored.buckets != features.BUCKETS:
        found = f"format {stored.format}, features {stored.features[:40]!r}, {stored.buckets} buckets"
        raise _unusable(f"it has {found}; this airside reads format {FORMAT}, features {features.VERSION!r}")
    if len(stored.known) * 8 != features.KNOWN_BITS or not 0 < len(stored.judges) <= JUDGES_MAX:
        raise _unusable("its tables have the wrong size")
    judges = {name: _judge(name, judge) for name, judge in stored.judges.items()}
    rates = {floor: inf if rate is None else rate for floor, rate in stored.rates}
    if not rates or not all(0 < floor <= 1 and rate >= 0 for floor, rate in rates.items()):
        raise _unusable("its exchange rates are no numbers above 0")
    return Fitted(Classifier(judges, stored.known), rates, stored.provenance)


def _judge(name: str, stored: _Judge) -> Judge:
    weights = array("f")
    if len(stored.weights) != features.BUCKETS * weights.itemsize:
        raise _unusable(f"the weights of {name[:100]} have the wrong size")
    weights.frombytes(stored.weights)
    weights = _little(weights)
    numbers = (stored.bias, stored.slope, stored.offset, stored.score_mean, stored.output_tokens_mean)
    if not all(map(isfinite, numbers)) or not isfinite(sum(weights)):
        raise _unusable(f"the weights of {name[:100]} are no finite numbers")
    line = Line(stored.slope, stored.offset)
    return Judge(Linear(stored.bias, weights), line, stored.rows, stored.score_mean, stored.output_tokens_mean)


def _little(weights: "array[float]") -> "array[float]":
    """Return weights in little-endian order, or from it."""
    if sys.byteorder == "big":
        weights = array("f", weights)
        weights.byteswap()
    return weights


def _unusable(why: str) -> AirsideError:
    return AirsideError(
        Code.MISCONFIGURED, f"the fitted routing model cannot be used: {why}", advice="Run `airside routing fit` again."
    )
