"""The calls of the generator, made by aioquic: one JSON object as argument, one printed."""

import asyncio
import json
import ssl
import statistics
import sys
import time

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http, self.body, self.status, self.answered = None, bytearray(), None, None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        for event in self.http.handle_event(event) if self.http else ():
            if isinstance(event, HeadersReceived):
                self.status = dict(event.headers)[b":status"]
            if isinstance(event, DataReceived):
                self.body += event.data
            if getattr(event, "stream_ended", False):
                self.answered.set_result(None)

    async def call(self, fields, body):
        self.body, self.status = bytearray(), None
        self.answered = asyncio.get_running_loop().create_future()
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, fields)
        self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self.answered, 10)
        assert self.status == b"200", self.status
        return bytes(self.body)


async def main(task):
    # The connection itself is not what is compared: any certificate will do.
    config = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", verify_mode=ssl.CERT_NONE
    )
    body = bytearray(task["body"].encode())
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", f"localhost:{task['port']}".encode()),
        (b":path", b"/mcp"),
        (b"content-length", str(len(body)).encode()),
    ]
    fields += [(name.encode(), value.encode()) for name, value in task["fields"]]
    took, answers = [], bytearray()
    async with connect(
        "127.0.0.1", task["port"], configuration=config, create_protocol=Client
    ) as client:
        due = time.monotonic()
        for serial in range(1, task["calls"] + 1):
            await asyncio.sleep(max(0, due - time.monotonic()))
            due += task["pause_s"]
            nonce = f"{serial:016x}".encode()
            body[task["nonce_at"] : task["nonce_at"] + len(nonce)] = nonce
            began = time.monotonic()
            answers += await client.call(fields, bytes(body))
            took.append(time.monotonic() - began)
    with open(task["answers"], "wb") as file:
        file.write(answers)
    print(json.dumps({"p25_us": statistics.quantiles(took, n=4)[0] * 1e6}))


asyncio.run(main(json.loads(sys.argv[1])))
