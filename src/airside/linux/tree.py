"""The processes below a process, as /proc tells, and the end of all of them."""

import contextlib
import os
import signal
import time
from collections import defaultdict
from pathlib import Path


def parents() -> dict[int, tuple[int, int, str]]:
    """Return (parent, session, state) of every process that is visible."""
    found = {}
    for name in [entry.name for entry in os.scandir("/proc") if entry.name.isdigit()]:
        try:
            text = Path(f"/proc/{name}/stat").read_text(errors="replace")
        except OSError:
            continue  # it has just ended
        state, parent, _, session = text[text.rindex(")") + 2 :].split()[:4]
        found[int(name)] = (int(parent), int(session), state)
    return found


def descendants(root: int) -> set[int]:
    """Return every living process below `root`, without itself and without zombies."""
    table = parents()
    children = defaultdict(list)
    for pid, (parent, _, _) in table.items():
        children[parent].append(pid)
    found: set[int] = set()
    ahead = list(children[root])
    while ahead:
        pid = ahead.pop()
        if pid not in found:
            found.add(pid)
            ahead += children[pid]
    return {pid for pid in found if table[pid][2] not in "ZX"}


def of_session(session: int) -> set[int]:
    """Return every living process of a session."""
    return {pid for pid, (_, of, state) in parents().items() if of == session and state not in "ZX"}


def send(pids: set[int], number: signal.Signals) -> None:
    """Signal processes; those that are gone already are what was wanted."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_below_me(deadline_s: float) -> bool:
    """Kill everything below this process, which adopts orphans. False if some outlived the deadline.

    All are stopped first, again and again until no new one appears: a fork bomb that is killed one by one outruns us.
    """
    until = time.monotonic() + deadline_s
    while left := descendants(os.getpid()):
        stopped: set[int] = set()
        while (new := left - stopped) and time.monotonic() < until:
            send(new, signal.SIGSTOP)
            stopped |= new
            left = descendants(os.getpid())
        send(left | stopped, signal.SIGKILL)
        _reap()
        if time.monotonic() >= until:
            return False
        time.sleep(0.001)
    _reap()
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
