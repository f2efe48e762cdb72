"""A control group around a confined program, where this machine lets us make one: what all its processes use together.

Version 2 and version 1 both; a group is made beside or below the one this process is in. None is no error: then only
the limits of single processes hold, and the caller says so.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import uuid4

REMOVE_S: Final = 2.0
_MOUNT: Final = Path("/sys/fs/cgroup")


class Group:
    """A control group: one folder in version 2, one for each controller in version 1."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders

    @property
    def _memory(self) -> Path:
        return self._folders.get("memory") or self._folders["unified"]

    def add(self, pids: Iterable[int]) -> None:
        """Move processes into the group; those that are gone already are left out."""
        for folder in self._folders.values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    (folder / "cgroup.procs").write_text(str(pid))

    def memory_peak_bytes(self) -> int | None:
        """Return the most memory that was ever in use at the same time."""
        return _number(self._memory / "memory.peak") or _number(self._memory / "memory.max_usage_in_bytes")

    def cpu_s(self) -> float | None:
        """Return the processor time of all its processes."""
        if "cpuacct" in self._folders:
            used_ns = _number(self._folders["cpuacct"] / "cpuacct.usage")
            return None if used_ns is None else used_ns / 1e9
        used_us = _named(self._memory / "cpu.stat", "usage_usec")
        return None if used_us is None else used_us / 1e6

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed something in it for want of memory."""
        killed = _named(self._memory / "memory.events", "oom_kill") or _named(
            self._memory / "memory.oom_control", "oom_kill"
        )
        return bool(killed)

    def refused_processes(self) -> bool:
        """Whether a process was refused because there were too many."""
        folder = self._folders.get("pids") or self._folders["unified"]
        return bool(_named(folder / "pids.events", "max"))

    def remove(self) -> bool:
        """End what is left in it and take it away; False if that took too long."""
        until_s = time.monotonic() + REMOVE_S
        for folder in self._folders.values():
            with contextlib.suppress(OSError):
                (folder / "cgroup.kill").write_text("1")
            while folder.exists():
                try:
                    folder.rmdir()
                except OSError:
                    if time.monotonic() > until_s:
                        return False
                    time.sleep(0.005)
        return True


def make(*, memory_bytes: int, processes: int) -> Group | None:
    """Return a new group with these limits, or None if this machine does not let us have one."""
    name = f"airside-{uuid4().hex[:12]}"
    return _unified(name, memory_bytes, processes) or _separate(name, memory_bytes, processes)


def _unified(name: str, memory_bytes: int, processes: int) -> Group | None:
    own = _own().get("")
    if own is None or not (_MOUNT / "cgroup.controllers").exists():
        return None
    for place in (own.parent, own):
        folder = place / name
        try:
            if not {"memory", "pids"} <= set((place / "cgroup.subtree_control").read_text().split()):
                continue
            folder.mkdir()
            (folder / "memory.max").write_text(str(memory_bytes))
            (folder / "pids.max").write_text(str(processes))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        with contextlib.suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
        return Group({"unified": folder})
    return None


def _separate(name: str, memory_bytes: int, processes: int) -> Group | None:
    own = _own()
    if not {"memory", "pids"} <= own.keys():
        return None
    group = Group({kind: own[kind] / name for kind in ("memory", "pids", "cpuacct") if kind in own})
    try:
        for folder in group._folders.values():
            folder.mkdir()
        (own["memory"] / name / "memory.limit_in_bytes").write_text(str(memory_bytes))
        (own["pids"] / name / "pids.max").write_text(str(processes))
    except OSError:
        group.remove()
        return None
    with contextlib.suppress(OSError):
        (own["memory"] / name / "memory.memsw.limit_in_bytes").write_text(str(memory_bytes))
    return group


def _own() -> dict[str, Path]:
    """Return the folders of the groups this process is in, by controller; version 2's under an empty name."""
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for kind in controllers.split(","):
            folder = (_MOUNT / kind if kind else _MOUNT) / path.lstrip("/")
            if (kind and os.access(folder, os.W_OK)) or (not kind and folder.exists()):
                found[kind] = folder
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _named(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), None)
