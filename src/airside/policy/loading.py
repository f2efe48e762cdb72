"""Reads a policy file. Every complaint names the file, the line and the key, because a policy is written by people."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.constructor import SafeConstructor

from airside.core.errors import AirsideError, Code
from airside.policy.decision import RulePolicy
from airside.policy.rules import Rules
from airside.policy.windows import Place

FILE_BYTES_MAX = 4_194_304
DEPTH_MAX = 32
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(file: Path | None, place: Place | None = None) -> RulePolicy:
    """Return the policy in a file; without a file, one that denies every tool call.

    Raises AirsideError `misconfigured`.
    """
    if file is None:
        return RulePolicy(Rules(), place)
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"policy file {file} cannot be read: {error.strerror}") from None
    if len(text) > FILE_BYTES_MAX:
        raise AirsideError(Code.MISCONFIGURED, f"policy file {file} has more than {FILE_BYTES_MAX} bytes")
    return parse(text, str(file), place)


def parse(text: bytes | str, source: str = "policy", place: Place | None = None) -> RulePolicy:
    """Return the policy in a YAML text; `source` stands in complaints. Raises AirsideError `misconfigured`."""
    try:
        _refuse_depth(text, source)
        tree = yaml.compose(text, Loader=LOADER)
        _refuse_oddities(tree, source)
        value: Any = None if tree is None else SafeConstructor().construct_document(tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _bad(source, mark.line + 1 if mark else 1, error.problem or "not YAML") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _bad(source, 1, f"not YAML: {type(error).__name__}") from None
    try:
        return RulePolicy(Rules.model_validate({} if value is None else value), place)
    except ValidationError as error:
        raise _invalid(source, tree, error) from None


def _refuse_depth(text: bytes | str, source: str) -> None:
    """Refuse what is nested too deep, event by event, before anything that recurses reads it."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_MAX:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _bad(source, line, f"it is nested more than {DEPTH_MAX} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _refuse_oddities(tree: yaml.Node | None, source: str) -> None:
    """Refuse keys that stand twice (YAML would keep the last) and aliases (they make small files huge)."""
    seen: set[int] = set()
    waiting = [tree] if tree else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise _bad(source, node.start_mark.line + 1, "anchors and aliases are not used in policies")
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise _bad(source, key.start_mark.line + 1, "a key is text")
                if key.value in keys:
                    raise _bad(source, key.start_mark.line + 1, f"key {key.value} stands twice")
                keys.add(key.value)
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _invalid(source: str, tree: yaml.Node | None, error: ValidationError) -> AirsideError:
    complaints = error.errors(include_url=False, include_input=False)
    first = complaints[0]
    loc = [part for part in first["loc"] if not str(part).startswith(("literal[", "function-"))]
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    text = {"extra_forbidden": "this key is not known"}.get(first["type"], first["msg"].removeprefix("Value error, "))
    return _bad(source, _line(tree, loc), f"{_path(loc)}: {text}{more}")


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


def _bad(source: str, line: int, problem: str) -> AirsideError:
    return AirsideError(
        Code.MISCONFIGURED,
        f"{source}:{line}: {problem}",
        advice="Correct the line; docs/policy.md lists every key.",
        details={"line": line},
    )
