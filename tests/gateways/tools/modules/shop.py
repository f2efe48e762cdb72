"""Tools of a small shop, as a user would write them, and some that misbehave."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from airside import ToolContext, TransientError, together, tool


@dataclass
class Line:
    """A line of an order."""

    article: str
    pieces: int


@tool(effect="read")
def find_order(order_id: str, *, with_lines: bool = False) -> dict[str, Any]:
    """Look an order up.

    The second paragraph belongs to the description too.

    Args:
        order_id: the order's number,
            as printed on the invoice
        with_lines: whether to list the lines

    Returns:
        What is known of it.
    """
    order: dict[str, Any] = {"order_id": order_id, "day": date(2026, 11, 22), "total": Decimal("12.50")}
    return order | ({"lines": [Line("pen", 2)]} if with_lines else {})


@tool(effect="write", amount="amount", amount_unit="cents")
async def refund(
    order_id: str,
    amount: Annotated[int, Field(gt=0)],
    reason: Literal["late", "broken"],
    context: ToolContext,
    note: str = "",
) -> dict[str, Any]:
    """Pay money back.

    :param order_id: the order
    :param int amount: how much, in cents
    """
    _effect("refund", context.idempotency_key)
    await asyncio.sleep(0.01)  # done, but not yet told
    return {"refunded": amount, "key": context.idempotency_key, "run": context.run_id, "tenant": context.tenant_id}


@tool
def undeclared(json: dict[str, int], _x: list[Line]) -> str:
    return f"{json} {_x}"


@tool(effect="read")
async def echo(value: Any) -> Any:
    """Return what it gets."""
    return value


@tool(effect="read")
async def pause(seconds: float) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "waited"


@tool(effect="read", timeout_s=0.5)
def hang_read(path: str) -> str:
    """Never return, in a thread."""
    _effect("hang", path)
    threading.Event().wait()
    return "never"


@tool(effect="write", timeout_s=0.5)
async def hang_write() -> str:
    """Never return, on the loop."""
    await asyncio.Event().wait()
    return "never"


@tool(effect="write", timeout_s=0.5, idempotent=True)
async def hang_idempotent() -> str:
    """Never return, on the loop."""
    await asyncio.Event().wait()
    return "never"


@tool(effect="read")
def wait_read(signal_file: str) -> str:
    """Wait for a file to appear."""
    return _wait(signal_file)


@tool(effect="write")
def wait_write(signal_file: str) -> str:
    """Wait for a file to appear."""
    return _wait(signal_file)


@tool(effect="write", idempotent=True)
def wait_idempotent(signal_file: str) -> str:
    """Wait for a file to appear."""
    return _wait(signal_file)


@tool(effect="read")
def big(bytes_count: int) -> str:
    """Return a lot."""
    return "x" * bytes_count


@tool(effect="write")
def raise_error(kind: str) -> None:
    """Raise."""
    if kind == "transient":
        raise TransientError("upstream_failed", "the shop is closed")  # type: ignore[arg-type]
    if kind == "exit":
        sys.exit(3)
    if kind == "stop":
        raise StopIteration
    if kind == "surrogate":
        raise ValueError("no such file: \udcff\x00")
    if kind == "mute":
        raise _MuteError
    raise ValueError("no such order: 4711")


class _MuteError(Exception):
    """Cannot even say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError


@tool(effect="read")
def not_json(kind: str) -> Any:
    """Return what JSON does not have."""
    return {"nan": float("nan"), "object": object(), "surrogate": "\ud800", "keys": {1: 2}}[kind]


@tool(effect="read")
def look_around() -> dict[str, Any]:
    """Tell what the host can see."""
    return {
        "pid": os.getpid(),
        "environment": sorted(os.environ),
        "session_leader": os.getsid(0) == os.getpid(),
        "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    }


@tool(effect="execute")
def leave_child() -> int:
    """Start a process that would outlive us."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


@tool(effect="read")
def hidden() -> str:
    """Not offered to the agent of these tests."""
    return "seen"


@tool(effect="read")
def babble() -> str:
    """Write what is no frame into every socket of the host."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            if str(entry.readlink()).startswith("socket:"):
                os.write(int(entry.name), b"\x00\x00\x00\x03abc")
        except OSError:
            continue
    threading.Event().wait()
    return "never"


@tool(effect="read")
def stock(item: str) -> dict[str, Any]:
    """How many are left of an item."""
    raise AssertionError("calls of this tool are made together")


@together(stock, wait_s=0.3)
def stocks(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many are left of many items."""
    return [{"item": call["item"], "asked_with": len(calls)} for call in calls]


@tool(effect="execute")
def kill_myself() -> None:
    """Crash the host."""
    os.kill(os.getpid(), signal.SIGKILL)


def _effect(name: str, what: str) -> None:
    if folder := os.environ.get("EFFECTS"):
        with (Path(folder) / name).open("a") as file:
            file.write(what + "\n")


def _wait(signal_file: str) -> str:
    with (Path(signal_file).parent / "began").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not Path(signal_file).exists():
        time.sleep(0.005)
    return "done"
