"""A real MCP server over stdio, started by the tests: tools that work, fail, hang and kill it. Not a test itself."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

LOG = Path(sys.argv[1])
server = MCPServer("tools")


def note(name: str) -> int:
    """Write down a call; return how often this tool was called."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"{name}\n")
    return LOG.read_text(encoding="utf-8").split().count(name)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look(times: int) -> str:
    """Fail the first times that it is called, then answer."""
    if note("look") <= times:
        raise RuntimeError("not yet")
    return "seen"


@server.tool()
def change(times: int) -> str:
    """Do the same, with an effect."""
    if note("change") <= times:
        raise RuntimeError("not yet")
    return "changed"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def hang() -> str:
    """Never answer."""
    note("hang")
    await asyncio.Event().wait()
    return "never"


@server.tool()
def die() -> str:
    """End the process in the middle of a call."""
    note("die")
    os._exit(1)


@server.resource("note://today")
def today() -> str:
    """Return a resource."""
    return "sunny"


@server.prompt()
def greet(name: str) -> str:
    """Return a prompt."""
    return f"Hello {name}"


if __name__ == "__main__":
    server.run("stdio")
