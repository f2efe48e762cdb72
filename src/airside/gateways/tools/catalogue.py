"""The tools that exist: hosted ones as the tool host tells them, local ones as the configuration declares them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from airside.config.tools import LocalToolSettings
from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.tools.arguments import ArgumentSchema, compile_schema
from airside.gateways.tools.manifest import declare

Execute = Callable[[Call], Awaitable[bytes]]
"""Executes a call of a built-in tool and returns its result as JSON."""


class Listed(Struct, frozen=True):
    """A tool and its compiled schema; what a call's `payload` is. `execute` is set for what airside itself brings."""

    tool: Tool
    schema: ArgumentSchema
    execute: Execute | None = None


class ToolCatalogue:
    """Every tool of this installation, by name. Names that are not in it are unknown, and what is unknown is denied."""

    def __init__(self, local: Mapping[str, LocalToolSettings], built_in: Iterable[tuple[Tool, Execute]] = ()) -> None:
        self._built_in = {tool.name: Listed(tool, compile_schema(tool.schema), run) for tool, run in built_in}
        self._local = _listed(_local_tool(name, settings) for name, settings in local.items())
        self._hosted: dict[str, Listed] = dict(self._built_in)

    def set_hosted(self, tools: Iterable[Tool]) -> None:
        """Take over the tools of a (re)started host.

        Raises AirsideError `misconfigured` for a name that is local too, or a schema that cannot be compiled.
        """
        hosted = _listed(tools)
        if reserved := sorted(self._built_in.keys() & (hosted.keys() | self._local.keys())):
            raise AirsideError(Code.MISCONFIGURED, f"{reserved[0]} is a tool that airside brings; name yours otherwise")
        if twice := sorted(hosted.keys() & self._local.keys()):
            raise AirsideError(Code.MISCONFIGURED, f"tools.local names {twice[0]}, which is a hosted tool")
        self._hosted = hosted | self._built_in

    def lookup(self, name: str) -> Tool | None:
        """Return a tool's manifest, for policy."""
        listed = self.hosted(name) or self._local.get(name)
        return listed.tool if listed else None

    def manifests(self) -> tuple[Tool, ...]:
        """Return the hosted tools in the order of their names."""
        return tuple(self._hosted[name].tool for name in sorted(self._hosted))

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
