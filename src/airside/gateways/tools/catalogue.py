"""The tools that exist: hosted ones as the tool host tells them, local ones as the configuration declares them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from airside.config.tools import LocalToolSettings
from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.core.patterns import fits_any
from airside.core.tool import Tool
from airside.gateways.tools.arguments import ArgumentSchema, compile_schema
from airside.gateways.tools.foreign import skeleton
from airside.gateways.tools.manifest import Manifests, declare

Execute = Callable[[Call], Awaitable[bytes]]
"""Executes a call of a built-in tool and returns its result as JSON."""


class Listed(Struct, frozen=True):
    """A tool and its compiled schema; what a call's `payload` is.

    `execute` is empty for the tool host's. `fingerprint` is that of the definition where a source may change it by
    itself: a run that has met one definition is not served by another (see `pins.py`).
    """

    tool: Tool
    schema: ArgumentSchema
    execute: Execute | None = None
    fingerprint: str = ""


class LeftOut(Struct, frozen=True):
    """A tool that does not exist here, and why; its name is escaped."""

    name: str
    why: str


class ToolCatalogue:
    """Every tool of this installation, by name. Names that are not in it are unknown, and what is unknown is denied.

    Names belong to whoever is asked first: airside, the configuration, the tool host, then foreign sources in the order
    of their names. A foreign tool that is called as another one, or looks like it, does not exist.
    """

    def __init__(
        self,
        local: Mapping[str, LocalToolSettings],
        built_in: Iterable[tuple[Tool, Execute]] = (),
        manifests: Manifests | None = None,
    ) -> None:
        self._manifests = manifests or Manifests()
        self._built_in = {tool.name: Listed(tool, compile_schema(tool.schema), run) for tool, run in built_in}
        self._local = _listed(_local_tool(name, settings) for name, settings in local.items())
        self._host: dict[str, Listed] = {}
        self._foreign: dict[str, Sequence[Listed]] = {}
        self._left_out: dict[str, list[LeftOut]] = {}
        self._hosted: dict[str, Listed] = dict(self._built_in)

    def set_hosted(self, tools: Iterable[Tool]) -> None:
        """Take over the tools of a (re)started host.

        Raises AirsideError `misconfigured` for a name that is local too, or a schema that cannot be compiled.
        """
        hosted = _listed(self._confirmed(tool) for tool in tools)
        if reserved := sorted(self._built_in.keys() & (hosted.keys() | self._local.keys())):
            raise AirsideError(Code.MISCONFIGURED, f"{reserved[0]} is a tool that airside brings; name yours otherwise")
        if twice := sorted(hosted.keys() & self._local.keys()):
            raise AirsideError(Code.MISCONFIGURED, f"tools.local names {twice[0]}, which is a hosted tool")
        self._host = hosted
        self._merge()

    def set_foreign(self, source: str, tools: Sequence[Listed], left_out: Sequence[LeftOut] = ()) -> list[LeftOut]:
        """Take over what a foreign source lists now; return all its tools that cannot exist here.

        `left_out` are those that cannot by themselves; others cannot beside those of other sources.
        """
        self._foreign[source] = tools
        self._left_out[source] = [*left_out, *self._merge().get(source, [])]
        return self._left_out[source]

    def left_out(self) -> list[tuple[str, LeftOut]]:
        """Return the tools that do not exist here, with their sources."""
        return [(source, out) for source, left in sorted(self._left_out.items()) for out in left]

    def everything(self) -> list[Tool]:
        """Return every tool, hosted or local."""
        return [listed.tool for listed in (self._hosted | self._local).values()]

    def of(self, source: str) -> list[Listed]:
        """Return the tools of a foreign source, in the order of their names."""
        return [listed for _, listed in sorted(self._hosted.items()) if listed.tool.source == source]

    def lookup(self, name: str) -> Tool | None:
        """Return a tool's manifest, for policy."""
        listed = self.hosted(name) or self._local.get(name)
        return listed.tool if listed else None

    def manifests(self) -> tuple[Tool, ...]:
        """Return the hosted tools in the order of their names."""
        return tuple(self._hosted[name].tool for name in sorted(self._hosted))

    def hosted_for(self, patterns: Sequence[str]) -> list[Listed]:
        """Return the hosted tools that an agent is offered, in the order of their names."""
        return [self._hosted[name] for name in sorted(self._hosted) if offered(name, patterns)]

    def hosted(self, name: str) -> Listed | None:
        """Return a hosted tool."""
        return self._hosted.get(name)

    def local(self, name: str, schema: Mapping[str, object] | None) -> Listed:
        """Return a local tool: as declared, else at its worst. `schema` is what the adapter says of its arguments.

        The adapter's word only ever narrows what is accepted; effects come from the declaration alone.
        """
        declared = self._local.get(name) or self._hosted.get(name)
        tool = (
            replace(declared.tool, local=True)
            if declared
            else Tool(name=name, description="", schema={}, local=True, source="local")
        )
        if schema is None and declared:
            return Listed(tool, declared.schema)
        return Listed(tool, compile_schema(schema or {"type": "object"}))

    def _confirmed(self, tool: Tool) -> Tool:
        match = self._manifests.of("host", tool.name)
        return declare(tool, match.entry, declared=match.entry.declared) if match else tool

    def _merge(self) -> dict[str, list[LeftOut]]:
        merged = self._host | self._built_in
        taken = {skeleton(name): name for name in (*merged, *self._local)}
        left_out: dict[str, list[LeftOut]] = {}
        for source, tools in sorted(self._foreign.items()):
            for listed in tools:
                name = listed.tool.name
                holder = taken.setdefault(skeleton(name), name)
                if name in merged or name in self._local or holder != name:
                    why = f"its name is, or looks like, that of {holder}"
                    left_out.setdefault(source, []).append(LeftOut(name, why))
                else:
                    merged[name] = listed
        self._hosted = merged
        return left_out


def offered(name: str, patterns: Sequence[str]) -> bool:
    """Whether an agent's list of tools holds a name; `*` in it stands for any text."""
    return name in patterns or fits_any(name, patterns)


def _listed(tools: Iterable[Tool]) -> dict[str, Listed]:
    found: dict[str, Listed] = {}
    for tool in tools:
        try:
            found[tool.name] = Listed(tool, compile_schema(tool.schema))
        except AirsideError as error:
            raise AirsideError(Code.MISCONFIGURED, f"tool {tool.name!r}: {error.message}") from None
    return found


def _local_tool(name: str, settings: LocalToolSettings) -> Tool:
    tool = Tool(name=name, description="", schema={"type": "object"}, local=True, source="local")
    return declare(tool, settings)
