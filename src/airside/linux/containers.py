"""The commands that start a confined program: docker or podman with every lock on, or bubblewrap where no daemon is.

Pure: what comes out is a list of arguments, so that tests can read what protects.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

NOBODY: Final = "65534:65534"
WORK: Final = "/sandbox"
LABEL: Final = "airside.box"
RUNTIMES: Final = {
    "docker": {"runc": "runc", "runsc": "runsc", "kata": "io.containerd.kata.v2"},
    "podman": {"runc": "runc", "runsc": "runsc", "kata": "kata"},
}
_SYSTEM: Final = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


class Box(Struct, frozen=True, kw_only=True):
    """What a confined program may use, and what it sees: `readable` host places, and `sockets` (inside by outside).

    Zero as `cpu_s` or `lifetime_s` (seconds) is no limit.
    """

    memory_bytes: int
    cpus: float
    processes: int
    open_files: int
    files_bytes: int
    cpu_s: float
    lifetime_s: float
    environment: Mapping[str, str] = {}
    readable: tuple[str, ...] = ()
    sockets: Mapping[str, str] = {}


def docker(
    engine: str, runtime: str, image: str, name: str, box: Box, seccomp: str, program: Sequence[str]
) -> list[str]:
    """Return the command that runs a program in a container of docker or podman (`engine` is which).

    `timeout`, which every image with coreutils or busybox has, ends what outlives the process that started it.
    """
    chosen = RUNTIMES[engine][runtime]
    start = [engine, "run"] if engine == "docker" else [engine, "--runtime", chosen, "run"]
    return [
        *start,
        *(("--runtime", chosen) if engine == "docker" else ()),
        *("--rm", "--interactive", "--name", name, "--label", LABEL, "--pull", "never", "--log-driver", "none"),
        *("--network", "none", "--ipc", "none" if engine == "docker" else "private", "--hostname", "sandbox"),
        *("--read-only", "--user", NOBODY, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *(("--security-opt", f"seccomp={seccomp}") if seccomp else ()),
        *("--memory", str(box.memory_bytes), "--memory-swap", str(box.memory_bytes), "--cpus", f"{box.cpus:g}"),
        *("--pids-limit", str(box.processes), "--ulimit", f"nofile={box.open_files}:{box.open_files}"),
        *("--ulimit", "core=0:0"),
        *(("--ulimit", f"cpu={_whole(box.cpu_s)}:{_whole(box.cpu_s) + 2}") if box.cpu_s else ()),
        *("--ulimit", f"fsize={box.files_bytes}:{box.files_bytes}"),
        *("--tmpfs", f"{WORK}:rw,noexec,nosuid,nodev,size={box.files_bytes},nr_inodes=1024,mode=1777"),
        *("--workdir", WORK, "--env", f"HOME={WORK}", "--env", f"TMPDIR={WORK}", "--env", "TZ=UTC"),
        *[part for key, value in box.environment.items() for part in ("--env", f"{key}={value}")],
        *[part for place in box.readable for part in ("--volume", f"{place}:{place}:ro")],
        *[part for outside, inside in box.sockets.items() for part in ("--volume", f"{outside}:{inside}")],
        *("--entrypoint", "timeout", image, "-s", "KILL", str(_whole(box.lifetime_s)), *program),
    ]


def removal(engine: str, name: str) -> list[str]:
    """Return the command that ends a container, whatever it does."""
    return [engine, "rm", "--force", "--volumes", name]


def bubblewrap(program: Sequence[str], box: Box, seccomp_fd: int, *, privileged: bool) -> list[str]:
    """Return the command that runs a program under bubblewrap, with the machine's own /usr and Python, read-only.

    `privileged` is for root, who needs no user namespace: the program gives up root itself, before anything else.
    """
    kept = ("CAP_SETUID", "CAP_SETGID") if privileged else ()
    return [
        *("bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
        *(() if privileged else ("--unshare-user", "--uid", "65534", "--gid", "65534")),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--cap-drop", "ALL", *[part for name in kept for part in ("--cap-add", name)]),
        *("--clearenv", "--setenv", "PATH", _PATH, "--setenv", "HOME", WORK, "--setenv", "TMPDIR", WORK),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "TZ", "UTC"),
        *[part for key, value in box.environment.items() for part in ("--setenv", key, value)],
        *_system(),
        *_parents(box.readable),
        *[part for place in box.readable for part in _laid(place)],
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", str(box.files_bytes), "--tmpfs", WORK, "--chdir", WORK),
        *_parents(list(box.sockets.values())),
        *[part for outside, inside in box.sockets.items() for part in ("--bind", outside, inside)],
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--seccomp", str(seccomp_fd), "--", *program),
    ]


def _system() -> list[str]:
    """Return what makes the machine's programs and its Python visible; links stay links."""
    places = [*_SYSTEM, *(() if Path(sys.base_prefix).is_relative_to("/usr") else (sys.base_prefix,))]
    return [*_parents(places), *[part for place in places for part in _laid(place)]]


def _parents(places: Sequence[str]) -> list[str]:
    """Return what makes the folders above places, open to everybody: bubblewrap's own would be private."""
    folders = {str(parent): None for place in places for parent in reversed(Path(place).parents) if parent != Path("/")}
    return [part for folder in folders for part in ("--perms", "0755", "--dir", folder)]


def _laid(place: str) -> tuple[str, ...]:
    if Path(place).is_symlink():
        return ("--symlink", os.readlink(place), place)  # noqa: PTH115 - as it stands, not as a Path
    return ("--ro-bind", place, place) if Path(place).exists() else ()


def _whole(seconds: float) -> int:
    return int(seconds + 0.999)
