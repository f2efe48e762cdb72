"""YAML files that people write beside airside.yaml: typed, and every complaint names file, line and key."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.constructor import SafeConstructor

from airside.config.bounded_files import read_bounded
from airside.core.errors import AirsideError, Code

Model = TypeVar("Model", bound=BaseModel)

DEPTH_MAX = 32
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OF_TYPES = ("literal[", "function-", "[key]")  # what pydantic puts into the path of a value beside its keys


def load(file: Path, model: type[Model], *, bytes_max: int, advice: str) -> Model:
    """Return what a file says, as a model; an empty file is the model's defaults.

    Raises AirsideError `misconfigured` with `advice`; its `details["line"]` is where.
    """
    return parse(read_bounded(file, bytes_max), model, source=str(file), advice=advice)


def parse(text: bytes | str, model: type[Model], *, source: str, advice: str) -> Model:
    """Return what a YAML text says, as a model; `source` stands in complaints. Raises AirsideError `misconfigured`."""
    try:
        _refuse_depth(text)
        tree = yaml.compose(text, Loader=LOADER)
        _refuse_oddities(tree)
        value: Any = None if tree is None else SafeConstructor().construct_document(tree)
        return _typed({} if value is None else value, model, tree)
    except _Wrong as wrong:
        line, problem = wrong.line, wrong.problem
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, problem = mark.line + 1 if mark else 1, error.problem or "not YAML"
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line, problem = 1, f"not YAML: {type(error).__name__}"
    raise AirsideError(Code.MISCONFIGURED, f"{source}:{line}: {problem}", advice=advice, details={"line": line})


class _Wrong(Exception):
    """What is wrong with a text, and in which line."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem


def _refuse_depth(text: bytes | str) -> None:
    """Refuse what is nested too deep, event by event, before anything that recurses reads it."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _Wrong(line, f"it is nested more than {DEPTH_MAX} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_oddities(tree: yaml.Node | None) -> None:
    """Refuse keys that stand twice (YAML would keep the last) and aliases (they make small files huge)."""
    seen: set[int] = set()
    waiting = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise _Wrong(node.start_mark.line + 1, "anchors and aliases are not used here")
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise _Wrong(key.start_mark.line + 1, "a key is text")
                if key.value in keys:
                    raise _Wrong(key.start_mark.line + 1, f"key {key.value} stands twice")
                keys.add(key.value)
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _typed(value: Any, model: type[Model], tree: yaml.Node | None) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)
    first, more = complaints[0], f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    loc = [part for part in first["loc"] if not str(part).startswith(_OF_TYPES)]
    unknown = first["type"] == "extra_forbidden"
    said = "this key is not known" if unknown else first["msg"].removeprefix("Value error, ")
    raise _Wrong(_line(tree, loc), f"{_path(loc)}: {said}{more}")


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """Return the line of the deepest part of `loc` that is in the file."""
    line = node.start_mark.line + 1 if node else 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _path(loc: Sequence[int | str]) -> str:
    return "".join(_steps(loc)).lstrip(".") or "the file"


def _steps(loc: Sequence[int | str]) -> Iterator[str]:
    for part in loc:
        yield f"[{part}]" if isinstance(part, int) else f".{part}"
