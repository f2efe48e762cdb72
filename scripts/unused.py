"""What nothing uses: SQL statements, settings, error codes, functions, classes and constants. It is to be deleted.

It reads names, not types: a name counts as used where it is mentioned anywhere in the product beside its definition, so
what is reported is dead, and what is dead under a common name may be missed.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path("src/airside")
SETTINGS = SOURCE / "config" / "settings.py"
CODES = SOURCE / "core" / "errors.py"
FOR_OTHERS = (SOURCE / "testing", SOURCE / "__init__.py")
CALLED_BY_FRAMEWORKS = frozenset(
    {
        "awrap_model_call",  # LangChain
        "awrap_tool_call",  # LangChain
        "capture_signals",  # uvicorn
        "find_spec",  # importlib
        "format_commands",  # Typer
        "handle_deferred_tool_calls",  # PydanticAI
        "list_commands",  # Typer
        "on_body",  # httptools
        "on_header",  # httptools
        "on_message_complete",  # httptools
        "settings_customise_sources",  # pydantic-settings
        "wrap_model_call",  # LangChain
        "wrap_tool_call",  # LangChain
        "wrap_tool_execute",  # PydanticAI
    }
)
_HEAD = re.compile(r"^-- name: (\w+)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")


def complaints(root: Path) -> list[str]:
    """Return what is unused below a checkout's root."""
    trees = {path: ast.parse(path.read_text()) for path in sorted((root / SOURCE).rglob("*.py"))}
    return [*_statements(root, trees), *_settings(root, trees), *_codes(root, trees), *_names(root, trees)]


def _statements(root: Path, trees: dict[Path, ast.Module]) -> Iterator[str]:
    """A statement is used under its name as text, by the modules in the folder of its file or by those that load it."""
    texts = {path: _texts(tree) for path, tree in trees.items()}
    for file in sorted((root / SOURCE).rglob("*.sql")):
        if file.parent.name == "migrations":
            continue
        near = [found for path, found in texts.items() if path.is_relative_to(file.parent) or file.name in found]
        named = set().union(*near)
        for name in sorted(set(_HEAD.findall(file.read_text())) - named):
            yield f"{file.relative_to(root)}: nothing uses the statement {name}"


def _settings(root: Path, trees: dict[Path, ast.Module]) -> Iterator[str]:
    read = {
        name
        for path, tree in trees.items()
        if path != root / SETTINGS
        for name in {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | _texts(tree)
    }
    for section in trees[root / SETTINGS].body:
        for field in section.body if isinstance(section, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id not in read:
                yield f"{SETTINGS}:{field.lineno}: nothing reads the setting {field.target.id}"


def _codes(root: Path, trees: dict[Path, ast.Module]) -> Iterator[str]:
    used = {
        node.attr
        for path, tree in trees.items()
        if path != root / CODES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
    }
    table = next(node for node in trees[root / CODES].body if isinstance(node, ast.ClassDef) and node.name == "Code")
    for line in table.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and line.targets[0].id not in used:
            yield f"{CODES}:{line.lineno}: nothing raises or handles {line.targets[0].id}"


def _names(root: Path, trees: dict[Path, ast.Module]) -> Iterator[str]:
    mentioned = Counter(word for path in trees for word in _WORD.findall(path.read_text()))
    for path, tree in trees.items():
        if any(path.is_relative_to(root / public) for public in FOR_OTHERS):
            continue
        for name, line in _definitions(tree):
            if mentioned[name] == 1 and name not in CALLED_BY_FRAMEWORKS:
                yield f"{path.relative_to(root)}:{line}: nothing uses {name}"


def _definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions and methods without decorators (a decorator hands them on), classes, and constants of the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _called_by_name(node):
            yield node.name, node.lineno
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.lineno


def _called_by_name(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = [decorator.id if isinstance(decorator, ast.Name) else "" for decorator in node.decorator_list]
    handed_on = any(decorator not in {"property", "staticmethod", "classmethod"} for decorator in decorators)
    return not node.name.startswith("__") and (isinstance(node, ast.ClassDef) or not handed_on)


def _texts(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def main() -> int:
    """Print every complaint; the exit code is 1 if there is any."""
    found = complaints(Path())
    print("\n".join(found) or "nothing is unused")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
