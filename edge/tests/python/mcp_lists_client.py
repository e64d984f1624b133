"""Reads lists of a server through the official SDK's own client, without the client's own cache.

    mcp_lists_client.py URL

Prints one JSON object: the names of the tools as the first client read them, as a second one did, as it
did after `grow` told it of a change, and how many changes it was told of.
"""

import asyncio
import json
import sys

import mcp
from mcp.client.streamable_http import streamable_http_client

URL = sys.argv[1]


def client():
    return mcp.Client(streamable_http_client(URL), cache=None)


async def names(reader):
    return sorted(tool.name for tool in (await reader.list_tools()).tools)


async def main():
    async with client() as first:
        before = await names(first)
    async with client() as second:
        again = await names(second)
        async with second.listen(tools_list_changed=True) as changes:
            await second.call_tool("grow", {"name": "grown"})
            event = await asyncio.wait_for(anext(aiter(changes)), 20)
            after = await names(second)
    print(json.dumps({"before": before, "again": again, "after": after, "event": type(event).__name__}))


asyncio.run(main())
