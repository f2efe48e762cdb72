"""YAML files that people write beside airside.yaml: typed, and every complaint names file, line and key."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from airside.core.errors import AirsideError, Code

Model = TypeVar("Model", bound=BaseModel)


def load(file: Path, model: type[Model], *, bytes_max: int, advice: str) -> Model:
    """Return what a file says, as a model; an empty file is the model's defaults.

    Raises AirsideError `misconfigured` with `advice`; its `details["line"]` is where.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(bytes_max + 1)
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{file} cannot be read: {error.strerror}") from None
    if len(text) > bytes_max:
        raise AirsideError(Code.MISCONFIGURED, f"{file} has more than {bytes_max} bytes")
    return parse(text, model, source=str(file), advice=advice)


def parse(text: bytes | str, model: type[Model], *, source: str, advice: str) -> Model:
    """Return what a YAML text says, as a model; `source` stands in complaints. Raises AirsideError `misconfigured`."""

    def bad(line: int, problem: str) -> NoReturn:
        raise AirsideError(
            Code.MISCONFIGURED, f"{source}:{line}: {problem}", advice=advice, details={"line": line}
        ) from None

    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        if oddity := _oddity(tree):
            bad(*oddity)
        value: Any = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        bad(error.problem_mark.line + 1 if error.problem_mark else 1, error.problem or "not YAML")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        bad(1, f"not YAML: {type(error).__name__}")
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_input=False)
        loc = [part for part in complaints[0]["loc"] if not str(part).startswith(("literal[", "function-", "[key]"))]
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        unknown = complaints[0]["type"] == "extra_forbidden"
        said = "this key is not known" if unknown else complaints[0]["msg"].removeprefix("Value error, ")
        bad(_line(tree, loc), f"{_path(loc)}: {said}{more}")


def _oddity(tree: yaml.Node | None) -> tuple[int, str] | None:
    """Find keys that stand twice (YAML would keep the last) and aliases (they make small files huge)."""
    seen: set[int] = set()
    waiting = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            return node.start_mark.line + 1, "anchors and aliases are not used here"
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = set()
            for key, _ in node.value:
                if key.value in keys:
                    return key.start_mark.line + 1, f"key {key.value} stands twice"
                if isinstance(key, yaml.ScalarNode):
                    keys.add(key.value)
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return None


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
