"""Thresholds: exactly the configured similarity without evidence, lower with right answers, higher with wrong ones."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.gateways.models.caching.thresholds import NEVER, Belief, Thresholds, Trial

RULE = Thresholds(start=0.95, errors_max=0.01)
trials = st.builds(Trial, st.floats(0.8, 1.0), st.booleans())


def learned(*shown: Trial) -> Belief:
    """Return what a tenant believes after these observations."""
    pool = RULE.prior()
    for trial in shown:
        pool = RULE.observed(pool, trial)
    return pool


@pytest.mark.parametrize(("start", "errors_max"), [(0.95, 0.01), (0.9, 0.05), (0.8, 0.001)])
def test_without_evidence_the_threshold_is_the_configured_one(start: float, errors_max: float) -> None:
    rule = Thresholds(start, errors_max)
    belief = rule.entry(rule.prior(), [])
    assert rule.threshold(belief) == pytest.approx(start, abs=1e-6)
    assert rule.serves(belief, start + 1e-6)
    assert not rule.serves(belief, start - 1e-3)


def test_right_answers_lower_it_and_a_wrong_one_raises_it() -> None:
    right = [Trial(0.9, True)] * 200
    assert RULE.threshold(RULE.entry(learned(*right), [])) < 0.93
    assert RULE.threshold(RULE.entry(learned(Trial(0.97, False)), [])) > 0.96
    assert RULE.threshold(RULE.entry(learned(*right, *[Trial(0.9, False)] * 5), [])) > 0.95


def test_an_entry_that_was_wrong_is_judged_harder_than_the_others() -> None:
    pool = learned(*[Trial(0.92, True)] * 300)
    wrong = RULE.threshold(RULE.entry(pool, [Trial(0.96, False)]))
    assert wrong > RULE.threshold(RULE.entry(pool, []))
    assert RULE.threshold(RULE.entry(RULE.prior(), [Trial(0.99, False)] * 3)) == NEVER


@given(st.lists(trials, max_size=60))
def test_beliefs_stay_sound_whatever_is_observed(shown: list[Trial]) -> None:
    belief = learned(*shown)
    assert belief.var_level > 0
    assert belief.var_slope > 0
    assert belief.var_level * belief.var_slope - belief.covariance**2 > -1e-9
    assert belief.slope >= 0
    assert belief.observations == len(shown)
    assert 0.7 <= RULE.threshold(RULE.entry(belief, shown)) <= NEVER


@given(st.lists(st.floats(0.8, 1.0), max_size=30), st.floats(0.8, 1.0))
def test_among_right_answers_one_more_never_raises_the_threshold(shown: list[float], similarity: float) -> None:
    before = learned(*[Trial(at, True) for at in shown])
    after = RULE.observed(before, Trial(similarity, True))
    assert RULE.threshold(RULE.entry(after, [])) <= RULE.threshold(RULE.entry(before, [])) + 1e-3


@pytest.mark.parametrize("right_at", [0.85, 0.9, 0.97])
def test_served_answers_stay_under_the_bound_when_similarity_tells_little(right_at: float) -> None:
    """Simulated: below `right_at` half of the answers are wrong, above it none. Hits are audited at 5 %."""
    rng = random.Random(7)
    pool, served, wrong = RULE.prior(), 0, 0
    for _ in range(20_000):
        similarity = rng.uniform(0.8, 1.0)
        right = similarity >= right_at or rng.random() < 0.5
        serves = RULE.serves(RULE.entry(pool, []), similarity)
        if serves and rng.random() >= 0.05:
            served, wrong = served + 1, wrong + (not right)
        else:
            pool = RULE.observed(pool, Trial(similarity, right))
    assert wrong <= 0.01 * served + 10
