"""A server made with the official SDK whose lists may be kept, for the end-to-end tests.

    mcp_lists.py PORT

The list of tools is for everybody, that of prompts for who asked; both for a minute. The list of
resources may not be kept. The tool `grow` adds a tool and says so to who listens. Every request that
arrives is printed as `asked METHOD`, so that what was answered elsewhere is missed. Prints `listening on
PORT` once it accepts.
"""

import asyncio
import socket
import sys

import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Context, MCPServer

PORT = int(sys.argv[1])
mcp = MCPServer(
    "edge-e2e",
    log_level="WARNING",
    cache_hints={
        "tools/list": CacheHint(ttl_ms=60_000, scope="public"),
        "prompts/list": CacheHint(ttl_ms=60_000, scope="private"),
        "server/discover": CacheHint(ttl_ms=60_000, scope="public"),
    },
)


@mcp.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@mcp.tool()
async def grow(ctx: Context, name: str) -> str:
    """Adds a tool."""
    mcp.add_tool(lambda: name, name=name, description="One more.")
    await ctx.notify_tools_changed()
    return name


def telling(app):
    """Wraps an ASGI app: says what was asked."""

    async def wrapper(scope, receive, send):
        for name, value in scope.get("headers", []):
            if name == b"mcp-method":
                print("asked", value.decode(), flush=True)
        await app(scope, receive, send)

    return wrapper


class Announcing(uvicorn.Server):
    """Says when it accepts connections."""

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        print("listening on", PORT, flush=True)


if __name__ == "__main__":
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", PORT))
    config = uvicorn.Config(telling(mcp.streamable_http_app()), log_level="warning")
    asyncio.run(Announcing(config).serve(sockets=[listener]))
