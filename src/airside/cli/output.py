"""What commands print: data on stdout (a table, or JSON with --json), everything said to people on stderr."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from airside.core.errors import AirsideError

Json = Annotated[bool, typer.Option("--json", help="machine-readable output on stdout")]


def say(text: str) -> None:
    """Tell the person something; never part of the data."""
    _people().print(escape(text), highlight=False, soft_wrap=True)


def show_error(error: AirsideError, *, in_json: bool) -> None:
    """Print one line that says what happened and what to do; with --json, the same for programs on stdout."""
    say(f"error [{error.code}]: {error.message.rstrip('.')}. {error.advice}".rstrip())
    if in_json:
        told = {"code": error.code.value, "message": error.message, "advice": error.advice}
        show_json({"error": told | {"details": dict(error.details)}})


def show_json(value: Any) -> None:
    """Print a JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
    """Print rows as a table of the named columns; `empty` is said if there is none."""
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("_us").replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*[escape(cell(column, row.get(column))) for column in columns])
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200).print(table)


def show_fields(row: Mapping[str, Any], columns: Sequence[str]) -> None:
    """Print one thing as lines of name and value, leaving out what is empty."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for column in columns:
        if row.get(column) not in (None, "", {}, []):
            table.add_row(column.removesuffix("_us").replace("_", " "), escape(cell(column, row[column])))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200).print(table)


def cell(column: str, value: Any) -> str:
    """Return a value as text for people; a column that ends in `_us` is an instant."""
    if value is None or value == "":
        return "-"
    if column == "running_us":
        return f"{value / 1_000_000:.1f} s"
    if column.endswith("_usd"):
        return dollars(value)
    if column.endswith("_us"):
        return datetime.fromtimestamp(value / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def dollars(exact: str) -> str:
    """Return an exact sum without the zeros that say nothing: 0.0106, but 0.50."""
    whole, _, fraction = exact.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


@contextmanager
def progress(text: str) -> Iterator["Progress"]:
    """Show that something is going on: a spinner on a terminal, else one line for each change."""
    console = _people()
    if console.is_terminal:
        with console.status(escape(text)) as status:
            yield Progress(lambda now: status.update(escape(now)), text)
    else:
        yield Progress(say, text)


class Progress:
    """What is shown while something takes time."""

    def __init__(self, update: Any, text: str) -> None:
        self._update = update
        self._last = text

    def update(self, text: str) -> None:
        """Say what is going on now; the same text again is not repeated."""
        if text != self._last:
            self._last = text
            self._update(text)


def _people() -> Console:
    return Console(file=sys.stderr, highlight=False)
