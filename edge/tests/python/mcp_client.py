"""Drives a server through the official SDK's own client (either generation) and prints one JSON object.

    mcp_client.py URL HTTP_VERSION MODE SILENT_SECONDS DIRECT_URL

HTTP_VERSION is 1 or 2; MODE is `legacy`, or for the newer SDK also `auto`; SILENT_SECONDS is how long
the quiet stream stays quiet. Every event's delay, from the server's last hop to the bytes in this
process, is in `delays_ms` and `silent_delays_ms`; beside both runs the same call at the same time to
the server itself, under DIRECT_URL, whose delays are in `direct_ms` and `silent_direct_ms`. The CA comes
from SSL_CERT_FILE.
"""

import asyncio
import json
import os
import re
import ssl
import sys
import time
from contextlib import asynccontextmanager

try:
    import httpx2 as httpx
except ImportError:
    import httpx

import mcp
from mcp.client.streamable_http import streamable_http_client

URL, HTTP_VERSION, MODE, SILENT_SECONDS = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
DIRECT_URL = sys.argv[5]
STAMP = re.compile(rb"left (\d{19})")
MODERN_SDK = hasattr(mcp, "Client")


class Stamped(httpx.AsyncByteStream):
    """Passes a body on and notes how old every timestamp in it is when its bytes arrive."""

    def __init__(self, inner, delays):
        self.inner, self.delays = inner, delays

    async def __aiter__(self):
        tail = b""
        async for chunk in self.inner:
            now = time.time_ns()
            window = tail + chunk
            end = 0
            for stamp in STAMP.finditer(window):
                self.delays.append((now - int(stamp[1])) / 1e6)
                end = stamp.end()
            tail = window[max(end, len(window) - 23) :]
            yield chunk

    async def aclose(self):
        await self.inner.aclose()


class Transport(httpx.AsyncHTTPTransport):
    """The ordinary transport, which also notes delays and HTTP versions."""

    def __init__(self, url=URL):
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        http2 = HTTP_VERSION == "2" and url != DIRECT_URL
        super().__init__(verify=context, http1=not http2, http2=http2)
        self.url, self.delays, self.versions = url, [], set()

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        self.versions.add(response.extensions["http_version"].decode())
        response.stream = Stamped(response.stream, self.delays)
        return response


@asynccontextmanager
async def connect(transport):
    """A connected session of whichever generation is installed."""
    timeout = httpx.Timeout(30, read=150)
    async with httpx.AsyncClient(transport=transport, timeout=timeout) as http:
        if MODERN_SDK:
            streams = streamable_http_client(transport.url, http_client=http, max_sse_event_size=None)
            async with mcp.Client(streams, mode=MODE) as client:
                yield client
        else:
            async with streamable_http_client(transport.url, http_client=http) as (read, write, _):
                async with mcp.ClientSession(read, write) as session:
                    await session.initialize()
                    yield session


async def call(transport, name, arguments):
    """Calls a tool that reports progress; returns its text and how many reports the SDK delivered."""
    reports = 0

    async def report(*_):
        nonlocal reports
        reports += 1

    async with connect(transport) as client:
        result = await client.call_tool(name, arguments, progress_callback=report)
    return result.content[0].text, reports


async def plain_calls(transport):
    """Lists and calls tools one after the other on one session."""
    async with connect(transport) as client:
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        sums = [int((await client.call_tool("add", {"a": i, "b": 2})).content[0].text) for i in range(20)]
        big = (await client.call_tool("big", {"size": 5_000_000})).content[0].text
    return {"tools": tools, "sums": sums, "big_ok": big == ("0123456789abcdef" * 312501)[:5_000_000]}


async def main():
    quiet, talking = Transport(), Transport()
    direct_quiet, direct_talking = Transport(DIRECT_URL), Transport(DIRECT_URL)
    silence = {"seconds": SILENT_SECONDS}
    waiting = asyncio.gather(call(quiet, "silent", silence), call(direct_quiet, "silent", silence))
    progress = {"seconds": 5, "interval": 0.05}
    (progress_text, reports), _ = await asyncio.gather(
        call(talking, "progress", progress), call(direct_talking, "progress", progress)
    )
    plain = Transport()
    result = await plain_calls(plain)
    (silent_text, silent_reports), _ = await waiting
    result |= {
        "sdk": 2 if MODERN_SDK else 1,
        "versions": sorted(quiet.versions | talking.versions | plain.versions),
        "progress": progress_text,
        "reports": reports,
        "delays_ms": talking.delays,
        "silent": silent_text,
        "silent_reports": silent_reports,
        "silent_delays_ms": quiet.delays,
        "direct_ms": direct_talking.delays,
        "silent_direct_ms": direct_quiet.delays,
    }
    print(json.dumps(result))


asyncio.run(main())
