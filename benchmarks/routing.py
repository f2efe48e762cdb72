"""bench-routing: what routing between a weak and a strong model saves, at what quality, on prompts it has not seen.

Questions with known outcomes of both models (RouteLLM's: mixtral-8x7b and gpt-4-1106 on MMLU and GSM8K) are split in
half, SEEDS times. The classifier, its calibration and the exchange rate (the threshold) are fitted on one half alone;
figures are of the other. `saved` is 1 - cost / cost of the strong model for everything; a prompt's cost is its own:
UTF-8 bytes / 4 input tokens, one output token on MMLU (a letter), the recorded answers' bytes / 4 on GSM8K, at
$10 / $30 and $0.60 / $0.60 per million tokens. Beside it stand baselines that show where the saving comes from.

Options: `--data FOLDER` or AIRSIDE_BENCH_DATA (with `mmlu/` and `gsm8k_dev.csv`), AIRSIDE_BENCH_SEEDS.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from airside.gateways.models.routing.classifier import Classifier, Sample, learn
from airside.gateways.models.routing.exchange import Kept, Option, best, kept, rate_for
from airside.gateways.models.routing.features import Seen, features
from benchmarks.figures import figure, option
from benchmarks.routing_data import STRONG, WEAK, Prompt, gsm8k, mmlu

GROUPS = 5  # of domains, each held out once
FIGURES = ("routing.saved_at_95", "routing.saved_at_99", "routing.auc_vs_random")
Rows = list[tuple[Option, Option]]
Predict = Callable[[Prompt], tuple[float, float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=option("data", "../shared/data/routing"))
    folder = Path(parser.parse_args().data)
    if not (folder / "mmlu").is_dir():
        for name in FIGURES:
            figure(name, None, "share", reason=f"there is no folder {folder / 'mmlu'}; set AIRSIDE_BENCH_DATA")
        return
    seeds = range(option("seeds", 5))
    questions = mmlu(folder / "mmlu")
    _report("", questions, seeds, "MMLU")
    _held_out_domains(questions)
    sums = gsm8k(folder / "gsm8k_dev.csv")
    _report("gsm8k_", sums, seeds, "GSM8K")
    _transfer(questions, sums)
    _speed()


def _report(prefix: str, prompts: Sequence[Prompt], seeds: Sequence[int], name: str) -> None:
    """Print the figures of one set of questions over all splits."""
    splits = [_split(prompts, seed) for seed in seeds]
    how = f"{name}, fit on half, {len(seeds)} splits, mean; rate chosen on the fit half"
    for percent in (95, 99):
        at = [split["at"][percent] for split in splits]
        _spread(
            f"routing.{prefix}saved_at_{percent}",
            [one["routed"].saved for one in at],
            how=how,
            n=len(prompts) // 2,
            quality_kept=_mean([one["routed"].quality for one in at]),
            quality_kept_min=round(min(one["routed"].quality for one in at), 4),
            strong_calls=_mean([one["routed"].strong_share for one in at]),
        )
        for baseline in ("no_margin", "threshold_on_report_half", "quality_only", "length_only", "random", "perfect"):
            _spread(
                f"routing.{prefix}saved_at_{percent}_{baseline}",
                [one[baseline].saved for one in at],
                quality_kept=_mean([one[baseline].quality for one in at]),
                strong_calls=_mean([one[baseline].strong_share for one in at]),
                how=_BASELINES[baseline],
            )
    areas = "area under quality over cost between all-weak (0, 0) and all-strong (1, 1)"
    _spread(f"routing.{prefix}auc_vs_random", [split["auc"] for split in splits], how=areas)
    _spread(f"routing.{prefix}auc_length_only", [split["auc_length"] for split in splits], how="no learning")
    _spread(
        f"routing.{prefix}auc_of_calls",
        [split["auc_calls"] for split in splits],
        how="area over the share of strong calls, ranked by predicted gain alone, whatever a call costs",
    )
    if not prefix:
        _domains(splits[0]["rows"], splits[0]["at"][95]["routed"].rate, splits[0]["domains"])


_BASELINES = {
    "no_margin": "rate that just keeps the floor on the fit half",
    "threshold_on_report_half": "the same ranking, cut on the report half itself: not to be had in practice",
    "quality_only": "ranked by predicted gain, blind to what a call costs; cut on the fit half",
    "length_only": "no classifier: the dearest prompts to the weak model; cut on the fit half",
    "random": "weak and strong mixed by chance, exact on the report half",
    "perfect": "knows each answer beforehand",
}


def _split(prompts: Sequence[Prompt], seed: int) -> dict[str, Any]:
    """Fit on one half and return what routing comes to on the other."""
    order = list(prompts)
    Random(seed).shuffle(order)
    half = len(order) // 2
    fitted, other = order[:half], order[half:]
    learned = learn([_sample(prompt) for prompt in fitted], seed=seed)
    known = _rows(fitted, dict(zip(map(id, fitted), _pairs(learned.held_out), strict=True)))
    rows = _rows(other, _predictions(other, _predictor(learned.classifier)))
    weak, strong = (mean(judge.score_mean for judge in [learned.classifier.judges[name]]) for name in (WEAK, STRONG))
    flat_known, flat = _flat(known, weak, strong), _flat(rows, weak, strong)
    return {
        "rows": rows,
        "domains": [prompt.domain for prompt in other],
        "at": {percent: _at(percent / 100, known, rows, flat_known, flat) for percent in (95, 99)},
        "auc": _area(rows, _by_dollar),
        "auc_length": _area(flat, _by_dollar),
        "auc_calls": _area(rows, _by_gain, calls=True),
    }


def _at(floor: float, known: Rows, rows: Rows, flat_known: Rows, flat: Rows) -> dict[str, Kept]:
    return {
        "routed": kept(rows, rate_for(known, floor)),
        "no_margin": kept(rows, rate_for(known, floor, margin=0.0)),
        "threshold_on_report_half": _cut(rows, _by_dollar, _least(rows, _by_dollar, floor)),
        "quality_only": _cut(rows, _by_gain, _least(known, _by_gain, floor)),
        "length_only": kept(flat, rate_for(flat_known, floor)),
        "random": _random(rows, floor),
        "perfect": _cut(rows, _by_truth, _least(rows, _by_truth, floor)),
    }


def _sample(prompt: Prompt) -> Sample:
    return Sample(prompt.features, {WEAK: prompt.weak, STRONG: prompt.strong})


def _predictor(classifier: Classifier) -> Predict:
    weak, strong = classifier.judges[WEAK], classifier.judges[STRONG]
    return lambda prompt: (weak.quality(prompt.features), strong.quality(prompt.features))


def _predictions(prompts: Sequence[Prompt], predict: Predict) -> dict[int, tuple[float, float]]:
    return {id(prompt): predict(prompt) for prompt in prompts}


def _pairs(held_out: Any) -> Sequence[tuple[float, float]]:
    return list(zip(held_out[WEAK], held_out[STRONG], strict=True))


def _rows(prompts: Sequence[Prompt], predicted: dict[int, tuple[float, float]]) -> Rows:
    return [
        (
            Option(prompt.weak_usd, predicted[id(prompt)][0], prompt.weak),
            Option(prompt.strong_usd, predicted[id(prompt)][1], prompt.strong),
        )
        for prompt in prompts
    ]


def _flat(rows: Rows, weak: float, strong: float) -> Rows:
    """Return the rows as one sees them who knows the models' mean quality and the prompts' costs, and no more."""
    return [(Option(a.cost, weak, a.value), Option(b.cost, strong, b.value)) for a, b in rows]


def _by_dollar(row: tuple[Option, Option]) -> float:
    return (row[1].predicted - row[0].predicted) / (row[1].cost - row[0].cost)


def _by_gain(row: tuple[Option, Option]) -> float:
    return row[1].predicted - row[0].predicted


def _by_truth(row: tuple[Option, Option]) -> float:
    return (row[1].value - row[0].value) / (row[1].cost - row[0].cost)


def _least(rows: Rows, rank: Callable[[tuple[Option, Option]], float], floor: float) -> float:
    """Return the rank from which on calls go to the strong model, so that the fewest do and the floor is kept."""
    quality, wanted = sum(row[0].value for row in rows), floor * sum(row[1].value for row in rows)
    for row in sorted(rows, key=rank, reverse=True):
        if quality >= wanted:
            return rank(row) + 1e-12
        quality += row[1].value - row[0].value
    return float("-inf")


def _cut(rows: Rows, rank: Callable[[tuple[Option, Option]], float], threshold: float) -> Kept:
    up = [rank(row) >= threshold for row in rows]
    chosen = [row[1] if strong else row[0] for row, strong in zip(rows, up, strict=True)]
    cost, quality = sum(row[1].cost for row in rows), sum(row[1].value for row in rows)
    return Kept(
        threshold,
        1 - sum(one.cost for one in chosen) / cost,
        sum(one.value for one in chosen) / quality,
        sum(up) / len(rows),
    )


def _random(rows: Rows, floor: float) -> Kept:
    weak, strong = sum(row[0].value for row in rows), sum(row[1].value for row in rows)
    share = min(1.0, max(0.0, (floor * strong - weak) / (strong - weak)))
    cheap, dear = sum(row[0].cost for row in rows), sum(row[1].cost for row in rows)
    return Kept(0.0, (1 - share) * (1 - cheap / dear), floor, share)


def _area(rows: Rows, rank: Callable[[tuple[Option, Option]], float], *, calls: bool = False) -> float:
    """Return the area under the share of the quality gap closed, over the share of the cost (or calls) spent on it."""
    gap = sum(row[1].value - row[0].value for row in rows)
    spend = [1.0 if calls else row[1].cost - row[0].cost for row in rows]
    total, closed, area = sum(spend), 0.0, 0.0
    for row, cost in sorted(zip(rows, spend, strict=True), key=lambda pair: rank(pair[0]), reverse=True):
        gained = row[1].value - row[0].value
        area += cost / total * (closed + gained / 2) / gap
        closed += gained
    return area


def _domains(rows: Rows, rate: float, domains: Sequence[str]) -> None:
    """Print what the floor over all traffic means for each domain."""
    found: dict[str, dict[str, Any]] = {}
    for domain in sorted(set(domains)):
        one = kept([row for row, name in zip(rows, domains, strict=True) if name == domain], rate)
        found[domain] = {"kept": round(one.quality, 3), "saved": round(one.saved, 3), "n": domains.count(domain)}
    worst = min(found, key=lambda name: found[name]["kept"])
    how = "the floor holds for the traffic as a whole; long prompts, dear at the strong model, give way first"
    figure("routing.worst_domain_kept", found[worst]["kept"], "share", domain=worst, how=how, split=0, per_domain=found)


def _held_out_domains(prompts: Sequence[Prompt]) -> None:
    """Print what is kept and saved on domains that the fit has not seen."""
    names = sorted({prompt.domain for prompt in prompts})
    Random(0).shuffle(names)
    every: Rows = []
    chosen: list[Option] = []
    for group in range(GROUPS):
        out = set(names[group::GROUPS])
        fitted = [prompt for prompt in prompts if prompt.domain not in out]
        other = [prompt for prompt in prompts if prompt.domain in out]
        learned = learn([_sample(prompt) for prompt in fitted])
        known = _rows(fitted, dict(zip(map(id, fitted), _pairs(learned.held_out), strict=True)))
        rows = _rows(other, _predictions(other, _predictor(learned.classifier)))
        rate = rate_for(known, 0.95)
        every += rows
        chosen += [row[best([(one.cost, one.predicted) for one in row], rate)] for row in rows]
    cost, quality = sum(row[1].cost for row in every), sum(row[1].value for row in every)
    figure(
        "routing.held_out_domain_saved_at_95",
        1 - sum(one.cost for one in chosen) / cost,
        "share",
        quality_kept=round(sum(one.value for one in chosen) / quality, 4),
        auc=round(_area(every, _by_dollar), 4),
        auc_of_calls=round(_area(every, _by_gain, calls=True), 4),
        n=len(every),
        how=f"fit on four fifths of the {len(names)} domains, report on the rest, each once",
    )


def _transfer(fitted: Sequence[Prompt], other: Sequence[Prompt]) -> None:
    learned = learn([_sample(prompt) for prompt in fitted])
    known = _rows(fitted, dict(zip(map(id, fitted), _pairs(learned.held_out), strict=True)))
    rows = _rows(other, _predictions(other, _predictor(learned.classifier)))
    one = kept(rows, rate_for(known, 0.95))
    familiar = mean(learned.classifier.familiar(prompt.features) for prompt in other)
    figure(
        "routing.gsm8k_from_mmlu_saved_at_95",
        one.saved,
        "share",
        quality_kept=round(one.quality, 4),
        auc_of_calls=round(_area(rows, _by_gain, calls=True), 4),
        familiar=round(familiar, 3),
        how="fit on MMLU alone, report on GSM8K: another kind of traffic than was learned from",
    )


def _speed() -> None:
    text = "A contract is formed when an offer is accepted; which of the following is not required? " * 30
    took = []
    for _ in range(300):
        begun = time.thread_time()
        features(Seen(text))
        took.append((time.thread_time() - begun) * 1e6)
    took.sort()
    how = f"CPU time, prompt of {len(text)} characters"
    figure("routing.features_us_p99", took[-4], "us", p50=round(took[150], 1), how=how)


def _spread(name: str, values: Sequence[float], **more: Any) -> None:
    figure(name, mean(values), "share", min=round(min(values), 4), max=round(max(values), 4), **more)


def _mean(values: Sequence[float]) -> float:
    return round(mean(values), 4)


if __name__ == "__main__":
    main()
