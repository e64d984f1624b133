"""An HTTP/3 client made of aioquic, for what the tests drive with it."""

import asyncio
import ssl
import time
from urllib.parse import urlparse

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection, HeadersState
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    StopSendingReceived,
    StreamReset,
)


class Exchange:
    """One request and what has come of it."""

    def __init__(self):
        self.interim = []
        self.status = None
        self.fields = {}
        self.trailers = None
        self.body = bytearray()
        self.length = 0
        self.times = []
        self.keep = True
        self.reset = None
        self.stopped = None
        self.ended = asyncio.Event()
        self.progress = asyncio.Event()

    def headers(self, headers, ended):
        fields = {name.decode(): value.decode() for name, value in headers}
        if ":status" not in fields:
            self.trailers = fields
        elif fields[":status"].startswith("1"):
            self.interim.append(int(fields[":status"]))
        else:
            self.status = int(fields.pop(":status"))
            self.fields = fields
        self.progress.set()
        if ended:
            self.ended.set()

    def data(self, data, ended):
        self.length += len(data)
        if self.keep:
            self.body += data
        if data:
            self.times.append((time.monotonic(), bytes(data) if self.keep else len(data)))
        self.progress.set()
        if ended:
            self.ended.set()

    async def until(self, condition, seconds=10):
        async with asyncio.timeout(seconds):
            while not condition(self):
                if self.reset is not None:
                    raise ConnectionError(f"stream reset {self.reset:#x}")
                self.progress.clear()
                await self.progress.wait()


class Http(H3Connection):
    """aioquic takes the head behind an interim one for trailers, and the length of what 304 leaves out
    for one of content."""

    in_head = False

    def _check_content_length(self, stream):
        if not self.in_head:
            super()._check_content_length(stream)

    def _handle_request_or_push_frame(self, frame_type, frame_data, stream, stream_ended):
        self.in_head = frame_type == 1 and stream.headers_recv_state is HeadersState.INITIAL
        is_head = self.in_head
        try:
            events = super()._handle_request_or_push_frame(
                frame_type, frame_data, stream, stream_ended
            )
        finally:
            self.in_head = False
        if is_head:
            status = dict(events[0].headers)[b":status"]
            if status.startswith(b"1"):
                stream.headers_recv_state = HeadersState.INITIAL
            if status.startswith(b"1") or status == b"304":
                stream.expected_content_length = None
            if stream_ended:
                self._check_content_length(stream)
        return events


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = None
        self.exchanges = {}
        self.terminated = None
        self.alpn = None
        self.authority = None
        self.goaway = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.alpn = event.alpn_protocol
        if isinstance(event, ConnectionTerminated):
            self.terminated = event
            for exchange in self.exchanges.values():
                if not exchange.ended.is_set():
                    exchange.reset = exchange.reset or event.error_code
                exchange.ended.set()
                exchange.progress.set()
            return
        if isinstance(event, StreamReset) and event.stream_id in self.exchanges:
            exchange = self.exchanges[event.stream_id]
            exchange.reset = event.error_code
            exchange.progress.set()
            exchange.ended.set()
        if isinstance(event, StopSendingReceived) and event.stream_id in self.exchanges:
            self.exchanges[event.stream_id].stopped = event.error_code
        if self.http is None:
            return
        for http_event in self.http.handle_event(event):
            exchange = self.exchanges.get(getattr(http_event, "stream_id", None))
            if exchange is None:
                continue
            if isinstance(http_event, HeadersReceived):
                exchange.headers(http_event.headers, http_event.stream_ended)
            elif isinstance(http_event, DataReceived):
                exchange.data(http_event.data, http_event.stream_ended)

    def open_http(self):
        self.http = Http(self._quic)

    def request(self, method, path, fields=(), body=b"", end=True, keep=True, exchange=None):
        stream = self._quic.get_next_available_stream_id()
        if exchange is None:
            exchange = Exchange()
            exchange.keep = keep
        exchange.stream = stream
        self.exchanges[stream] = exchange
        headers = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", self.authority.encode()),
            (b":path", path.encode()),
        ]
        headers += [(name.encode(), value.encode()) for name, value in fields]
        self.http.send_headers(stream, headers, end_stream=end and not body)
        if body:
            self.http.send_data(stream, body, end_stream=end)
        self.transmit()
        return exchange

    async def fetch(self, method, path, fields=(), body=b"", seconds=20, keep=True):
        exchange = self.request(method, path, fields, body, keep=keep)
        async with asyncio.timeout(seconds):
            await exchange.ended.wait()
        return exchange


def configuration(ca, **more):
    config = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", **more
    )
    config.load_verify_locations(ca)
    return config


def open_client(url, ca, config=None, http=True, **more):
    """An `async with` that yields a connected client."""
    parsed = urlparse(url)

    def create(*args, **kwargs):
        client = Client(*args, **kwargs)
        client.authority = f"localhost:{parsed.port}"
        if http:
            client.open_http()
        return client

    return connect(
        parsed.hostname,
        parsed.port,
        configuration=config or configuration(ca),
        create_protocol=create,
        **more,
    )
