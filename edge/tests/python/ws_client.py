"""Drives ws_server.py through the edge over HTTP/1.1 and prints one JSON object of what it saw.

    ws_client.py URL        wss://... or ws://...; the CA comes from SSL_CERT_FILE
"""

import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URL = sys.argv[1]


def opened(path, **options):
    return connect(URL + path, ping_interval=None, max_size=4 << 20, open_timeout=5, **options)


async def main():
    seen = {}
    async with opened("/echo", subprotocols=["other", "mcp"]) as socket:
        seen["subprotocol"] = socket.subprotocol
        seen["extensions"] = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        await socket.send("grüße")
        seen["text"] = await socket.recv()
        big = os.urandom(1 << 20)
        await socket.send(big)
        seen["mebibyte"] = await socket.recv() == big
        # Ten at once, so that both directions are busy at the same time.
        await asyncio.gather(*(socket.send(big) for _ in range(10)))
        seen["ten"] = all([await socket.recv() == big for _ in range(10)])
        pong = await socket.ping(b"are you there")
        seen["ping_ms"] = await asyncio.wait_for(pong, 5) * 1000
        await socket.close(3001, "done here")
    async with opened("/last") as socket:
        seen["client_close"] = json.loads(await socket.recv())
    async with opened("/close") as socket:
        await socket.send("x")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            seen["server_close"] = {"code": closed.rcvd.code, "reason": closed.rcvd.reason}
    async with opened("/headers") as socket:
        seen["headers"] = json.loads(await socket.recv())
    async with opened("/push?n=400", compression=None) as socket:
        size = 0
        for i in range(400):
            if i % 100 == 0:
                await asyncio.sleep(0.3)  # A reader that pauses stops the writer.
            size += len(await socket.recv())
        seen["pushed"] = size
    try:
        async with opened("/refuse"):
            pass
    except InvalidStatus as refused:
        seen["refused"] = refused.response.status_code
    print(json.dumps(seen))


asyncio.run(asyncio.wait_for(main(), 40))
