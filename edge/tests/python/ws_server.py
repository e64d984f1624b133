"""A WebSocket server on 127.0.0.1 made with the `websockets` library.

    ws_server.py PORT

    /echo         sends every message back
    /close        waits for one message and closes with code 4001, reason "enough"
    /last         says with which code the last client of /echo closed
    /headers      sends the request's fields as JSON
    /push?n=N     sends N messages of 64 KiB as fast as they are taken
    /reset        waits for one message and resets the connection
    /refuse       answers 403 instead of switching
"""

import asyncio
import http
import json
import struct
import sys
from socket import SO_LINGER, SOL_SOCKET

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

last = {}


async def handle(socket):
    path, _, query = socket.request.path.partition("?")
    if path == "/echo":
        try:
            while True:
                await socket.send(await socket.recv())
        except ConnectionClosed as closed:
            frame = closed.rcvd
            last.update(code=frame.code if frame else None, reason=frame.reason if frame else None)
    elif path == "/close":
        await socket.recv()
        await socket.close(4001, "enough")
    elif path == "/reset":
        await socket.recv()
        # Nothing lingers: a reset (socket(7)).
        linger = struct.pack("ii", 1, 0)
        socket.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
        socket.transport.abort()
    elif path == "/last":
        while not last:  # The other handler may not have run yet.
            await asyncio.sleep(0.01)
        await socket.send(json.dumps(last))
        last.clear()
    elif path == "/headers":
        await socket.send(json.dumps([list(item) for item in socket.request.headers.raw_items()]))
    elif path == "/push":
        for i in range(int(query.removeprefix("n="))):
            await socket.send(bytes([i % 251]) * 65536)


def refuse(connection, request):
    if request.path == "/refuse":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
    return None


def select(connection, offered):
    return "mcp" if "mcp" in offered else None


async def main(port):
    # The library's own pings would keep alive what the edge should find idle.
    options = {"ping_interval": None, "max_size": 4 << 20, "process_request": refuse, "select_subprotocol": select}
    async with serve(handle, "127.0.0.1", port, **options):
        print(f"listening on {port}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main(int(sys.argv[1])))
