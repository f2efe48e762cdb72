"""The semantic cache against paraphrases and look-alikes: how many of its hits are wrong, and how much it finds.

    make bench-cache        (needs the extra `local`)

Reported is the half of the hand-written groups (by a hash of the question) that was not looked at while the verifier's
rules were written, and the half of the real prompts; `AIRSIDE_BENCH_HALF=tuning` shows the other. Every cache holds all
questions of the half and all real prompts at once, so that any of them may be found for any query. A hit is wrong if
the entry that answered belongs to another question. `cache.recall` counts hand-written paraphrases alone.

`AIRSIDE_BENCH_DATA` is the folder with the real prompts; `AIRSIDE_BENCH_GPTCACHE` an interpreter that has GPTCache (by
default an environment is made for it).
"""

import asyncio
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

from msgspec import Struct

from airside.config.cache import CacheSettings
from airside.config.settings import DatabaseSettings
from airside.core.call import Usage
from airside.core.clock import SystemClock
from airside.core.errors import AirsideError
from airside.core.money import ZERO
from airside.core.run import Identity
from airside.gateways.models.caching.keys import LIVE, Room
from airside.gateways.models.caching.question import read
from airside.gateways.models.caching.remembered import Remembered
from airside.gateways.models.caching.semantic import Semantic
from airside.gateways.models.caching.store import Asked, CacheStore, Origin
from airside.gateways.models.caching.thresholds import Trial
from airside.gateways.models.embedding.local import LocalEmbedder
from airside.journal.backend import connect
from airside.journal.sealing import DatabaseKeyring
from airside.testing.calls import model_call
from benchmarks.cache_material import Group, bent, groups, real_prompts, reworded, translated
from benchmarks.figures import figure, option

FALSE_HITS_MAX, RECALL_MIN = 0.01, 0.40
GPTCACHE = ("gptcache==0.1.44", "faiss-cpu", "numpy", "sqlalchemy")
REAL_MAX, BENT_OF_REAL = 800, 1_000
STREAMS_SEED = 7


class Query(Struct, frozen=True):
    """A question with the entry that may answer it (empty: none), and where it comes from."""

    text: str
    right: str
    source: str


class Served(Struct, frozen=True):
    """What a cache made of a query: the question whose answer it gave, or empty."""

    query: Query
    given: str
    similarity: float = 0.0

    @property
    def wrong(self) -> bool:
        return bool(self.given) and self.given != self.query.right


class Bench:
    """A real cache on a database in memory."""

    def __init__(self, store: CacheStore, semantic: Semantic, embedder: LocalEmbedder, key: Any) -> None:
        self.store, self.semantic, self.embedder, self.key = store, semantic, embedder, key
        self.room = Room("default", "bench", (LIVE.encode(),))
        self.call = model_call(_somebody())

    async def keep(self, text: str) -> None:
        """Keep a question, with itself as the answer."""
        question = read(text)
        if question.unreadable or question.language == "other":
            return
        (vector,) = await self.embedder.embed(self.call, [question.core])
        if vector is None:
            return
        name = self.key.name(text.encode())
        answer = Remembered(entry_key=name, body=text.encode(), usage=Usage(), cost=ZERO, upstream="", price="")
        asked = Asked(b"part", self.embedder.name, text, vector)
        await self.store.put(self.room, self.key, answer, Origin("bench", "bench", "bench"), asked)
        self.semantic.kept(self.room, asked)

    async def ask(self, query: Query) -> tuple[Served, Any]:
        verdict = await self.semantic.look(self.call, self.room, b"part", query.text)
        given = verdict.answer.body.decode() if verdict.decision == "served" and verdict.answer else ""
        return Served(query, given, verdict.near.similarity if verdict.near else 0.0), verdict


async def opened(embedder: LocalEmbedder, settings: CacheSettings, closing: list[Any]) -> Bench:
    backend = await connect("memory:", settings=DatabaseSettings(), executor_id="bench")
    closing.append(backend)
    keyring = DatabaseKeyring(backend.database, os.urandom(32))
    store = CacheStore(backend.database, keyring, settings, SystemClock())
    semantic = Semantic(store, embedder, settings.semantic, SystemClock(), lambda: 1.0)
    return Bench(store, semantic, embedder, await keyring.subject("default", "bench"))


def material(half: list[Group], real: list[str]) -> tuple[list[str], list[Query]]:
    """Return the questions to keep, and the queries."""
    kept = [group.question for group in half]
    queries = [Query(text, group.question, "paraphrase") for group in half for text in group.same]
    queries += [Query(text, "", "near-miss") for group in half for text in group.other]
    for group in half:
        queries += [Query(text, "", f"bent: {kind}") for kind, text in bent(group.question) if text != group.question]
        queries += [Query(text, group.question, "reworded") for text in reworded(group.question)]
    queries += [Query(there, "", "translated") for here, there in translated() if here in kept]
    every_other = real[::2]
    queries += [Query(text, "", "real") for text in real[1::2]]
    of_real = [Query(text, "", f"real bent: {kind}") for prompt in every_other for kind, text in bent(prompt)]
    random.Random(STREAMS_SEED).shuffle(of_real)
    of_real = [query for query in of_real if query.text not in set(every_other)][:BENT_OF_REAL]
    return kept + every_other, queries + of_real


async def cold(bench: Bench, kept: list[str], queries: list[Query]) -> tuple[list[Served], float]:
    """Ask everything of a cache that has learned nothing; return what was served, and ms per look."""
    for text in kept:
        await bench.keep(text)
    served, took = [], []
    for query in queries:
        started = time.perf_counter()
        served.append((await bench.ask(query))[0])
        took.append(time.perf_counter() - started)
    return served, statistics.median(took) * 1e3


async def learning(bench: Bench, half: list[Group], real: list[str]) -> list[Served]:
    """A stream in which everything is asked, in random order, and what was asked of the model is kept and learned from.

    Each text of a group but its look-alikes has the same answer. Hits are audited as configured. Look-alikes bent by
    rules are left out here: some of them are other words for one another, and no label says which.
    """
    stream = [Query(text, group.question, "paraphrase") for group in half for text in (group.question, *group.same)]
    stream += [Query(text, text, "near-miss") for group in half for text in group.other]
    stream += [Query(text, text, "real") for text in real[: len(stream)]]
    rng = random.Random(STREAMS_SEED)
    rng.shuffle(stream)
    meaning: dict[str, str] = {query.text: query.right for query in stream}
    served = []
    for query in stream:
        verdict = await bench.semantic.look(bench.call, bench.room, b"part", query.text)
        near = meaning[verdict.answer.body.decode()] if verdict.answer else ""
        audited = verdict.decision == "served" and rng.random() < 0.02
        if verdict.decision == "served" and not audited:
            served.append(Served(query, near, verdict.near.similarity if verdict.near else 0.0))
            continue
        served.append(Served(query, ""))
        if verdict.near is not None:
            trial = Trial(verdict.near.similarity, near == query.right)
            await bench.store.learn(
                bench.room, verdict.near.entry_key, bench.embedder.name, trial, bench.semantic.thresholds
            )
        await bench.keep(query.text)
    return served


def at_most(wrong: int, hits: int, confidence: float = 0.95) -> float:
    """Return the upper bound of Clopper and Pearson on a rate; of Wilson where many were wrong."""
    if hits == 0:
        return 1.0
    if wrong > 30:
        p, z = wrong / hits, 1.645
        return (p + z * z / (2 * hits) + z * ((p * (1 - p) + z * z / (4 * hits)) / hits) ** 0.5) / (1 + z * z / hits)
    low, high = wrong / hits, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        below, term = 0.0, (1 - middle) ** hits
        for k in range(wrong + 1):
            below += term
            term *= (hits - k) / (k + 1) * middle / (1 - middle) if middle < 1 else 0.0
        low, high = (middle, high) if below > 1 - confidence else (low, middle)
    return high


def rates(served: list[Served]) -> dict[str, Any]:
    """Return hits, wrong hits with their bound, and recall by source."""
    hits, wrong = sum(bool(one.given) for one in served), [one for one in served if one.wrong]
    found = {
        source: [one.given == one.query.right for one in served if one.query.source == source]
        for source in ("paraphrase", "reworded")
    }
    return {
        "hits": hits,
        "wrong": len(wrong),
        "wrong_at_most": round(at_most(len(wrong), hits), 5),
        "rate": len(wrong) / hits if hits else 0.0,
        "recall": statistics.mean(found["paraphrase"]) if found["paraphrase"] else 0.0,
        "reworded_recall": statistics.mean(found["reworded"]) if found["reworded"] else None,
        "wrong_by": dict(Counter(one.query.source for one in wrong)),
    }


async def gptcache(embedder: LocalEmbedder, kept: list[str], queries: list[Query]) -> list[Served]:
    """Ask GPTCache the same; raises OSError or CalledProcessError if it cannot be run."""
    call = model_call(_somebody())
    queries = [query for query in queries if not query.source.startswith("real bent")]  # half of the work
    texts = list(dict.fromkeys([*kept, *[query.text for query in queries]]))
    vectors = [vector for (vector,) in [await embedder.embed(call, [text]) for text in texts]]
    known = {text: list(array("f", vector)) for text, vector in zip(texts, vectors, strict=True) if vector}
    asked = [query for query in queries if query.text in known]
    given = {
        "entries": [[text, text] for text in kept if text in known],
        "queries": [query.text for query in asked],
        "vectors": known,
    }
    with tempfile.TemporaryDirectory() as folder:
        python = option("gptcache", "") or _environment(Path(folder))
        command = [python, str(Path(__file__).with_name("cache_gptcache.py"))]
        done = await asyncio.to_thread(
            subprocess.run, command, input=json.dumps(given), capture_output=True, text=True, check=True, timeout=1_800
        )
    answers = json.loads(done.stdout.splitlines()[-1])
    return [Served(query, answer or "") for query, answer in zip(asked, answers, strict=True)]


def _environment(folder: Path) -> str:
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *GPTCACHE], check=True, capture_output=True, timeout=900)
    return python


def _somebody() -> Any:
    return Identity("default", "run_bench", 1, "bench", "rel", "bench", (), False, 2**62)


async def main() -> None:
    tuning = option("half", "reported") == "tuning"
    half = [group for group in groups() if group.tuning == tuning]
    data = Path(option("data", str(Path(__file__).parents[2] / "shared" / "data")))
    real = real_prompts(data)
    real = [text for text in real if (hashlib.sha256(text.encode()).digest()[0] % 2 == 0) == tuning][:REAL_MAX]
    settings = CacheSettings.model_validate({"ttl_s": 86_400, "semantic": {"entries_max": 50_000}})
    embedder, closing = LocalEmbedder(), []
    try:
        await embedder.embed(model_call(_somebody()), ["warm"])
    except AirsideError as error:
        for name in ("cache.false_hit_rate", "cache.recall"):
            figure(name, None, "share", reason=error.message)
        return
    kept, queries = material(half, real)
    served, look_ms = await cold(await opened(embedder, settings, closing), kept, queries)
    streamed = await learning(await opened(embedder, settings, closing), half, real)
    if option("verbose", 0):
        for one in served:
            if one.wrong or (option("verbose", 0) > 1 and not one.given and one.query.source == "paraphrase"):
                print(one.query.source, "|", one.query.text, "|", one.given, one.similarity, file=sys.stderr)
    try:
        left_out = option("gptcache", "") == "none"
        peer = None if left_out else await gptcache(embedder, kept, queries)
        why = "left out" if left_out else ""
    except (OSError, subprocess.SubprocessError) as error:
        peer, why = None, f"GPTCache did not run: {error}"
    for backend in closing:
        await backend.close()
    await embedder.close()
    report(Results(kept, queries, served, streamed, look_ms, peer, why), groups_of=len(half), real=bool(real))


class Results(Struct, frozen=True):
    """What every cache made of the material; `why` says why a peer is missing."""

    kept: list[str]
    queries: list[Query]
    served: list[Served]
    streamed: list[Served]
    look_ms: float
    peer: list[Served] | None = None
    why: str = ""


def report(found: Results, *, groups_of: int, real: bool) -> None:
    kept, queries = found.kept, found.queries
    counted = Counter(query.source.split(":")[0] for query in queries)
    about = {"kept": len(kept), "queries": dict(counted), "groups": groups_of, "real_prompts": real}
    print(json.dumps({"about": about}))
    ours, stream = rates(found.served), rates(found.streamed)
    figure("cache.look_ms_p50", found.look_ms, "ms", entries=len(kept), embedding="included")
    if found.peer is None:
        figure("cache.gptcache_false_hit_rate", None, "share", reason=found.why)
        figure("cache.gptcache_recall", None, "share", reason=found.why)
    else:
        theirs = rates(found.peer)
        figure("cache.gptcache_false_hit_rate", theirs["rate"], "share", **_more(theirs))
        figure("cache.gptcache_recall", theirs["recall"], "share")
    figure("cache.stream_false_hit_rate", stream["rate"], "share", mark=FALSE_HITS_MAX, **_more(stream))
    figure("cache.stream_recall", stream["recall"], "share", note="first askings, audits and explorations are misses")
    figure("cache.false_hit_rate", ours["rate"], "share", mark=FALSE_HITS_MAX, **_more(ours))
    figure("cache.recall", ours["recall"], "share", mark=RECALL_MIN, reworded_by_rule=ours["reworded_recall"])


def _more(rates_of: dict[str, Any]) -> dict[str, Any]:
    return {name: rates_of[name] for name in ("hits", "wrong", "wrong_at_most", "wrong_by")}


if __name__ == "__main__":
    asyncio.run(main())
