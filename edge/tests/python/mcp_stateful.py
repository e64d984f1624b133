"""A server with sessions, made with the official SDK, for the end-to-end tests.

    mcp_stateful.py PORT TRANSPORT

TRANSPORT is `http` (streamable HTTP, answers as JSON) or `sse` (the old transport: GET /sse, POST
/messages/). The tool `count` answers `PORT:N`, where N counts its calls in the session. Prints
`listening on PORT` once it accepts.
"""

import asyncio
import socket
import sys
import weakref

import uvicorn
from mcp.server.fastmcp import Context, FastMCP

PORT, TRANSPORT = int(sys.argv[1]), sys.argv[2]
mcp = FastMCP("edge-e2e", log_level="WARNING", json_response=True)
counts = weakref.WeakKeyDictionary()


@mcp.tool()
async def count(ctx: Context) -> str:
    """Counts its calls in the session."""
    counts[ctx.session] = counts.get(ctx.session, 0) + 1
    return f"{PORT}:{counts[ctx.session]}"


class Announcing(uvicorn.Server):
    """Says when it accepts connections."""

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        print("listening on", PORT, flush=True)


if __name__ == "__main__":
    app = mcp.sse_app() if TRANSPORT == "sse" else mcp.streamable_http_app()
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", PORT))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    asyncio.run(Announcing(config).serve(sockets=[listener]))
