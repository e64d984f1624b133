"""Drives stateful servers behind one name through the official SDK's own client, both transports.

    mcp_sessions.py URL TRANSPORT SESSIONS CALLS

Opens SESSIONS sessions at once, calls the tool `count` CALLS times in each, and prints one JSON list:
for each session the answers, which name the server and count the calls of the session.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

URL, TRANSPORT, SESSIONS, CALLS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connect = sse_client if TRANSPORT == "sse" else streamable_http_client


async def session():
    async with connect(URL) as streams, ClientSession(*streams[:2]) as client:
        await client.initialize()
        answers = []
        for _ in range(CALLS):
            answers.append((await client.call_tool("count", {})).content[0].text)
            await asyncio.sleep(0.05)
        return answers


async def main():
    print(json.dumps(await asyncio.gather(*(session() for _ in range(SESSIONS)))))


asyncio.run(main())
