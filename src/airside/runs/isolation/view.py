"""The files that an attempt in a mount namespace sees: the machine's, read-only, with the private parts masked."""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from airside.linux import calls as linux

PRIVATE_FOLDER: Final = "/tmp/attempt"  # noqa: S108 - on the attempt's own tmpfs
_MASKED: Final = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/home", "/root")  # noqa: S108 - masked, not used
_SMALL: Final = "size=1m,nr_inodes=4096,mode=755"

Sources = dict[str, int]


def masked_places() -> tuple[str, ...]:
    """Return the places of this machine that an attempt must not see, this user's home among them."""
    places = [place for place in (*_MASKED, str(Path.home())) if place != "/" and Path(place).is_dir()]
    return _outermost(places)


def open_sources(readable: tuple[str, ...], masked: tuple[str, ...]) -> Sources:
    """Open the places that must stay visible although they lie under a masked one.

    It is done before the process gives up its user, who may pass folders that the inside cannot. A masked place itself
    stays masked, whatever put it among them (`python -m` puts the working directory on `sys.path`).
    """
    sources = {}
    for path in _outermost(path for path in readable if os.path.realpath(path) not in masked):
        if any(Path(path).is_relative_to(place) for place in masked):
            with contextlib.suppress(FileNotFoundError):
                sources[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
    return sources


def build(sources: Sources, masked: tuple[str, ...], hidden: tuple[str, ...], private_bytes: int) -> None:
    """Build the view in this process's own mount namespace. Raises OSError where the kernel refuses.

    The machine is made read-only first; then private, empty places are laid over the masked ones, what must stay
    visible is laid over those, and what is hidden over everything. A place that cannot be reached is hidden already.
    """
    linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    linux.make_read_only("/")
    for place in masked:
        roomy = place in {"/tmp", "/dev/shm", "/var/tmp"}  # noqa: S108
        options = f"size={private_bytes},nr_inodes=65536,mode=700" if roomy else _SMALL
        linux.mount("airside", place, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    for path, source in sources.items():
        _lay(path, source)
    for path in hidden:
        _hide(path)
    Path(PRIVATE_FOLDER).mkdir(mode=0o700)


def renew_proc() -> None:
    """Replace /proc by one that shows this pid namespace only; where that is refused, by nothing."""
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    try:
        linux.mount("proc", "/proc", "proc", flags)
    except OSError:
        linux.mount("airside", "/proc", "tmpfs", flags | linux.MS_RDONLY, _SMALL)


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the real paths without those that lie inside another."""
    kept: list[str] = []
    for path in sorted({os.path.realpath(path) for path in paths}):
        if not any(Path(path).is_relative_to(outer) for outer in kept):
            kept.append(path)
    return tuple(kept)


def _lay(path: str, source: int) -> None:
    target = Path(path)
    if stat.S_ISDIR(os.fstat(source).st_mode):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    linux.mount(f"/proc/self/fd/{source}", path, "", linux.MS_BIND | linux.MS_REC)
    linux.make_read_only(path)
    os.close(source)


def _hide(path: str) -> None:
    place = os.path.realpath(path)
    try:
        is_folder = Path(place).is_dir()
        if not is_folder and not Path(place).exists():
            return
    except PermissionError:
        return
    if is_folder:
        linux.mount("airside", place, "tmpfs", linux.MS_RDONLY | linux.MS_NOSUID, "size=4k,nr_inodes=2,mode=000")
    else:
        linux.mount(os.devnull, place, "", linux.MS_BIND)
