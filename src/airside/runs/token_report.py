"""Where an agent's tokens go, and what would save some (requirement D15): read from the journal when asked for.

Nothing is measured while calls are made. The parts of recent requests are opened, sized and forgotten; what leaves here
are sizes. Tokens are told by bytes: a part has that share of its call's input tokens.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from airside.core.call import CallKind
from airside.core.ports import Database, Keyring, Row, Transaction
from airside.journal import events
from airside.journal.queries import load
from airside.journal.said import said
from airside.pipeline.answers import unpacked

_SQL = load("airside.runs", "token_report.sql")

RUNS_MAX = 50
ENTRIES_MAX = 400
KINDS = ("system", "tools", "schema", "history", "tool_outputs", "user", "parameters")
_SYSTEM = frozenset({"system", "instructions", "systemInstruction", "system_instruction"})
_TOOLS = frozenset({"tools", "functions", "tool_choice", "toolConfig"})
_SCHEMAS = frozenset({"response_format", "text", "output_config", "generationConfig", "output_format"})


class Asked(Struct):
    """A model call: the ids and bytes of its parts, its answer, and the tokens it took."""

    parts: list[tuple[str, bytes]]
    answer: bytes
    usage: Mapping[str, int]

    @property
    def input_tokens(self) -> int:
        """All tokens that were sent."""
        return sum(self.usage.get(name, 0) for name in ("input", "cached_read", "cache_write"))


class Sizes(Struct):
    """Sums over the calls of an agent; bytes, but for tokens."""

    calls: int = 0
    runs: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    bytes_sent: int = 0
    bytes_repeated: int = 0
    json_bytes: int = 0
    json_compact_bytes: int = 0
    json_key_bytes: int = 0
    kinds: Counter[str] = msgspec.field(default_factory=Counter)


def add(sizes: Sizes, calls: Sequence[Asked]) -> None:
    """Add the calls of one run, in their order. Pure."""
    sizes.runs += 1
    before: list[tuple[str, bytes]] = []
    for call in calls:
        sizes.calls += 1
        sizes.input_tokens += call.input_tokens
        sizes.cached_tokens += call.usage.get("cached_read", 0)
        sizes.output_tokens += call.usage.get("output", 0)
        sizes.bytes_sent += sum(len(part) for _, part in call.parts)
        sizes.bytes_repeated += _repeated(before, call.parts)
        sizes.kinds.update(kinds_of([part for _, part in call.parts]))
        _add_json(sizes, said(call.answer).text)
        before = call.parts


def kinds_of(parts: Sequence[bytes]) -> Counter[str]:
    """Return the bytes of each kind in a request's parts, of which the last are the parameters."""
    found: Counter[str] = Counter()
    last_user = -1
    for place, part in enumerate(parts):
        value = _json(part)
        last = place == len(parts) - 1
        if last and isinstance(value, dict) and "role" not in value and "type" not in value:
            for name, size in _parameters(value):
                found[name] += size
            continue
        kind = _kind(value)
        if kind == "user":
            found["history"] += last_user if last_user >= 0 else 0
            last_user = len(part)
        else:
            found[kind] += len(part)
    found["user"] += max(0, last_user)
    return found


def report(sizes: Sizes) -> dict[str, Any]:
    """Return what is told of an agent: shares, tokens and advice. Pure."""
    total = sum(sizes.kinds.values()) or 1
    shares = {kind: round(sizes.kinds[kind] / total, 4) for kind in KINDS}
    told: dict[str, Any] = {
        "runs": sizes.runs,
        "calls": sizes.calls,
        "input_tokens": sizes.input_tokens,
        "output_tokens": sizes.output_tokens,
        "input_by_kind": [
            {"kind": kind, "share": shares[kind], "tokens": round(sizes.input_tokens * sizes.kinds[kind] / total)}
            for kind in KINDS
        ],
        "repeated_prefix_share": _share(sizes.bytes_repeated, sizes.bytes_sent),
        "cached_share": _share(sizes.cached_tokens, sizes.input_tokens),
        "json_answers": {
            "bytes": sizes.json_bytes,
            "whitespace_share": _share(sizes.json_bytes - sizes.json_compact_bytes, sizes.json_bytes),
            "keys_share": _share(sizes.json_key_bytes, sizes.json_compact_bytes),
        },
    }
    return told | {"advice": list(_advice(told, shares))}


def _advice(told: Mapping[str, Any], shares: Mapping[str, float]) -> Iterator[str]:
    if told["calls"] and told["repeated_prefix_share"] - told["cached_share"] > 0.3:
        yield "Most of each request repeats the one before and little of it is read from a cache: use prompt caching."
    if shares["tools"] > 0.3:
        yield "Tool schemas are a large part of what is sent: offer fewer tools, or describe them more briefly."
    if shares["system"] > 0.3:
        yield "The system prompt is a large part of what is sent: shorten it, or move rare cases into a tool."
    if shares["tool_outputs"] > 0.4:
        yield "Outputs of tools fill the context: let tools return less, or offload them (see `context`)."
    if shares["history"] > 0.5:
        yield "History fills the context: summarise it earlier (see `context`)."
    if told["json_answers"]["whitespace_share"] > 0.1:
        yield "Structured answers hold much white space: ask for JSON without indentation."
    if told["json_answers"]["keys_share"] > 0.5:
        yield "Structured answers are mostly names of fields: shorten them, or ask for lists instead of objects."


class TokenReports:
    """Reads reports of one tenant at a time."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def of_agent(self, tenant_id: str, agent: str, since_us: int = 0) -> dict[str, Any]:
        """Return where the tokens of an agent's latest runs went (at most RUNS_MAX)."""

        async def body(tx: Transaction) -> Sequence[Row]:
            return await tx.fetch(_SQL["runs"], tenant_id=tenant_id, agent=agent, since_us=since_us, n=RUNS_MAX)

        sizes = Sizes()
        for row in await self._database.read(body):
            add(sizes, await self._calls(tenant_id, row["run_id"], row["subject"]))
        return {"agent": agent, **report(sizes)}

    async def _calls(self, tenant_id: str, run_id: str, subject: str) -> list[Asked]:
        async def body(tx: Transaction) -> tuple[Sequence[Row], Sequence[Row]]:
            entries = await tx.fetch(_SQL["entries"], tenant_id=tenant_id, run_id=run_id, n=ENTRIES_MAX)
            names = json.dumps(sorted(_names(entries)))
            sent = await tx.fetch(_SQL["contents"], tenant_id=tenant_id, subject=subject, names=names)
            answers = await tx.fetch(_SQL["answers"], tenant_id=tenant_id, run_id=run_id, n=ENTRIES_MAX)
            return entries, [*sent, *answers]

        entries, contents = await self._database.read(body)
        key = await self._keyring.subject(tenant_id, subject)
        opened = {
            bytes(row["content_id"]).hex(): key.open(bytes(row["content_id"]), bytes(row["sealed"])) for row in contents
        }
        return _asked(entries, opened)


def _asked(entries: Sequence[Row], opened: Mapping[str, bytes]) -> list[Asked]:
    """Join what was sent with what it took."""
    sent: dict[str, list[str]] = {}
    found: list[Asked] = []
    for row in entries:
        entry = msgspec.json.decode(bytes(row["body"]))
        if entry["kind"] != CallKind.MODEL:
            continue
        if row["type"] == events.CALL_INTENT:
            sent[row["call_id"]] = entry["request"]
        elif entry["state"] == "ok" and row["call_id"] in sent:
            parts = [(name, opened.get(name, b"")) for name in sent[row["call_id"]]]
            answer = unpacked(opened[entry["answer"]])[0] if entry["answer"] in opened else b""
            found.append(Asked(parts, answer, entry["usage"]))
    return found


def _names(entries: Sequence[Row]) -> set[str]:
    """Return the names of all that was sent to models."""
    names: set[str] = set()
    for row in entries:
        entry = msgspec.json.decode(bytes(row["body"]))
        if entry["kind"] == CallKind.MODEL:
            names.update(entry.get("request", ()))
    return names


def _repeated(before: Sequence[tuple[str, bytes]], now: Sequence[tuple[str, bytes]]) -> int:
    """Return the bytes of the parts with which a request begins as the one before did; parameters come first there."""
    if not before or not now:
        return 0
    same = len(now[-1][1]) if before[-1][0] == now[-1][0] else 0
    for (name, _), (other, part) in zip(before[:-1], now[:-1], strict=False):
        if name != other:
            break
        same += len(part)
    return same


def _kind(value: Any) -> str:
    if not isinstance(value, dict):
        return "history"
    role, kind = value.get("role"), value.get("type")
    content = value.get("content") if value.get("content") is not None else value.get("parts")
    blocks = content if isinstance(content, list) else []
    if role in {"system", "developer"}:
        return "system"
    if role in {"tool", "function"} or kind in {"function_call_output", "custom_tool_call_output"}:
        return "tool_outputs"
    if any(
        isinstance(block, dict) and ("functionResponse" in block or block.get("type") == "tool_result")
        for block in blocks
    ):
        return "tool_outputs"
    return "user" if role == "user" or (role is None and kind in {None, "message"}) else "history"


def _parameters(value: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, item in value.items():
        kind = "system" if name in _SYSTEM else "tools" if name in _TOOLS else "parameters"
        if name in _SCHEMAS and "schema" in json.dumps(item).lower():
            kind = "schema"
        yield kind, len(name) + len(json.dumps(item, separators=(",", ":")))


def _add_json(sizes: Sizes, text: str) -> None:
    value = _json(text.strip().encode()) if text.lstrip()[:1] in {"{", "["} else None
    if isinstance(value, dict | list):
        sizes.json_bytes += len(text.strip().encode())
        sizes.json_compact_bytes += len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
        sizes.json_key_bytes += _key_bytes(value)


def _key_bytes(value: Any) -> int:
    if isinstance(value, dict):
        return sum(
            len(json.dumps(key, ensure_ascii=False).encode()) + 1 + _key_bytes(item) for key, item in value.items()
        )
    return sum(_key_bytes(item) for item in value) if isinstance(value, list) else 0


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
