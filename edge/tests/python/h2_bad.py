"""Sends malformed HTTP/2 over TLS and prints, for each case, what came of it, as one JSON object.

    h2_bad.py PORT

Every case has a connection of its own, made with hyper-h2 with its checks of outgoing headers off, or
with raw frames. An outcome is {"status": N} for an answer, {"reset": CODE} for a reset stream,
{"goaway": CODE}, {"closed": true} for a closed connection, {"alive": true} when the connection answered
a PING afterwards without having complained, or {"hang": true}. The CA comes from SSL_CERT_FILE.
"""

import json
import os
import socket
import ssl
import sys
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PORT = int(sys.argv[1])
LIMIT = 5.0
BASE = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]


class Connection:
    """A TLS connection that speaks HTTP/2 as badly as it is told to."""

    def __init__(self):
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(
            socket.create_connection(("127.0.0.1", PORT), LIMIT), server_hostname="localhost"
        )
        assert self.socket.selected_alpn_protocol() == "h2"
        self.socket.settimeout(0.05)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=True,
            )
        )
        self.encoder = hpack.Encoder()
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.raw(self.h2.data_to_send())

    def raw(self, data):
        """Sends bytes; a peer that has closed is for `outcome` to report."""
        try:
            self.socket.settimeout(LIMIT)
            self.socket.sendall(data)
        except OSError:
            pass
        self.socket.settimeout(0.05)

    def frames(self, *frames):
        self.raw(b"".join(frame.serialize() for frame in frames))

    def block(self, headers):
        """A header block that hyper-h2 does not know of."""
        return self.encoder.encode(headers)

    def outcome(self, stream=1):
        """What the peer does about a stream or the connection."""
        deadline = time.monotonic() + LIMIT
        status = None
        pinged = False
        silent = {"hang": True}
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                if status is None and not pinged and time.monotonic() - quiet_since > 0.3:
                    pinged = True
                    self.frames(PingFrame(0, b"are you?"))
                continue
            except OSError:
                return {"closed": True}
            if not data:
                return {"closed": True}
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError:
                events = self.read_leniently(data)
            for event in events:
                if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                    status = int(dict(event.headers)[":status"])
                if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    return {"status": status}
                if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                    return {"status": status} if status else {"reset": int(event.error_code)}
                if isinstance(event, h2.events.ConnectionTerminated):
                    return {"goaway": int(event.error_code)}
                # A refusal may still be on its way.
                is_pong = isinstance(event, h2.events.PingAckReceived) and pinged
                if is_pong or (isinstance(event, dict) and "alive" in event):
                    silent = {"alive": True}
                elif isinstance(event, dict):
                    return event
            self.flush()
        return silent

    def read_leniently(self, data):
        """Events of frames that answer raw frames, which hyper-h2 takes for an error of the peer's."""
        events = []
        while len(data) >= 9:
            length, kind = int.from_bytes(data[:3], "big"), data[3]
            payload, data = data[9 : 9 + length], data[9 + length :]
            if kind == 7:
                events.append({"goaway": int.from_bytes(payload[4:8], "big")})
            if kind == 3:
                events.append({"reset": int.from_bytes(payload[:4], "big")})
            if kind == 1:
                events.append({"status": int(dict(hpack.Decoder().decode(payload))[":status"])})
            if kind == 6 and payload == b"are you?":
                events.append({"alive": True})
        return events

    def end(self):
        """How the connection ends, whatever is said of its streams before."""
        deadline = time.monotonic() + LIMIT
        held = b""
        self.socket.settimeout(LIMIT)
        while time.monotonic() < deadline:
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                break
            except OSError:
                return {"closed": True}
            if not data:
                return {"closed": True}
            held += data
            while len(held) >= 9 and len(held) >= 9 + int.from_bytes(held[:3], "big"):
                length, kind = int.from_bytes(held[:3], "big"), held[3]
                payload, held = held[9 : 9 + length], held[9 + length :]
                if kind == 7:
                    return {"goaway": int.from_bytes(payload[4:8], "big")}
        return {"hang": True}

    def request(self, headers, body=None, end=True):
        """Sends a request through hyper-h2."""
        self.h2.send_headers(1, headers, end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(1, body, end_stream=end)
        self.flush()
        return self.outcome()

    def raw_request(self, headers, *more):
        """Sends a request in raw frames, which hyper-h2 would refuse to make."""
        flags = ["END_HEADERS"] if more else ["END_HEADERS", "END_STREAM"]
        self.frames(HeadersFrame(1, self.block(headers), flags=flags), *more)
        return self.outcome()


def without(name):
    return [field for field in BASE if field[0] != name]


def replaced(name, value):
    return [(field, value if field == name else old) for field, old in BASE]


def data(body, end=True):
    return DataFrame(1, body, flags=["END_STREAM"] if end else [])


MALFORMED = {
    "connection": [*BASE, ("connection", "close")],
    "keep-alive": [*BASE, ("keep-alive", "timeout=5")],
    "proxy-connection": [*BASE, ("proxy-connection", "keep-alive")],
    "transfer-encoding": [*BASE, ("transfer-encoding", "chunked")],
    "upgrade": [*BASE, ("upgrade", "websocket")],
    "te other than trailers": [*BASE, ("te", "gzip")],
    "name in upper case": [*BASE, ("X-A", "1")],
    "space in name": [*BASE, ("x a", "1")],
    "colon in name": [*BASE, ("x:a", "1")],
    "empty name": [*BASE, ("", "1")],
    "NUL in value": [*BASE, ("x-a", "a\0b")],
    "CR in value": [*BASE, ("x-a", "a\rb")],
    "LF in value": [*BASE, ("x-a", "a\nb")],
    "space before value": [*BASE, ("x-a", " a")],
    "tab after value": [*BASE, ("x-a", "a\t")],
    "line break and field in value": [*BASE, ("x-a", "a\r\nhost: evil")],
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "empty path": replaced(":path", ""),
    "no authority and no host": without(":authority"),
    "empty authority": replaced(":authority", ""),
    "two paths": [*BASE, (":path", "/other")],
    "two methods": [(":method", "GET"), *BASE],
    "unknown pseudo-header": [*BASE, (":extra", "1")],
    "response pseudo-header": [*BASE, (":status", "200")],
    "pseudo-header after field": [*BASE[:3], ("x-a", "1"), BASE[3]],
    "user in authority": replaced(":authority", "me@localhost"),
    "path in authority": replaced(":authority", "localhost/x"),
    "host differs from authority": [*BASE, ("host", "evil.test")],
    "method is no token": replaced(":method", "GE T"),
    "line break in method": replaced(":method", "GET / HTTP/1.1\r\nx: y"),
    "space in path": replaced(":path", "/a b"),
    "line break in path": replaced(":path", "/ HTTP/1.1\r\nhost: evil\r\n\r\n"),
    "path without slash": replaced(":path", "a"),
    "fragment in path": replaced(":path", "/a#b"),
    "absolute path": replaced(":path", "https://localhost/"),
    "asterisk with POST": replaced(":path", "*"),
    "CONNECT": [(":method", "CONNECT"), (":authority", "localhost:22")],
    "two lengths": [*BASE, ("content-length", "0"), ("content-length", "1")],
    "length is signed": [*BASE, ("content-length", "+0")],
    "length without body": [*BASE, ("content-length", "5")],
    # What becomes of a request when it is told in HTTP/1.1.
    "scheme with a host and a path": replaced(":scheme", "https://evil.test/x?"),
    "line break in scheme": replaced(":scheme", "https\r\nhost: evil"),
    "empty scheme": replaced(":scheme", ""),
    "line break in authority": replaced(":authority", "localhost\r\nx-a: 1"),
    "space in authority": replaced(":authority", "localhost x"),
    "line break in name": [*BASE, ("x: y\r\nx-a", "1")],
    "name that is a request line": [*BASE, ("get /x http/1.1\r\nhost", "evil")],
    "NUL in name": [*BASE, ("x\0a", "1")],
    "space in method": replaced(":method", "POST /x HTTP/1.1"),
    "tab in path": replaced(":path", "/\tHTTP/1.1"),
    "control in path": replaced(":path", "/\x01"),
    "non-ASCII path": replaced(":path", "/\u00e9"),
    "backslash first in path": replaced(":path", "\\\\evil.test\\x"),
    "asterisk with GET": [(":method", "GET"), *BASE[1:3], (":path", "*")],
    "CONNECT with a path": replaced(":method", "CONNECT"),
    "list of lengths": [*BASE, ("content-length", "0, 0")],
    "empty length": [*BASE, ("content-length", "")],
    "two Hosts": [*BASE, ("host", "localhost"), ("host", "localhost")],
    "Host of another port": [*BASE, ("host", "localhost:1")],
    "transfer-encoding hidden by a line break": [*BASE, ("x-b", "1\r\ntransfer-encoding: chunked")],
    "HTTP2-Settings and an upgrade": [*BASE, ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")],
    "large field": [*BASE, ("x-a", "a" * 60_000)],
    "many fields": [*BASE, *[(f"x-{i}", "1") for i in range(500)]],
}


def short_body(c):
    return c.raw_request([*BASE, ("content-length", "10")], data(b"hello"))


def long_body(c):
    return c.raw_request([*BASE, ("content-length", "3")], data(b"hello"))


def pseudo_in_trailers(c):
    trailers = HeadersFrame(1, c.block([(":path", "/x")]), flags=["END_HEADERS", "END_STREAM"])
    return c.raw_request(BASE, data(b"hello", end=False), trailers)


def hop_in_trailers(c):
    trailers = HeadersFrame(
        1, c.block([("transfer-encoding", "chunked")]), flags=["END_HEADERS", "END_STREAM"]
    )
    return c.raw_request(BASE, data(b"hello", end=False), trailers)


def endless_continuation(c):
    c.frames(HeadersFrame(1, c.block(BASE), flags=[]))
    piece = c.block([("x-a", "a" * 10_000)])
    for _ in range(200):
        c.frames(ContinuationFrame(1, piece, flags=[]))
    return c.outcome()


def empty_continuations(c):
    c.frames(HeadersFrame(1, c.block(BASE), flags=[]))
    for _ in range(20):
        c.raw(ContinuationFrame(1, b"", flags=[]).serialize() * 1000)
    return c.outcome()


def rapid_reset(c):
    for stream in range(1, 6001, 2):
        c.frames(
            HeadersFrame(stream, c.block(BASE), flags=["END_HEADERS"]),
            RstStreamFrame(stream, 8),
        )
    return c.outcome(stream=0)


def given_up(c):
    """Every request is begun with before it is reset."""
    block = [(":method", "GET"), *BASE[1:3], (":path", "/given-up")]
    for stream in range(1, 401, 2):
        c.frames(HeadersFrame(stream, c.block(block), flags=["END_HEADERS", "END_STREAM"]))
        time.sleep(0.005)
        c.frames(RstStreamFrame(stream, 8))
    return c.outcome(stream=0)


def many_streams(c):
    block = [(":method", "GET"), *BASE[1:3], (":path", "/")]
    for stream in range(1, 4001, 2):
        c.frames(HeadersFrame(stream, c.block(block), flags=["END_HEADERS", "END_STREAM"]))
    return c.outcome(stream=3999)


def flood(frame):
    def send(c):
        for _ in range(20):
            c.raw(frame.serialize() * 1500)
        return c.outcome(stream=0)

    return send


def empty_data(c):
    c.frames(HeadersFrame(1, c.block(BASE), flags=["END_HEADERS"]))
    return flood(DataFrame(1, b""))(c)


def padding(c):
    """Content that is padding alone."""
    c.frames(HeadersFrame(1, c.block(BASE), flags=["END_HEADERS"]))
    return flood(DataFrame(1, b"", pad_length=1, flags=["PADDED"]))(c)


def closed_stream(frame):
    """Frames that may come behind the end of a stream, and mean nothing there."""

    def send(c):
        c.frames(HeadersFrame(1, c.block(BASE), flags=["END_HEADERS", "END_STREAM"]))
        c.frames(RstStreamFrame(1, 8))
        return flood(frame)(c)

    return send


def made_to_reset(spoil):
    """Has the server reset streams whose requests it has begun with (CVE-2025-8671)."""

    def send(c):
        for stream in range(1, 1201, 2):
            block = c.block([*BASE[:3], (":path", "/made-to-reset"), ("content-length", "1")])
            c.frames(HeadersFrame(stream, block, flags=["END_HEADERS"]), *spoil(stream))
        return c.end()

    return send


def raw_bytes(payload):
    def send(c):
        c.raw(payload)
        return c.outcome(stream=0)

    return send


def broken_compression(c):
    c.frames(HeadersFrame(1, b"\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS", "END_STREAM"]))
    return c.outcome()


def even_stream(c):
    c.frames(HeadersFrame(2, c.block(BASE), flags=["END_HEADERS", "END_STREAM"]))
    return c.outcome(stream=2)


def compression_bomb(c):
    """One indexed field of 4 KB, referred to ten thousand times in a block of ten thousand bytes."""
    first = c.block([*BASE, ("x-bomb", "b" * 3_900)])
    c.frames(HeadersFrame(1, first + b"\xbe" * 10_000, flags=["END_HEADERS", "END_STREAM"]))
    return c.outcome()


SPECIAL = {
    "body shorter than its length": short_body,
    "body longer than its length": long_body,
    "pseudo-header in trailers": pseudo_in_trailers,
    "hop-by-hop field in trailers": hop_in_trailers,
    "endless continuation": endless_continuation,
    "endless empty continuation": empty_continuations,
    "broken compression": broken_compression,
    "compression bomb": compression_bomb,
    "rapid reset": rapid_reset,
    "requests given up one after the other": given_up,
    "more streams than allowed": many_streams,
    "even stream": even_stream,
    "ping flood": flood(PingFrame(0, b"12345678")),
    "settings flood": flood(SettingsFrame(0, {})),
    "priority flood": flood(PriorityFrame(1, depends_on=0, stream_weight=15)),
    "empty data flood": empty_data,
    "window update flood": flood(WindowUpdateFrame(0, window_increment=1)),
    "unknown frame flood": raw_bytes(b"\0\0\0\x16\0\0\0\0\0" * 30_000),
    "padding flood": padding,
    "reset flood": closed_stream(RstStreamFrame(1, 8)),
    "window update flood on a closed stream": closed_stream(WindowUpdateFrame(1, window_increment=1)),
    "made to reset by windows": made_to_reset(lambda n: [WindowUpdateFrame(n, window_increment=2**31 - 1)]),
    "made to reset by lengths": made_to_reset(lambda n: [DataFrame(n, b"xx", flags=["END_STREAM"])]),
    "made to reset by priorities": made_to_reset(lambda n: [PriorityFrame(n, depends_on=n)]),
    "made to reset by connection-specific trailers": made_to_reset(
        lambda n: [HeadersFrame(n, b"\x00\x0aconnection\x01x", flags=["END_HEADERS", "END_STREAM"])]
    ),
    "window of zero": raw_bytes(b"\0\0\x04\x08\0\0\0\0\0" + b"\0" * 4),
    "window overflow": raw_bytes(WindowUpdateFrame(0, window_increment=2**31 - 1).serialize() * 2),
    "data on stream zero": raw_bytes(b"\0\0\x01\0\0\0\0\0\0x"),
    "data on an idle stream": raw_bytes(b"\0\0\x01\0\0\0\0\0\x07x"),
    "frame above the maximum": raw_bytes(b"\x10\0\0\0\0\0\0\0\x01" + b"x" * 70_000),
    "headers of the wrong size": raw_bytes(b"\0\0\x01\x06\0\0\0\0\0x"),
    "push from a client": raw_bytes(b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82"),
    "HTTP/1.1 in the stream": raw_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


def main():
    outcomes = {}
    for name, headers in MALFORMED.items():
        outcomes[name] = Connection().raw_request(headers)
    for name, send in SPECIAL.items():
        outcomes[name] = send(Connection())
    outcomes["good"] = Connection().request([(":method", "GET"), *BASE[1:3], (":path", "/good")])
    print(json.dumps(outcomes))


main()
