"""The classifier as a detector: one finding for the worst window of a text, if it is bad enough."""

from collections.abc import Iterator, Sequence
from typing import Final

from airside.guards.finding import FOREIGN, Finding, Guard, Place
from airside.guards.injection.classifier.model import Model
from airside.guards.injection.classifier.words import read, span
from airside.guards.normalise.readings import Reading, Readings

RULE: Final = "classifier"


class Classifier:
    """Scores the folded text and whatever was decoded of it; below `flag_at` (log-odds) nothing is found."""

    guard = Guard.INJECTION
    places = FOREIGN

    def __init__(self, model: Model, flag_at: float | None = None) -> None:
        self._model = model
        self._flag_at = model.flag_at if flag_at is None else flag_at

    def find(self, readings: Readings, _: Place) -> Sequence[Finding]:
        """Return the worst window of each form of a text that looks like an attack."""
        return tuple(self._found(readings))

    def _found(self, readings: Readings) -> Iterator[Finding]:
        for reading in readings.folds:
            words = read(reading.text)
            worst = self._model.worst(words)
            if worst.evidence >= self._flag_at:
                start, end = reading.span(*span(reading.text, words, worst.start, worst.end))
                score = self._model.probability(worst.evidence)
                yield _finding(reading, start, end, score)

    def score(self, text: str) -> float:
        """Return how sure the model is of a text, whether it would tell of it or not."""
        forms = Readings(text).folds
        return self._model.probability(max(self._model.worst(read(form.text)).evidence for form in forms))


def _finding(reading: Reading, start: int, end: int, score: float) -> Finding:
    return Finding(
        guard=Guard.INJECTION, rule=RULE, kind=RULE, start=start, end=end, score=round(score, 4), via=reading.via
    )
