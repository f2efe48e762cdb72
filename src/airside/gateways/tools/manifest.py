"""What people say of tools, put upon what sources say: one shape, wherever a tool comes from.

A source (an MCP server, an OpenAPI document) tells names, texts and schemas. What a tool does to the world is said by
its owner: in `@tool`, under `tools.local`, or in a manifest file. A manifest may pin the definition that was looked at
by its fingerprint; when the source tells another one since, the tool counts as undeclared until somebody looks again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from pydantic import AfterValidator, Field, field_validator, model_validator

from airside.config import typed_yaml
from airside.config.fields import Section
from airside.config.tools import ManifestSettings
from airside.core import canonical
from airside.core.call import Effect
from airside.core.errors import AirsideError, Code
from airside.core.money import usd
from airside.core.patterns import fits
from airside.core.tool import Tool
from airside.gateways.tools.labels import labels, roles

FILE_BYTES_MAX: Final = 8_388_608
ADVICE: Final = "Correct the line; docs/tools.md lists every key."


class ManifestEntry(ManifestSettings):
    """What a manifest file says of a tool, or of all tools that a pattern names."""

    declared: bool = Field(default=True, description="false: drafted, and not looked at by a person yet")
    fingerprint: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$", description="of what was looked at")

    @model_validator(mode="after")
    def _says_its_effect(self) -> "ManifestEntry":
        if self.declared and "effect" not in self.model_fields_set:
            raise ValueError("a declared tool needs `effect`")
        return self


def _full_name(name: str) -> str:
    source, slash, tool = name.partition("/")
    if not slash or not tool or not source.startswith(("mcp:", "openapi:", "host", "agent:")):
        raise ValueError(f"`{name}` is no tool; write mcp:SERVER/TOOL, openapi:API/OPERATION or host/TOOL")
    return name


class ManifestFile(Section):
    """A file of manifests, by `SOURCE/TOOL`: `mcp:github/create_issue`, `openapi:shop/*`, `host/refund`."""

    tools: dict[Annotated[str, AfterValidator(_full_name)], ManifestEntry] = Field(default={})

    @field_validator("tools")
    @classmethod
    def _one_fingerprint_each(cls, tools: dict[str, ManifestEntry]) -> dict[str, ManifestEntry]:
        for name, entry in tools.items():
            if "*" in name and entry.fingerprint:
                raise ValueError(f"`{name}` stands for many tools, which cannot share a fingerprint")
        return tools


class Match(Struct, frozen=True):
    """The manifest that speaks of a tool, and under which name it stands in the file."""

    name: str
    entry: ManifestEntry


class Manifests:
    """What the manifest files say. A tool's own name beats patterns; among patterns the longest does."""

    def __init__(self, entries: Mapping[str, ManifestEntry] = {}) -> None:
        self._named = {name: entry for name, entry in entries.items() if "*" not in name}
        self._patterns = sorted(((n, e) for n, e in entries.items() if "*" in n), key=lambda item: -len(item[0]))

    def named(self) -> Mapping[str, ManifestEntry]:
        """Return what is said of single tools, by `SOURCE/TOOL`."""
        return self._named

    def of(self, source: str, name: str) -> Match | None:
        """Return what is said of a tool of a source, by the name that the source itself has for it."""
        full = f"{source}/{name}"
        if entry := self._named.get(full):
            return Match(full, entry)
        return next((Match(n, entry) for n, entry in self._patterns if fits(full, n)), None)

    def unused(self, seen: Iterable[str]) -> list[str]:
        """Return the names in the files that none of the tools `SOURCE/NAME` is meant by."""
        known = list(seen)
        return [name for name in self._named if name not in known] + [
            name for name, _ in self._patterns if not any(fits(full, name) for full in known)
        ]


def load_manifests(files: Sequence[Path]) -> Manifests:
    """Return what manifest files say together; raises AirsideError `misconfigured`, with file and line."""
    entries: dict[str, ManifestEntry] = {}
    for file in files:
        said = typed_yaml.load(file, ManifestFile, bytes_max=FILE_BYTES_MAX, advice=ADVICE).tools
        if twice := sorted(entries.keys() & said.keys()):
            raise AirsideError(Code.MISCONFIGURED, f"{file}: another manifest file speaks of {twice[0]} already")
        entries |= said
    return Manifests(entries)


def fingerprint(name: str, description: str, schema: Mapping[str, Any], returns: Mapping[str, Any]) -> str:
    """Return the name of a definition as its source tells it: whatever a person judged a tool by."""
    told = {"name": name, "description": description, "schema": schema, "returns": returns}
    return "sha256:" + hashlib.sha256(canonical.encode(told)).hexdigest()


def declare(tool: Tool, manifest: ManifestSettings, *, declared: bool | None = None) -> Tool:
    """Return a tool with what is said of it; `declared` false, or no effect said, leaves it at its worst.

    `timeout_s` always counts: it promises nothing.
    """
    said = "effect" in manifest.model_fields_set if declared is None else declared
    timeout_s = manifest.timeout_s if "timeout_s" in manifest.model_fields_set else tool.timeout_s
    if not said:
        return replace(tool, timeout_s=timeout_s, declared=False)
    return replace(
        tool,
        effect=Effect(manifest.effect),
        reversible=manifest.reversible,
        idempotent=manifest.idempotent,
        amount_argument=manifest.amount,
        amount_unit=manifest.amount_unit,
        timeout_s=timeout_s,
        roles=roles(manifest.roles),
        results=labels(manifest.results),
        hosts=tuple(manifest.hosts),
        cache_ttl_s=manifest.cache_ttl_s,
        cache_shared=manifest.cache_shared,
        invalidates=tuple(manifest.invalidates),
        capability=manifest.capability,
        cost=usd(manifest.cost_usd),
        declared=True,
    )
