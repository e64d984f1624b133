"""Opens a WebSocket, sends one message and waits to be left; prints how as JSON.

    ws_left.py URL [PATH [FRAGMENT]]        the CA comes from SSL_CERT_FILE

With FRAGMENT it has begun a message by then, and stands between two of its frames.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL, PATH, FRAGMENT = (sys.argv[1:] + ["/echo", ""])[:3] if len(sys.argv) < 4 else sys.argv[1:4]


async def begin(socket):
    async def pieces():
        yield "begun"
        await asyncio.sleep(60)
        yield "never"

    await socket.send(pieces())


async def main():
    async with connect(URL + PATH, ping_interval=None, max_size=None, open_timeout=5) as socket:
        if PATH == "/echo":
            await socket.send("here")
            await socket.recv()
        sending = asyncio.create_task(begin(socket)) if FRAGMENT else None
        print("open", file=sys.stderr, flush=True)
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            frame = closed.rcvd
            print(json.dumps({"code": frame and frame.code, "reason": frame and frame.reason}))
        if sending:
            sending.cancel()


asyncio.run(main())
