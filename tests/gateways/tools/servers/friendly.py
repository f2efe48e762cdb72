"""An ordinary MCP server, made with the official SDK; run as a script it speaks over stdio."""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel

PIXEL = b"\x89PNG not really"


class Sum(BaseModel):
    """A structured result."""

    total: int


def made(note: str = "") -> MCPServer:
    """Return a new server; `note` stands in a description."""
    server = MCPServer("friendly")
    shelf: list[str] = []

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool()
    def add(left: int, right: int) -> Sum:
        """Add two numbers."""
        return Sum(total=left + right)

    @server.tool()
    def put(item: str) -> list[str]:
        """Put something on the shelf."""
        shelf.append(item)
        return list(shelf)

    @server.tool(structured_output=False)
    def picture() -> Image:
        """Draw."""
        return Image(data=PIXEL, format="png")

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ToolError("the paper is out")

    @server.tool(structured_output=False)
    def big(size: int) -> str:
        """Say much."""
        return "x" * size

    @server.tool(structured_output=False)
    async def hang(began: str) -> str:
        """Never answer."""
        await asyncio.to_thread(Path(began).write_text, str(os.getpid()))
        await asyncio.sleep(3_600)
        return ""

    @server.tool(description=f"Changes its text. {note}")
    def fickle() -> str:
        return "fickle"

    return server


if __name__ == "__main__":
    made(" ".join(sys.argv[1:])).run("stdio")
