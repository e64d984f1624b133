"""A server made with the official SDK (either generation), under uvicorn, for the end-to-end tests.

    mcp_server.py PORT [KEEP_ALIVE_SECONDS [ORIGIN]]

Pages of ORIGIN may call it (the second generation's alone). Prints `listening on PORT` once it accepts. Every progress message carries `left ` and nineteen
zeros; the last hop before the socket overwrites them with the wall clock in nanoseconds, so that
the receiver can tell how long the bytes were on their way, without the time the SDK spends making
JSON. Pings of the SSE library are swallowed: a tool that says nothing is silent on the wire.
"""

import asyncio
import socket
import sys
import time

import uvicorn

try:
    from mcp.server.fastmcp import Context, FastMCP

    mcp = FastMCP("edge-e2e", log_level="WARNING")
    make_app = mcp.streamable_http_app
except ImportError:
    from mcp.server.mcpserver import Context, MCPServer

    mcp = MCPServer("edge-e2e", log_level="WARNING")
    make_app = mcp.streamable_http_app

PLACEHOLDER = b"left " + b"0" * 19


@mcp.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@mcp.tool()
async def progress(ctx: Context, seconds: float, interval: float) -> str:
    """Reports progress at an interval for some seconds."""
    count = round(seconds / interval)
    for step in range(count):
        await asyncio.sleep(interval)
        await ctx.report_progress(step + 1, count, PLACEHOLDER.decode())
    return f"{count} events"


@mcp.tool()
async def silent(ctx: Context, seconds: float) -> str:
    """Says nothing for some seconds, then reports progress once."""
    await asyncio.sleep(seconds)
    await ctx.report_progress(1, 1, PLACEHOLDER.decode())
    return "spoke"


@mcp.tool(structured_output=False)
def big(size: int) -> str:
    """Returns a text of that many bytes."""
    return ("0123456789abcdef" * (size // 16 + 1))[:size]


def stamped(app):
    """Wraps an ASGI app: timestamps in, pings out."""

    async def wrapper(scope, receive, send):
        async def stamping(message):
            body = message.get("body", b"")
            if body.startswith(b":"):
                return
            if PLACEHOLDER in body:
                message = {**message, "body": body.replace(PLACEHOLDER, b"left %d" % time.time_ns())}
            await send(message)

        await app(scope, receive, stamping if scope["type"] == "http" else send)

    return wrapper


def open_to(origin):
    """The app for pages of an origin too, as servers with browsers among their clients are set up."""
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.middleware.cors import CORSMiddleware

    security = TransportSecuritySettings(allowed_hosts=["localhost:*"], allowed_origins=[origin])
    return CORSMiddleware(
        make_app(transport_security=security),
        allow_origins=[origin],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Mcp-Session-Id"],
    )


class Announcing(uvicorn.Server):
    """Says when it accepts connections."""

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        print("listening on", sys.argv[1], flush=True)


if __name__ == "__main__":
    # asyncio switches Nagle's algorithm off only on sockets that say they are TCP.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    keep_alive = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    app = open_to(sys.argv[3]) if len(sys.argv) > 3 else make_app()
    config = uvicorn.Config(stamped(app), log_level="warning", timeout_keep_alive=keep_alive)
    asyncio.run(Announcing(config).serve(sockets=[listener]))
