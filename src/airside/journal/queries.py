"""Named SQL statements from `.sql` files: `-- name: a_name` followed by a sentence and the statement.

Parameters are written `:name`. A file is shared by both databases; where they differ, a statement's name carries the
database (`-- name: due (postgres)`) and the other databases do not see it.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from airside.core.ports import Query

_HEAD = re.compile(r"^-- name: (\w+)(?: \((\w+)\))?\s*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@cache
def load(package: str, file: str) -> Mapping[str, Query]:
    """Return the statements of a `.sql` file in a package by name.

    A statement with variants for databases is one Query whose `sql` is common and whose `variants` hold the others.
    Raises ValueError for a name that stands twice or a statement without text.
    """
    text = (files(package) / file).read_text()
    heads = list(_HEAD.finditer(text))
    found: dict[str, dict[str, str]] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)]
        sql = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().rstrip(";")
        name, database = head.group(1), head.group(2) or ""
        if not sql or database in found.setdefault(name, {}):
            raise ValueError(f"{package}/{file}: statement {name} {database} is empty or stands twice")
        found[name][database] = sql
    return MappingProxyType(
        {
            name: Query(f"{file}:{name}", variants.pop("", ""), MappingProxyType(variants))
            for name, variants in found.items()
        }
    )


@cache
def positional(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with `$1`-style parameters, as Postgres wants them, and the names in their order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PARAMETER.sub(number, sql), tuple(names)
