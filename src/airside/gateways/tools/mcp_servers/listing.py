"""From what an MCP server lists to the tools that exist here: each tool by itself, so that a bad one spoils no other.

A server's annotations (`readOnlyHint` and so on) are hints: they are kept for `airside tools scan`, and decide nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from airside.config.tools import McpServerSettings
from airside.core.errors import AirsideError
from airside.core.patterns import fits_any
from airside.core.tool import Tool
from airside.gateways.tools.arguments import compile_schema
from airside.gateways.tools.catalogue import LeftOut
from airside.gateways.tools.foreign import plain, plain_schema, shown, tool_name
from airside.gateways.tools.manifest import Manifests, declare, fingerprint

HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


class Offer(Struct, frozen=True):
    """A tool as a server offers it, with what its manifest says. `native` is the server's own name for it.

    `drifted` is true if a person has confirmed another definition than this one.
    """

    tool: Tool
    native: str
    fingerprint: str
    hints: Mapping[str, bool] = {}
    drifted: bool = False


def read(
    source: str, settings: McpServerSettings, manifests: Manifests, listed: Sequence[Any]
) -> tuple[list[Offer], list[LeftOut]]:
    """Return the tools of a server (`mcp:NAME`) that exist here, and those that do not."""
    prefix = settings.prefix if settings.prefix is not None else f"{source.partition(':')[2]}__"
    offers: dict[str, Offer] = {}
    out: list[LeftOut] = []
    for entry in listed[: settings.tools_max]:
        native = entry.get("name") if isinstance(entry, Mapping) else None
        if not isinstance(native, str):
            out.append(LeftOut("(no name)", "it has no name"))
            continue
        if not fits_any(native, settings.tools):
            continue
        try:
            offer = _offer(source, prefix, settings.timeout_s, manifests, native, entry)
            if offer.tool.name in offers:
                raise ValueError(f"another tool is called {offer.tool.name} already")
            offers[offer.tool.name] = offer
        except ValueError as error:
            out.append(LeftOut(shown(native), str(error)))
    if len(listed) > settings.tools_max:
        out.append(LeftOut(f"{len(listed) - settings.tools_max} more", f"only {settings.tools_max} tools are taken"))
    return list(offers.values()), out


def _offer(
    source: str, prefix: str, timeout_s: float, manifests: Manifests, native: str, entry: Mapping[str, Any]
) -> Offer:
    name = tool_name(prefix, native)
    description = plain(str(entry.get("description") or entry.get("title") or ""))
    schema = plain_schema(entry.get("inputSchema"))
    returns = plain_schema(entry["outputSchema"]) if entry.get("outputSchema") is not None else {}
    try:
        compile_schema(schema)
        if returns:
            compile_schema(returns)
    except AirsideError as error:
        raise ValueError(error.message) from None
    told = fingerprint(native, description, schema, returns)
    tool = Tool(name=name, description=description, schema=schema, timeout_s=timeout_s, source=source, returns=returns)
    match = manifests.of(source, native)
    drifted = bool(match and match.entry.fingerprint and match.entry.fingerprint != told)
    if match:
        tool = declare(tool, match.entry, declared=match.entry.declared and not drifted)
    said = entry.get("annotations")
    hints = {hint: said[hint] for hint in HINTS if isinstance(said.get(hint), bool)} if isinstance(said, dict) else {}
    return Offer(tool, native, told, hints, drifted)
