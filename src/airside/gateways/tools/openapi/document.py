"""An OpenAPI document: read from a file, its references followed within it and nowhere else.

https://spec.openapis.org/oas/v3.1.0 and https://spec.openapis.org/oas/v3.0.3
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml
from msgspec import Struct

from airside.config.bounded_files import read_bounded
from airside.core import canonical
from airside.core.errors import AirsideError, Code

FILE_BYTES_MAX: Final = 33_554_432
HOPS_MAX: Final = 20
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")


class Found(Struct, frozen=True):
    """An operation where it stands: its path item and itself."""

    method: str
    path: str
    item: Mapping[str, Any]
    operation: Mapping[str, Any]

    @property
    def native(self) -> str:
        """Its name in the document: the operation id, else method and path."""
        given = self.operation.get("operationId")
        return given if isinstance(given, str) and given else f"{self.method.upper()} {self.path}"


class Document:
    """A document that is known to be OpenAPI 3.0 or 3.1; everything within is read with suspicion."""

    def __init__(self, value: Any, source: str) -> None:
        """Raise AirsideError `misconfigured` if this is no such document."""
        version = value.get("openapi") if isinstance(value, Mapping) else None
        if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
            raise AirsideError(Code.MISCONFIGURED, f"{source} is no OpenAPI document of version 3.0 or 3.1")
        self.value: Mapping[str, Any] = value
        self.source = source
        self.older = version.startswith("3.0")

    def base_url(self) -> str:
        """Return the address of its first server, with default values of variables; empty if there is no usable one."""
        servers = self.value.get("servers")
        first = servers[0] if isinstance(servers, list) and servers else None
        if not isinstance(first, Mapping) or not isinstance(first.get("url"), str):
            return ""
        url: str = first["url"]
        for name, variable in (first.get("variables") or {}).items():
            url = url.replace("{" + str(name) + "}", str(variable.get("default", "")))
        parts = urlsplit(url)
        return url.rstrip("/") if parts.scheme in {"http", "https"} and parts.hostname and not parts.query else ""

    def operations(self) -> Iterator[Found]:
        """Yield every operation."""
        paths = self.value.get("paths")
        for path, entry in (paths if isinstance(paths, Mapping) else {}).items():
            try:
                item = self.resolved(entry)
            except ValueError:
                continue
            for method in METHODS:
                if isinstance(operation := item.get(method), Mapping):
                    yield Found(method, str(path), item, operation)

    def resolved(self, node: Any) -> Mapping[str, Any]:
        """Return an object, following references; raises ValueError for cycles, other files and what is no object."""
        for _ in range(HOPS_MAX):
            if not isinstance(node, Mapping):
                raise ValueError("it refers to what is no object")
            if "$ref" not in node:
                return node
            node = self.at(node["$ref"])
        raise ValueError("its references run in a circle")

    def at(self, reference: Any) -> Any:
        """Return what a reference points at; raises ValueError unless that stands in this document."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise ValueError(f"it refers to {str(reference)[:100]!r}, and references are followed in the document only")
        node: Any = self.value
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise ValueError(f"it refers to {reference[:100]!r}, where nothing is")
        return node


def load(file: Path) -> Document:
    """Return the document in a file, JSON or YAML; raises AirsideError `misconfigured`."""
    text = read_bounded(file, FILE_BYTES_MAX)
    try:
        if text.lstrip()[:1] == b"{":
            return Document(canonical.parse(text, bytes_max=FILE_BYTES_MAX), str(file))
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.CSafeLoader)):
            raise AirsideError(Code.MISCONFIGURED, f"{file}: aliases are not used here, they make small files huge")
        return Document(yaml.load(text, Loader=_Plain), str(file))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise AirsideError(Code.MISCONFIGURED, f"{file}{where}: neither JSON nor YAML") from None
    except AirsideError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{file}: {error.message.removeprefix(f'{file}: ')}") from None
    except (RecursionError, ValueError):
        raise AirsideError(Code.MISCONFIGURED, f"{file} cannot be read as JSON or YAML") from None


class _Plain(yaml.CSafeLoader):
    """A safe loader that keeps what looks like a date as the text it is, for JSON knows no dates."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
