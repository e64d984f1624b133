"""Drives ws_server.py through the edge over HTTP/3 (RFC 9220), with aioquic and wsproto.

    ws_h3.py URL CA         everything
    ws_h3.py URL CA left    opens one and waits to be left

Prints one JSON object of what it saw.
"""

import asyncio
import json
import os
import sys
import time

import wsproto.frame_protocol as frames
from aioquic.h3.connection import Setting

from h3_client import Exchange, open_client
from h3_wire import headers

URL, CA, *LEFT = sys.argv[1:]


async def extended_connect(client, path, *fields, method="CONNECT", protocol="websocket"):
    """The stream of a request that opens a WebSocket, once it is answered."""
    exchange = Exchange()
    exchange.stream = client._quic.get_next_available_stream_id()
    client.exchanges[exchange.stream] = exchange
    head = [(":method", method), (":authority", client.authority)]
    if protocol is not None:
        head += [(":protocol", protocol), (":scheme", "https"), (":path", path)]
        head += [("sec-websocket-version", "13")]
    pairs = [(name.encode(), value.encode()) for name, value in head + list(fields)]
    client.http.send_headers(exchange.stream, pairs)
    client.transmit()
    await exchange.until(lambda exchange: exchange.status is not None)
    return exchange


class Socket:
    """WebSocket frames on one stream."""

    def __init__(self, client, exchange):
        self.client, self.exchange, self.taken = client, exchange, 0
        self.protocol = frames.FrameProtocol(client=True, extensions=[])

    def send(self, data):
        self.client.http.send_data(self.exchange.stream, bytes(data), end_stream=False)
        self.client.transmit()

    async def message(self):
        """(opcode, payload) of the next whole message or control frame; (None, b"") at the end."""
        payload = b""
        while True:
            for frame in self.protocol.received_frames():
                part = frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
                payload = part if frame.opcode > 7 else payload + bytes(part)
                if frame.message_finished:
                    return frame.opcode, payload
            arrived = lambda exchange: len(exchange.body) > self.taken or exchange.ended.is_set()
            await self.exchange.until(arrived)
            new = bytes(self.exchange.body[self.taken :])
            if not new:
                return None, b""
            self.taken += len(new)
            self.protocol.receive_bytes(new)

    def end(self):
        self.client._quic.send_stream_data(self.exchange.stream, b"", end_stream=True)
        self.client.transmit()


async def main():
    seen = {}
    async with open_client(URL, CA) as client:
        async with asyncio.timeout(5):
            while client.http.received_settings is None:
                await asyncio.sleep(0.01)
        seen["offered"] = client.http.received_settings.get(Setting.ENABLE_CONNECT_PROTOCOL)
        opened = await extended_connect(client, "/echo", ("sec-websocket-protocol", "mcp"))
        seen["status"] = opened.status
        seen["subprotocol"] = opened.fields.get("sec-websocket-protocol")
        seen["accept"] = opened.fields.get("sec-websocket-accept")
        echo = Socket(client, opened)
        big = os.urandom(1 << 20)
        echo.send(echo.protocol.send_data(big))
        seen["mebibyte"] = await echo.message() == (frames.Opcode.BINARY, big)
        started = time.monotonic()
        echo.send(echo.protocol.ping(b"here?"))
        seen["pong"] = await echo.message() == (frames.Opcode.PONG, b"here?")
        seen["ping_ms"] = (time.monotonic() - started) * 1000
        # Another stream of the same connection at the same time.
        last = Socket(client, await extended_connect(client, "/close"))
        last.send(last.protocol.send_data("x"))
        opcode, payload = await last.message()
        seen["server_close"] = [int(opcode), list(payload)]
        last.send(last.protocol.close(4001, "enough"))
        seen["server_end"] = (await last.message())[0]
        last.end()
        echo.send(echo.protocol.close(3001, "done here"))
        seen["close_echoed"] = (await echo.message())[0] == frames.Opcode.CLOSE
        seen["end"] = (await echo.message())[0]
        echo.end()
        reader = Socket(client, await extended_connect(client, "/last"))
        seen["client_close"] = json.loads((await reader.message())[1])
        seen["refused"] = (await extended_connect(client, "/refuse")).status
        seen["plain_connect"] = (await extended_connect(client, "", protocol=None)).status
        seen["other_protocol"] = (await extended_connect(client, "/echo", protocol="other")).status
        broken = Socket(client, await extended_connect(client, "/reset"))
        broken.send(broken.protocol.send_data("x"))
        async with asyncio.timeout(5):
            await broken.exchange.ended.wait()
        seen["server_reset"] = broken.exchange.reset
        # A client that is gone is noticed behind the edge, and the connection goes on.
        gone = await extended_connect(client, "/echo")
        client._quic.reset_stream(gone.stream, 0x10C)
        client._quic.stop_stream(gone.stream, 0x10C)
        client.transmit()
        await asyncio.sleep(0.5)
        reader = Socket(client, await extended_connect(client, "/last"))
        seen["after_reset"] = json.loads((await reader.message())[1])
        # Nothing but content goes through a tunnel, which ends the connection.
        trailing = await extended_connect(client, "/echo")
        client._quic.send_stream_data(trailing.stream, headers([(b"x", b"1")]), end_stream=True)
        client.transmit()
        async with asyncio.timeout(5):
            await trailing.ended.wait()
        seen["trailers"] = client.terminated and client.terminated.error_code
    print(json.dumps(seen))


async def left():
    async with open_client(URL, CA) as client:
        async with asyncio.timeout(5):
            while client.http.received_settings is None:
                await asyncio.sleep(0.01)
        echo = Socket(client, await extended_connect(client, "/echo"))
        echo.send(echo.protocol.send_data("here"))
        await echo.message()
        opcode, payload = await echo.message()
        echo.send(echo.protocol.close(payload[0], ""))
        print(json.dumps({"close": [int(opcode), list(payload)], "end": (await echo.message())[0]}))


asyncio.run(left() if LEFT else main())
