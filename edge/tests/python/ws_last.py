"""Asks ws_server.py how the last client of /echo left, and prints its answer.

    ws_last.py URL
"""

import asyncio
import sys

from websockets.asyncio.client import connect


async def main(url):
    async with connect(url + "/last", open_timeout=5) as socket:
        print(await socket.recv())


asyncio.run(main(sys.argv[1]))
