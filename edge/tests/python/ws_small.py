"""Two short messages to a server that echoes them, and a close; prints what came back as JSON.

    ws_small.py URL         the CA comes from SSL_CERT_FILE
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main(url):
    seen = {"echo": []}
    async with connect(url + "/ws", ping_interval=None, compression=None, open_timeout=5) as socket:
        for text in ["one", "two"]:
            await socket.send(text)
            seen["echo"].append(await socket.recv())
        seen["key"] = socket.response.headers.get("x-key")
        await socket.close(4007, "enough")
    seen["close"] = [socket.close_code, socket.close_reason]
    print(json.dumps(seen))


asyncio.run(main(sys.argv[1]))
