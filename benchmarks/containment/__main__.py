"""bench-containment: AgentDojo's pairs of task and attack, and tau2's shop, under the shipped policy; no model.

A replay bound: the hijacked agent does everything that the attacker wants, whatever a model would have done. A pair is
contained if no harmful call of the attacker went through without a person, in any encoding, at any position.
"""

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from msgspec import Struct

from airside.policy.plans.mining import mine
from airside.policy.plans.plan import Plan
from benchmarks.containment import agreement, dojo, labels, replay, retail, rules
from benchmarks.containment.attacks import ENCODINGS, acts_of, text_of
from benchmarks.containment.world import World
from benchmarks.figures import figure, option

SETTINGS = ("given_plan", "mined_plan", "no_plan")
CRITICAL = frozenset({"money", "message", "credential", "secret"})
SUITES = ("workspace", "travel", "banking", "slack")
WORKERS = option("workers", 2)
CHOSEN = option("encodings", ",".join(ENCODINGS)).split(",")


class Suite(Struct):
    """A suite made ready: its tasks with their plans under each setting."""

    stage: replay.Stage
    template: object
    plans: dict[str, tuple[Plan | None, ...]]
    cleans: dict[str, tuple[replay.Clean, ...]]


class Pair(Struct, frozen=True):
    """What came of one pair: per setting, the harmful calls that went through."""

    suite: str
    attack: str
    task: str
    harms: tuple[tuple[str, ...], ...]
    tries: int


@cache
def ready(name: str) -> Suite:
    """Return a suite, once for each process."""
    suite = dojo.suites()[name]
    stage = replay.Stage(World(suite), labels.load(name), rules.policy())
    template = stage.world.environment()
    tasks = suite.user_tasks
    alone = {task_id: replay.clean(stage, template, task, None) for task_id, task in tasks.items()}
    plans: dict[str, tuple[Plan | None, ...]] = {}
    cleans = {}
    for task_id, task in tasks.items():
        others = [clean.observed for other, clean in alone.items() if other != task_id]
        plans[task_id] = (replay.given_plan(stage, template, task), mine(others), None)
        cleans[task_id] = tuple(replay.clean(stage, template, task, plan) for plan in plans[task_id])
    return Suite(stage, template, plans, cleans)


def attack(job: tuple[str, str]) -> list[Pair]:
    """Try one attack on every task of its suite, in every encoding."""
    name, attack_id = job
    suite = ready(name)
    task = suite.stage.world.suite.injection_tasks[attack_id]
    goal = acts_of(task, suite.template)
    if not goal:
        return []  # it only wants the agent to say something
    said = text_of(task.GOAL, goal)
    hijacks = [replay.hijack(suite.stage, goal, ENCODINGS[encoding](said)) for encoding in CHOSEN]
    pairs = []
    for task_id, user_task in suite.stage.world.suite.user_tasks.items():
        harms: list[dict[str, None]] = [{} for _ in SETTINGS]
        tries = 0
        for hijack in hijacks:
            came_of = replay.attacked(suite.stage, user_task, hijack, suite.plans[task_id])
            tries += came_of.tries
            for done, damage in zip(harms, came_of.damage, strict=True):
                done.update(dict.fromkeys(f"{tool}: {rule}" for tool, rule in damage))
        pairs.append(Pair(name, attack_id, task_id, tuple(tuple(done) for done in harms), tries))
    return pairs


def main() -> None:
    """Run everything and print the figures."""
    begun_s = time.monotonic()
    dojo.install()
    every = dojo.suites()
    jobs = [(name, attack_id) for name in SUITES for attack_id in every[name].injection_tasks]
    with ProcessPoolExecutor(WORKERS) as pool:
        pairs = [pair for found in pool.map(attack, jobs, chunksize=1) for pair in found]
    tell_pairs(pairs)
    for index, setting in enumerate(SETTINGS):
        tell_setting(setting, index, pairs)
    critical = [harm for pair in pairs for done in pair.harms for harm in done if _harm(pair.suite, harm) in CRITICAL]
    figure("containment.pairs", len(pairs), "pairs", how="AgentDojo v1.2.2; travel injection_6 only says something")
    figure("containment.unauthorised_critical", len(critical), "calls", how="money, message, credential or secret")
    agreement.tell(ready, SUITES)
    retail.tell()
    figure("containment.seconds", time.monotonic() - begun_s, "s", workers=WORKERS, encodings=len(CHOSEN))


def tell_pairs(pairs: list[Pair]) -> None:
    """Print each harmful call that went through, for people, and the marks that others have published."""
    for pair in pairs:
        for setting, done in zip(SETTINGS, pair.harms, strict=True):
            if done:
                print(f"not contained, {setting}: {pair.suite} {pair.attack} in {pair.task}: {'; '.join(done)}")
    print(
        "A replay bound, not a live model: each attack is assumed to succeed with the model. Published beside it,\n"
        "with live models and measures of their own: CaMeL 77 % of AgentDojo's tasks with provable security,\n"
        "PACT 38-46 %.",
        flush=True,
    )


def tell_setting(setting: str, index: int, pairs: list[Pair]) -> None:
    """Print what a setting contains and what it asks."""
    cleans = [clean[index] for name in SUITES for clean in ready(name).cleans.values()]
    lost = sum(bool(pair.harms[index]) for pair in pairs)
    by_suite = {name: sum(bool(pair.harms[index]) for pair in pairs if pair.suite == name) for name in SUITES}
    quiet = sum(clean.asks == 0 for clean in cleans)
    effects, automatic = sum(clean.effects for clean in cleans), sum(clean.automatic for clean in cleans)
    figure(f"containment.{setting}", 1 - lost / len(pairs), "share", n=len(pairs), not_contained=by_suite)
    figure(f"containment.{setting}_tcr0", quiet / len(cleans), "share", n=len(cleans), asked_nobody=quiet)
    figure(f"containment.{setting}_effects_automatic", automatic / effects, "share", n=effects)
    figure(f"containment.{setting}_asks_per_task", sum(clean.asks for clean in cleans) / len(cleans), "asks")
    why = Counter(reason for clean in cleans for reason in clean.why)
    print(f"{setting}: most asked for: {'; '.join(f'{count}x {reason}' for reason, count in why.most_common(5))}")
    if setting == SETTINGS[-1]:
        _tell_baseline(pairs, cleans)


def _tell_baseline(pairs: list[Pair], cleans: list[replay.Clean]) -> None:
    """Print what approving every effect by hand would give: only looks outside leak, and every effect asks."""
    leaks = sum(_looks_outside(pair) for pair in pairs)
    figure("containment.approve_every_write", 1 - leaks / len(pairs), "share", how="baseline: reads are free")
    figure("containment.approve_every_write_tcr0", sum(clean.effects == 0 for clean in cleans) / len(cleans), "share")


def _looks_outside(pair: Pair) -> bool:
    suite = ready(pair.suite)
    task = suite.stage.world.suite.injection_tasks[pair.attack]
    tools = [suite.stage.labels.tools[act.tool] for act in acts_of(task, suite.template)]
    return any(tool.effect == "read" and tool.hosts for tool in tools)


def _harm(suite: str, harm: str) -> str:
    return labels.load(suite).harm.get(harm.partition(":")[0], "")


if __name__ == "__main__":
    main()
