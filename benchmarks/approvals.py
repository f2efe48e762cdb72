"""bench-tools, approvals half: is what people approved done exactly once, as they approved it, whatever happens?

Per database AIRSIDE_BENCH_APPROVAL_RUNS runs (default 65) ask for ten transfers each. Two people decide every one at
the same time, with different verdicts, one of them with double clicks and edits, while processes, tool hosts and
attempts are killed with -9, and some tools fail so that they are retried. Effects are counted in a ledger outside
airside and compared with what the approvals say, item by item. A call whose outcome nobody knows after a kill is held
for a person; that person is played by a look into the ledger.
"""

import json
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from airside.cli.client import Client
from airside.core.errors import AirsideError
from benchmarks import approvals_tools
from benchmarks.figures import figure, option
from benchmarks.fleet import HERE, Fleet, descendants, until
from benchmarks.throwaway import ThrowawayPostgres, throwaway_postgres

RUNS = option("approval_runs", 65)
SEED = option("seed", 1)
SETTLE_S_MAX = 600.0
KILL_EVERY_S = (3.0, 7.0)
PEOPLE = ("ann", "bob")
EDITED_AMOUNT = 7
ENDED = frozenset({"succeeded", "partial", "failed", "escalated", "cancelled", "diverged"})
RULES = "rules:\n  - {name: transfers, then: ask, tools: [settle, wire], because: a person looks at transfers}\n"


def settings(folder: Path, url: str) -> dict[str, Any]:
    """Return the configuration of the fleet."""
    (folder / "policy.yaml").write_text(RULES)
    (folder / "script.yaml").write_text(yaml.safe_dump({"name": "bench", "turns": [{"say": "Go on."}]}))
    path = [str(HERE.parent)]
    return {
        "database": {"url": url},
        "providers": {"scripted": {"kind": "scripted", "script": str(folder / "script.yaml")}},
        "agents": {
            "transferring": {
                "entry": "benchmarks.approvals_agent:transferring",
                "path": path,
                "tools": ["settle", "wire"],
                "runs_max": 1_000,
                "attempts_max": 20,
            }
        },
        "tools": {"modules": ["benchmarks.approvals_tools"], "path": path, "env_pass": ["LEDGER"]},
        "policy": {"file": str(folder / "policy.yaml")},
        "budgets": {"run": {"tool_calls_per_turn": 100}},
        "runs": {
            "isolation": "process",
            "slots": 8,
            "tenant_runs_max": 1_000,
            "lease_renew_s": 0.5,
            "lease_expire_s": 3.0,
            "divergence_wait_s": 3.0,
        },
    }


class Person(threading.Thread):
    """Decides whatever waits, again and again, until told to stop. Verdicts depend on the person and the approval."""

    def __init__(self, name: str, url: str, key: str) -> None:
        super().__init__(name=name, daemon=True)
        self.client = Client(url, key)
        self.stopped = threading.Event()
        self.done: Counter[str] = Counter()
        self._twice = ThreadPoolExecutor(2)

    def run(self) -> None:
        """Decide until stopped; a server that is down is asked again."""
        while not self.stopped.is_set():
            try:
                page = self.client.get("/api/v1/approvals", state="pending", order="risk", limit=50)
                for item in page["items"]:
                    self._decide(item["id"])
            except AirsideError:
                self.done["server down"] += 1
            self.stopped.wait(0.05)

    def _decide(self, approval_id: str) -> None:
        drawn = random.Random(f"{self.name}/{approval_id}").random()
        where = f"/api/v1/approvals/{approval_id}"
        body: dict[str, Any] = {"decision": "deny", "reason": "no"} if drawn < 0.1 else {"decision": "approve"}
        if drawn > 0.8:
            body["arguments"] = self.client.get(where)["arguments"] | {"amount": EDITED_AMOUNT}
        clicks = 2 if drawn * 100 % 1 < 0.3 else 1
        for answer in [self._twice.submit(self._post, f"{where}/decision", body) for _ in range(clicks)]:
            self.done[answer.result()] += 1
        self.done["double clicks"] += clicks - 1

    def _post(self, where: str, body: dict[str, Any]) -> str:
        try:
            return str(self.client.post(where, body)["state"])
        except AirsideError as error:
            return error.code.value


def havoc(fleet: Fleet, killed: Counter[str], stopped: threading.Event) -> None:
    """Kill something with -9 every few seconds."""
    rng = random.Random(SEED)
    while not stopped.wait(rng.uniform(*KILL_EVERY_S)):
        name = rng.choice([name for name in fleet.members if name != "api"])
        what = rng.choice(["process", "tools.host", "zygote"])
        if what == "process":
            fleet.members[name].kill()
            fleet.restart(name)
            killed[what] += 1
        elif found := descendants(fleet.members[name].pid, what):
            try:
                os.kill(rng.choice(found), 9)
            except ProcessLookupError:
                continue
            killed[what] += 1


def effects(ledger: Path) -> dict[tuple[str, int], list[int]]:
    """Return the amounts that were really moved, by run and item."""
    with closing(sqlite3.connect(ledger, timeout=30)) as connection:
        rows = connection.execute("SELECT run, item, amount FROM effects").fetchall()
    found: dict[tuple[str, int], list[int]] = {}
    for run, item, amount in rows:
        found.setdefault((run, item), []).append(amount)
    return found


def resolve(client: Client, run_id: str, ledger: Path) -> int:
    """Tell airside what became of a run's held calls, by the ledger; return how many there were."""
    held = {call["call_id"] for call in client.get(f"/api/v1/runs/{run_id}/held")["items"]}
    page = client.get("/api/v1/approvals", run=run_id, limit=200)["items"]
    for item in [item for item in page if item["consumed_by"] in held]:
        shown = client.get(f"/api/v1/approvals/{item['id']}")
        happened = (shown["arguments"]["run"], shown["arguments"]["item"]) in effects(ledger)
        finding = "happened" if happened else "not_happened"
        client.post(f"/api/v1/runs/{run_id}/resolve", {"finding": finding, "call_id": item["consumed_by"]})
    return len(held)


def play(fleet: Fleet, api: str, ledger: Path) -> dict[str, Any]:
    """Submit the runs, let people decide while processes are killed, and return what airside says at the end."""
    killed: Counter[str] = Counter()
    stopped, counted = threading.Event(), Counter[str]()
    with fleet.client(api) as client:
        people = [
            Person(name, client.url, client.post("/api/v1/keys", {"name": name, "role": "reviewer"})["secret"])
            for name in PEOPLE
        ]
        killer = threading.Thread(target=havoc, args=(fleet, killed, stopped), daemon=True)
        for thread in (*people, killer):
            thread.start()
        runs: dict[str, str] = {}
        states: dict[str, str] = {}

        def submitted(number: int) -> bool:
            body, key = {"agent": "transferring", "input": f"task-{number}"}, {"idempotency-key": f"bench-{number}"}
            try:
                runs[client.post("/api/v1/runs", body, headers=key)["id"]] = f"task-{number}"
            except AirsideError:
                return False
            return True

        for number in range(RUNS):
            until(lambda number=number: submitted(number), "a run to be accepted", 120)  # type: ignore[misc]
        give_up = time.monotonic() + SETTLE_S_MAX
        while time.monotonic() < give_up and not all(states.get(run) in ENDED for run in runs):
            for run_id in [run for run in runs if states.get(run) not in ENDED]:
                try:
                    run = client.get(f"/api/v1/runs/{run_id}")
                    states[run_id] = run["state"]
                    if run["state"] in ENDED - {"succeeded"}:
                        counted[f"{run['code']}: {run['message'][:80]}"] += 1
                    if states[run_id] == "held":
                        counted["held"] += resolve(client, run_id, ledger)
                except AirsideError:
                    break
            time.sleep(0.5)
        stopped.set()
        killer.join()
        for person in people:
            person.stopped.set()
            person.join()
            counted.update(person.done)
        called = {call["approval_id"]: call["state"] for run in runs for call in _calls(client, run)}
        approvals = [approval | {"call": called.get(approval["id"], "")} for approval in _approvals(client)]
        return {"states": states, "runs": runs, "killed": killed, "counted": counted, "approvals": approvals}


def _calls(client: Client, run_id: str) -> list[dict[str, Any]]:
    """Return the calls of a run that name an approval."""
    page = client.get(f"/api/v1/runs/{run_id}/calls", limit=200)
    assert not page["next_cursor"], "a run of this benchmark makes fewer than 200 calls"
    return [call for call in page["items"] if call["approval_id"]]


def _approvals(client: Client) -> list[dict[str, Any]]:
    """Return every approval, opened."""
    found, cursor = [], ""
    while True:
        page = client.get("/api/v1/approvals", limit=200, cursor=cursor)
        found += [client.get(f"/api/v1/approvals/{item['id']}") for item in page["items"]]
        cursor = page["next_cursor"] or ""
        if not cursor:
            return found


def compare(played: dict[str, Any], ledger: Path) -> dict[str, Any]:
    """Compare, item by item, the effects in the ledger with the approvals that calls have used up.

    Every effect must be covered by an approval of its own, of its very amount, and every approval whose call is said to
    be done by an effect. A call whose outcome nobody knows (its process died and the run ended otherwise) may have had
    its effect or not: such are `unknown`. One that was found not to have happened needed another approval.
    """
    done = effects(ledger)
    used: dict[tuple[str, int], list[int]] = {}
    finished: dict[tuple[str, int], list[int]] = {}
    for approval in played["approvals"]:
        if not approval["consumed_by"]:
            continue
        arguments = approval["edited_arguments"] or approval["arguments"]
        item = (arguments["run"], arguments["item"])
        used.setdefault(item, []).append(arguments["amount"])
        if approval["call"] == "ok":
            finished.setdefault(item, []).append(arguments["amount"])
    uncovered = {item: _less(done[item], used.get(item, [])) for item in done}
    missing = {item: _less(finished[item], done.get(item, [])) for item in finished}
    wrong = sorted(str(item) for item in {**uncovered, **missing} if uncovered.get(item, 0) or missing.get(item, 0))
    total = sum(map(len, done.values()))
    return {
        "approvals": len(played["approvals"]),
        "used": sum(map(len, used.values())),
        "done": sum(map(len, finished.values())),
        "effects": total,
        "unknown": total - sum(map(len, finished.values())) + sum(missing.values()) - sum(uncovered.values()),
        "uncovered": sum(uncovered.values()),
        "missing": sum(missing.values()),
        "wrong": wrong[:10],
        "twice": sum(_less(amounts, used.get(item, [])) > 0 for item, amounts in done.items() if len(amounts) > 1),
        "edited": sum(approval["edited_arguments"] is not None for approval in played["approvals"]),
        "denied": sum(approval["state"] == "denied" for approval in played["approvals"]),
        "calls": dict(Counter(approval["call"] for approval in played["approvals"])),
        "states": dict(Counter(played["states"].values())),
        "kills": dict(played["killed"]),
        "counted": dict(played["counted"]),
    }


def _less(some: list[int], others: list[int]) -> int:
    """Return how many of some amounts are not among the others, each counted as often as it stands."""
    return (Counter(some) - Counter(others)).total()


def one_database(name: str, folder: Path, postgres: ThrowawayPostgres | None) -> dict[str, Any]:
    """Play one database."""
    ledger = folder / "ledger.sqlite"
    approvals_tools.create(ledger)
    url = postgres.fresh() if postgres else f"sqlite:///{folder / 'airside.sqlite'}"
    fleet = Fleet(folder, settings(folder, url), {"LEDGER": str(ledger)})
    try:
        if postgres:
            fleet.add("api", "serve", "api")
            for side in ("a", "b"):
                fleet.add(f"gateway-{side}", "serve", "gateway")
                fleet.add(f"worker-{side}", "serve", "worker", gateway=f"gateway-{side}")
        else:
            fleet.add("up", "up")
        played = play(fleet, "api" if postgres else "up", ledger)
    finally:
        fleet.stop()
    return {"database": name, **compare(played, ledger)}


def main() -> None:
    """Play both databases (AIRSIDE_BENCH_DATABASES names others) and print the figures."""
    results = []
    databases = option("databases", "sqlite,postgres").split(",")
    if "sqlite" in databases:
        with tempfile.TemporaryDirectory(prefix="approve-s", dir="/tmp") as folder:
            results.append(one_database("sqlite", Path(folder), None))
            print(json.dumps(results[-1]), flush=True)
    if "postgres" in databases:
        with throwaway_postgres() as postgres, tempfile.TemporaryDirectory(prefix="approve-p", dir="/tmp") as folder:
            results.append(one_database("postgres", Path(folder), postgres))
            print(json.dumps(results[-1]), flush=True)

    def total(key: str) -> int:
        return sum(result[key] for result in results)

    spread = {result["database"]: {key: result[key] for key in ("states", "kills", "counted")} for result in results}
    counts = {key: total(key) for key in ("approvals", "used", "done", "effects", "unknown", "edited", "denied")}
    difference = total("uncovered") + total("missing")
    figure("approvals.effects_minus_approvals", difference, "effects", **counts, how=spread)
    figure("approvals.effects_uncovered", total("uncovered"), "effects")
    figure("approvals.effects_missing", total("missing"), "effects")


if __name__ == "__main__":
    main()
