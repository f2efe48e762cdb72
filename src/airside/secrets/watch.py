"""Knows the values that were handed out lately, and finds and replaces them in what tools answer and calls carry.

Only values that this process has resolved can be found. Each is remembered for `secrets.remember_s` after its last use,
so that an old one is still known after a rotation.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from airside.core import canonical
from airside.core.clock import Clock
from airside.core.dependencies import SHARED
from airside.core.text import storable
from airside.secrets.forms import Forms, forms_of
from airside.secrets.handle import Handle
from airside.secrets.search import Span, Table

VALUES_MAX: Final = 2_000
OFF_LOOP_BYTES: Final = 32_768
_EVERYBODY: Final = ""


class Redacted(NamedTuple):
    """A text or body without values: what is left, whose values were in it, how often, and if all is withheld."""

    data: bytes
    names: tuple[str, ...] = ()
    times: int = 0
    withheld: bool = False


_watches: "WeakSet[Watch]" = WeakSet()


def without_values(text: str) -> str:
    """Return a text for the log without any value that this process has resolved: logs belong to the whole process."""
    for watch in list(_watches):
        text = watch.log_text(text)
    return text


class _Known(NamedTuple):
    forms: Forms
    seen_s: float


class Watch:
    """Implements `SecretWatch` for the values of one process. Logs ask it from any thread."""

    def __init__(self, clock: Clock, remember_s: float) -> None:
        self._clock = clock
        self._remember_s = remember_s
        self._known: OrderedDict[tuple[str, str, str], _Known] = OrderedDict()
        self._tables: dict[str, Table | None] = {}
        self._lock = threading.Lock()
        _watches.add(self)

    def remember(self, tenant_id: str, handle: Handle, version: str, value: str) -> None:
        """Look for a value from now on in what belongs to its tenant; SHARED ones are looked for everywhere."""
        key = (tenant_id, str(handle), version)
        now_s = self._clock.monotonic_s()
        known = self._known.get(key)
        if known is not None and now_s - known.seen_s < self._remember_s / 4:
            return
        forms = known.forms if known else forms_of(value)
        with self._lock:
            self._known[key] = _Known(forms, now_s)
            self._known.move_to_end(key)
            while len(self._known) > VALUES_MAX:
                self._known.popitem(last=False)
            self._forget(now_s)
            self._tables.clear()

    def found_in(self, tenant_id: str, text: str) -> tuple[str, ...]:
        """Return the handles whose values occur in a text, in whatever form."""
        table = self._table(tenant_id)
        return tuple(sorted(table.names(text.encode(errors="replace")))) if table else ()

    def leaks(self, tenant_id: str, arguments: Any) -> tuple[str, ...]:
        """Return the handles whose values occur in a call's arguments (a JSON value)."""
        table = self._table(tenant_id)
        return tuple(sorted(table.names(canonical.encode(arguments)))) if table else ()

    def text(self, tenant_id: str, text: str) -> tuple[str, tuple[str, ...]]:
        """Return a text with handles in place of values, and which."""
        table = self._table(tenant_id)
        if table is None or not table.names(text.encode(errors="replace")):
            return text, ()
        done = _replaced(table, text.encode(errors="replace"))
        return done.data.decode(errors="replace"), done.names

    def log_text(self, text: str) -> str:
        """Return a text for the log, which belongs to no tenant, without any value that this process knows."""
        return self.text(_EVERYBODY, text)[0]

    def json(self, tenant_id: str, body: bytes) -> Redacted:
        """Return a JSON body with handles in place of values.

        A value that is spread over several texts or numbers of the body cannot be cut out: all of it is withheld then.
        """
        table = self._table(tenant_id)
        return _clean(table, body) if table else Redacted(body)

    async def body(self, tenant_id: str, body: bytes) -> Redacted:
        """Likewise, with long bodies off the loop."""
        table = self._table(tenant_id)
        if table is None:
            return Redacted(body)
        return _clean(table, body) if len(body) < OFF_LOOP_BYTES else await asyncio.to_thread(_clean, table, body)

    def _table(self, tenant_id: str) -> Table | None:
        if not self._known:
            return None
        with self._lock:
            if tenant_id not in self._tables:
                values: dict[str, list[Forms]] = {}
                for (owner, name, _), known in self._known.items():
                    if tenant_id == _EVERYBODY or owner in {tenant_id, SHARED}:
                        values.setdefault(name, []).append(known.forms)
                self._tables[tenant_id] = Table(values) if values else None
            return self._tables[tenant_id]

    def _forget(self, now_s: float) -> None:
        for key in _expired(self._known.items(), now_s - self._remember_s):
            del self._known[key]


def _clean(table: Table, body: bytes) -> Redacted:
    if not table.names(body):
        return Redacted(body)
    told: list[Span] = []
    data = canonical.encode(_without(table, canonical.parse(body, bytes_max=len(body)), told))
    times, names = len(told), {span.name for span in told}
    if left := table.names(data):
        names |= left
        times += len(left)
        data = canonical.encode({"withheld": "the result held secrets in pieces", "secrets": sorted(names)})
    return Redacted(data, tuple(sorted(names)), times, bool(left))


def _expired(known: Iterable[tuple[tuple[str, str, str], _Known]], before_s: float) -> list[tuple[str, str, str]]:
    return [key for key, one in known if one.seen_s < before_s]


def _replaced(table: Table, data: bytes) -> Redacted:
    pieces, at, names = [], 0, set()
    spans = table.spans(data)
    for span in spans:
        pieces += [data[at : span.start], span.name.encode()]
        at = span.end
        names.add(span.name)
    return Redacted(b"".join([*pieces, data[at:]]), tuple(sorted(names)), len(spans))


def _without(table: Table, value: Any, told: list[Span]) -> Any:
    """Return a JSON value with handles in place of values, in texts, keys and numbers; `told` gets what was found."""
    if isinstance(value, dict):
        return {_without(table, key, told): _without(table, item, told) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(table, item, told) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    data = str(value).encode(errors="replace")
    spans = table.spans(data)
    if not spans:
        return value
    told += spans
    return storable(_replaced(table, data).data.decode(errors="replace"))
