"""The learning parts, pure: features, weights, calibration, exchange rates; hostile rows among them."""

import json
import time
from math import inf, nan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airside.gateways.models.routing.calibration import line
from airside.gateways.models.routing.classifier import ROWS_MIN, Sample, learn
from airside.gateways.models.routing.exchange import Option, best, kept, rate_for
from airside.gateways.models.routing.features import BUCKETS, Seen, features
from airside.gateways.models.routing.linear import fit, sigmoid
from airside.gateways.models.routing.report import spread
from airside.gateways.models.routing.seeing import seen


@given(st.text(max_size=2_000), st.integers(0, 10_000), st.integers(0, 1_024), st.booleans())
def test_a_vector_has_length_one_and_is_the_same_every_time(
    text: str, turns: int, tools: int, structured: bool
) -> None:
    looked = Seen(text, turns, tools, structured)
    found = features(looked)
    assert sum(value * value for value in found.vector.values()) == pytest.approx(1.0)
    assert all(0 <= bucket < BUCKETS for bucket in found.vector)
    assert features(looked) == found


def test_vectors_do_not_depend_on_the_process() -> None:
    assert min(features(Seen("What is the capital of France?")).vector) == 2_654


def test_a_prompt_of_ten_megabytes_takes_no_longer_than_its_excerpt() -> None:
    features(Seen("warm"))
    begun = time.perf_counter()
    huge = features(Seen("law " * 2_500_000))
    assert time.perf_counter() - begun < 0.1
    assert len(huge.vector) < 20


def test_what_is_seen_of_every_format() -> None:
    chat = [b'{"role":"system","content":"S"}', b'{"role":"user","content":"hi"}', b'{"model":"m","tools":[{},{}]}']
    assert seen(chat) == Seen("hi", 2, 2, False)
    blocks = b'{"role":"user","content":[{"type":"tool_result","content":"no"},{"type":"text","text":"yes"}]}'
    assert seen([blocks, b'{"response_format":{"type":"json_schema"}}']) == Seen("yes", 1, 0, True)
    gemini = b'{"role":"user","parts":[{"text":"a"},{"inlineData":{"data":"x"}},{"text":"b"}]}'
    assert seen([gemini, b"{}"]).text == "a\nb"
    responses = b'{"role":"user","type":"message","content":[{"type":"input_text","text":"q"}]}'
    assert seen([responses, b'{"type":"function_call_output","output":"z"}', b"{}"]).text == "q"


@pytest.mark.parametrize(
    "parts", [[], [b"{}"], [b"\xff", b"not json"], [b'{"role":"user"}', b'{"tools":7}'], [b"[" * 9_000, b"[]"]]
)
def test_broken_pieces_are_seen_as_nothing(parts: list[bytes]) -> None:
    assert seen(parts).text == ""


@given(st.binary(max_size=300))
def test_no_piece_raises(piece: bytes) -> None:
    seen([piece, piece])


def test_a_classifier_finds_the_word_that_matters() -> None:
    vectors = [features(Seen(f"{'plaintiff' if index % 2 else 'banana'} {index % 17}")).vector for index in range(300)]
    learned = fit(vectors, [float(index % 2) for index in range(300)])
    assert sigmoid(learned.logit(features(Seen("plaintiff 3")).vector)) > 0.8
    assert sigmoid(learned.logit(features(Seen("banana 3")).vector)) < 0.2
    assert fit(vectors, [float(index % 2) for index in range(300)]) == learned


def test_calibrated_probabilities_are_the_frequencies() -> None:
    random = Random(1)
    logits = [random.uniform(-6, 6) for _ in range(4_000)]
    targets = [float(random.random() < sigmoid(0.5 * logit - 1)) for logit in logits]
    curve = line(logits, targets)
    assert curve.slope == pytest.approx(0.5, abs=0.07)
    assert curve.offset == pytest.approx(-1, abs=0.15)


@pytest.mark.parametrize("targets", [[1.0] * 60, [0.0] * 60, [0.5] * 60])
def test_calibration_without_contrast_stays_finite(targets: list[float]) -> None:
    curve = line([0.1 * index for index in range(60)], targets)
    assert 0.0 < curve(1e300) <= 1.0
    assert 0.0 <= curve(-1e300) < 1.0
    assert curve(0.0) == pytest.approx(targets[0], abs=0.2)


def test_scores_that_know_nothing_say_the_mean() -> None:
    random = Random(2)
    logits = [random.uniform(-3, 3) for _ in range(2_000)]
    backwards = [float(logit < 0) for logit in logits]
    assert line(logits, backwards)(2.0) == pytest.approx(sum(backwards) / 2_000, abs=0.01)


def row(cost: float, weak: float, strong: float, was_weak: float, was_strong: float) -> tuple[Option, Option]:
    return Option(cost, weak, was_weak), Option(10 * cost, strong, was_strong)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.8, 0.9, 0.95, 1.0]))
def test_the_rate_keeps_the_floor_where_it_was_chosen_and_saves_no_less_than_nothing(seed: int, floor: float) -> None:
    random = Random(seed)
    rows = []
    for _ in range(200):
        hard = random.random()
        rows.append(
            row(
                random.uniform(1, 5),
                0.9 - hard / 2,
                0.95,
                float(random.random() > hard / 2),
                float(random.random() < 0.95),
            )
        )
    rate = rate_for(rows, floor)
    found = kept(rows, rate)
    if rate != inf:
        assert found.quality >= floor
    assert 0.0 <= found.saved < 1.0
    assert kept(rows, inf).quality == 1.0 or rate == inf


def test_a_higher_rate_never_chooses_a_worse_answer() -> None:
    options = [(1.0, 0.5), (3.0, 0.7), (10.0, 0.9)]
    chosen = [options[best(options, rate)][1] for rate in (0.0, 1.0, 9.0, 11.0, 34.0, 36.0, 1e9, inf)]
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (0.5, 0.9)


@pytest.mark.parametrize("score", [nan, inf, -0.01, 1.01])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    sample = Sample(features(Seen("x")), {"m": score})
    with pytest.raises(ValueError, match="from 0 to 1"):
        learn([sample] * ROWS_MIN)


def test_models_with_few_outcomes_are_not_learned_about() -> None:
    samples = [Sample(features(Seen(f"x {index}")), {"m": 1.0}) for index in range(ROWS_MIN)]
    samples += [Sample(features(Seen(f"y {index}")), {"n": 0.0}) for index in range(ROWS_MIN - 1)]
    learned = learn(samples)
    assert set(learned.classifier.judges) == {"m"}
    assert len(learned.held_out["m"]) == len(samples)
    assert learned.classifier.familiar(features(Seen("x y"))) == 1.0
    assert learned.classifier.familiar(features(Seen("zebra quagga"))) < 0.6


def test_held_out_predictions_have_not_seen_their_row() -> None:
    """Labels by chance cannot be predicted, unless a row's own label was looked at."""
    random = Random(3)
    samples = [Sample(features(Seen(f"word{index}")), {"m": float(random.random() < 0.5)}) for index in range(400)]
    learned = learn(samples)
    predicted = learned.held_out["m"]
    right = sum((guess > 0.5) == (sample.scores["m"] > 0.5) for guess, sample in zip(predicted, samples, strict=True))
    assert right < 240


def test_bounds_hold_the_mean_and_shrink() -> None:
    assert spread(0.0, 0.0, 0) is None
    few, many = spread(8.0, 8.0, 10), spread(800.0, 800.0, 1_000)
    assert few is not None
    assert many is not None
    assert few.low < many.low < 0.8 < many.high < few.high
    assert json.dumps([many.low, many.high])
    sure = spread(50.0, 25.0, 100)
    assert sure is not None
    assert sure.low <= 0.5 <= sure.high
