"""The files that policies are kept in: read at start, and again when they change. A broken one leaves the old in force.

The agents' layer belongs to their releases and is read at start only.
"""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.policy.decision import RulePolicy
from airside.policy.layers import AGENT, TENANT, Layers
from airside.policy.loading import load
from airside.policy.rules import Rules
from airside.policy.windows import Place

PLATFORM = "platform"
_Mark = tuple[int, int, int, int]


class Files(Struct, frozen=True):
    """Where each layer is: the platform's file, and those of tenants and agents by name."""

    platform: Path | None = None
    tenants: Mapping[str, Path] = {}
    agents: Mapping[str, Path] = {}


class Change(Struct, frozen=True):
    """A layer whose file was changed: the versions before and now, or what is wrong with it."""

    layer: str
    before: str
    now: str
    problem: str = ""
    line: int = 0


class PolicyFiles:
    """Reads the files of all layers. `layers` is what is in force; `look` replaces it in one assignment."""

    def __init__(self, files: Files, place: Place) -> None:
        """Read everything. Raises AirsideError `misconfigured` if any file is not usable."""
        self._files = files
        self._place = place
        self._watched = _by_layer(files)
        self._marks = {layer: _mark(file) for layer, file in self._watched.items()}
        self._problems: dict[str, str] = {}
        tenants = {name: self._read(f"{TENANT} {name}", file) for name, file in files.tenants.items()}
        agents = {name: self._read(f"{AGENT} {name}", file) for name, file in files.agents.items()}
        self.layers = Layers(self._read(PLATFORM, files.platform), tenants, agents)

    def look(self, *, anew: bool = False) -> Sequence[Change]:
        """Read what was changed since the last look, or everything, and put what is right into force.

        A file that has gone or is broken is a change with a problem, told once.
        """
        read: dict[str, RulePolicy] = {}
        changes: list[Change] = []
        named = self.layers.named()
        for layer, file in self._watched.items():
            mark = _mark(file)
            if mark == self._marks[layer] and not anew:
                continue
            self._marks[layer] = mark
            before = named[layer].version
            try:
                policy = self._read(layer, file)
            except AirsideError as error:
                if self._problems.get(layer) != error.message:
                    self._problems[layer] = error.message
                    line = error.details.get("line")
                    changes.append(Change(layer, before, before, error.message, line if isinstance(line, int) else 0))
                continue
            self._problems.pop(layer, None)
            if policy.version != before:
                read[layer] = policy
                changes.append(Change(layer, before, policy.version))
        if read:
            tenants = {name: read.get(f"{TENANT} {name}", policy) for name, policy in self.layers.tenants.items()}
            self.layers = Layers(read.get(PLATFORM, self.layers.platform), tenants, self.layers.agents)
        return changes

    def _read(self, layer: str, file: Path | None) -> RulePolicy:
        place = Place("" if layer == PLATFORM else layer, self._place.zone, self._place.salt)
        if file is None:
            return RulePolicy(Rules(), place)
        if _mark(file)[3] == 0:
            raise AirsideError(Code.MISCONFIGURED, f"policy file {file} is not there, or not an ordinary file")
        return load(file, place)


def _by_layer(files: Files) -> Mapping[str, Path]:
    platform = {} if files.platform is None else {PLATFORM: files.platform}
    return platform | {f"{TENANT} {name}": file for name, file in files.tenants.items()}


def _mark(file: Path) -> _Mark:
    """Return by what a change of a file is noticed; the last number is 0 if there is no ordinary file."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino, int(stat.S_ISREG(found.st_mode))
