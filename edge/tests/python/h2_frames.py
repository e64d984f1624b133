"""Breaks the rules of RFC 9113 one by one, in raw frames over TLS, and prints what came of each.

    h2_frames.py PORT

One JSON object: for each case the codes that the RFC allows and what was seen, such as
{"want": ["goaway 6"], "got": "goaway 6"}. What is seen: `goaway CODE`, `reset CODE`, `status N`, `closed`
without a GOAWAY, `pong` when a PING was answered and nothing else came before, or `hang`. Cases are
named by the section of the RFC. The CA comes from SSL_CERT_FILE.
"""

import json
import os
import socket
import ssl
import struct
import sys
import time

import hpack

PORT = int(sys.argv[1])
LIMIT = 3.0

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIO = 1, 1, 4, 8, 32
PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, COMPRESSION = 1, 3, 5, 6, 7, 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/good")]
POST = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def block(fields):
    return hpack.Encoder().encode(fields)


def get(stream=1, flags=END_STREAM | END_HEADERS, extra=()):
    return frame(HEADERS, flags, stream, block([*GET, *extra]))


def post(stream=1, extra=()):
    """A request whose content is still to come."""
    return frame(HEADERS, END_HEADERS, stream, block([*POST, *extra]))


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def window(stream, increment):
    return frame(WINDOW, 0, stream, struct.pack(">I", increment))


def rst(stream, code=8):
    return frame(RST, 0, stream, struct.pack(">I", code))


class Connection:
    def __init__(self, preface=PREFACE + settings()):
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", PORT), LIMIT)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.socket.settimeout(LIMIT)
        self.input = b""
        self.decoder = hpack.Decoder()
        self.send(preface)

    def send(self, *frames):
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:
            pass  # What the peer has to say about it is for `frame` to find.

    def frame(self):
        """The next frame; None at the end of the connection."""
        while len(self.input) < 9 or len(self.input) < 9 + int.from_bytes(self.input[:3], "big"):
            try:
                received = self.socket.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                return None
            if not received:
                return None
            self.input += received
        end = 9 + int.from_bytes(self.input[:3], "big")
        head, payload, self.input = self.input[:9], self.input[9:end], self.input[end:]
        return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload

    def outcome(self, stream=1, ping=True):
        if ping:
            self.send(frame(PING, 0, 0, b"are you?"))
        deadline = time.monotonic() + LIMIT
        try:
            while time.monotonic() < deadline:
                seen = self.frame()
                if seen is None:
                    return "closed"
                kind, flags, number, payload = seen
                if kind == GOAWAY:
                    return f"goaway {int.from_bytes(payload[4:8], 'big')}"
                if kind == RST and number == stream:
                    return f"reset {int.from_bytes(payload, 'big')}"
                if kind == HEADERS:
                    status = dict(self.decoder.decode(payload))[":status"]
                    if number == stream:
                        return f"status {status}"
                if kind == PING and flags & ACK and payload == b"are you?" and ping:
                    return "pong"
        except TimeoutError:
            pass
        return "hang"

    def answered(self, stream=1):
        """Reads until the stream's answer has ended."""
        try:
            while (seen := self.frame()) is not None:
                kind, flags, number, payload = seen
                if kind == HEADERS:
                    self.decoder.decode(payload)
                if number == stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                    return
        except TimeoutError:
            pass


def goaway(*codes):
    return [f"goaway {code}" for code in codes]


def reset(code):
    return [f"reset {code}"]


def as_connection(code):
    """An error of a stream that is treated as one of the connection, which is always allowed (§5.4.2)."""
    return goaway(code)


PRIORITY_5 = struct.pack(">IB", 0, 15)
LONG = block([*GET, *[(f"x-{n}", "v" * 100) for n in range(20)]])

# Name, what the RFC allows, frames sent.
FRAMES = [
    ("3.4 preface then no SETTINGS", goaway(PROTOCOL), None, PREFACE + get()),
    ("3.4 bad preface", ["closed"], None, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings()),
    ("4.1 unknown frame type", ["pong"], [frame(0x16, 0xFF, 0, b"whatever")], None),
    ("4.1 unknown flags", ["pong"], [frame(PING, 0xFE, 0, b"12345678")], None),
    ("4.1 reserved bit of the stream", ["status 200"], [frame(HEADERS, 5, 1 << 31 | 1, block(GET))], None),
    ("4.2 DATA above the maximum", as_connection(SIZE), [post(), frame(DATA, 1, 1, b"x" * 16385)], None),
    ("4.2 HEADERS above the maximum", goaway(SIZE), [frame(HEADERS, 5, 1, b"\x82" * 16385)], None),
    ("4.2 unknown frame above the maximum", goaway(SIZE), [frame(0x16, 0, 0, b"x" * 16385)], None),
    ("4.2 DATA of the maximum", ["status 200"], [get(flags=END_HEADERS), frame(DATA, 1, 1, b"x" * 16384)], None),
    ("4.3 invalid field block", goaway(COMPRESSION), [frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff")], None),
    ("4.3 index out of the table", goaway(COMPRESSION), [frame(HEADERS, 5, 1, b"\x82\x87\x84\xff\x40")], None),
    ("4.3 table size above the setting", goaway(COMPRESSION), [frame(HEADERS, 5, 1, b"\x3f\xe1\xff\x7f" + block(GET))], None),
    ("4.3 table size update at the end", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x20")], None),
    ("4.3 index zero", goaway(COMPRESSION), [frame(HEADERS, 5, 1, b"\x80")], None),
    ("4.3 Huffman padding of a byte", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")], None),
    ("4.3 Huffman EOS", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x00\x85\xf2\xb2\x4a\x87\xff\xff\xff\xff")], None),
    ("4.3 PRIORITY within a field block", goaway(PROTOCOL), [frame(HEADERS, 1, 1, LONG[:100]), frame(PRIORITY, 0, 1, PRIORITY_5)], None),
    ("4.3 HEADERS of another stream within a field block", goaway(PROTOCOL), [frame(HEADERS, 1, 1, LONG[:100]), get(3)], None),
    ("4.3 PING within a field block", goaway(PROTOCOL), [frame(HEADERS, 1, 1, LONG[:100]), frame(PING, 0, 0, b"12345678")], None),
    ("4.3 table size updates", ["status 200"], [frame(HEADERS, 5, 1, b"\x20\x3f\xe1\x1f" + block(GET))], None),
    ("4.3 indexed", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x90")], None),
    ("4.3 with indexing, indexed name", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x7a\x01v")], None),
    ("4.3 with indexing, indexed name, Huffman", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x7a\x81\xef")], None),
    ("4.3 with indexing, new name", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x40\x01x\x01v")], None),
    ("4.3 with indexing, new name, Huffman", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x40\x81\xf3\x81\xef")], None),
    ("4.3 without indexing, indexed name", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x0f\x2b\x01v")], None),
    ("4.3 without indexing, new name, Huffman", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x00\x81\xf3\x81\xef")], None),
    ("4.3 never indexed, indexed name", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x1f\x2b\x01v")], None),
    ("4.3 never indexed, new name", ["status 200"], [frame(HEADERS, 5, 1, block(GET) + b"\x10\x01x\x01v")], None),
    ("4.3 invalid before the end of the block", goaway(COMPRESSION), [frame(HEADERS, 1, 1, b"\x82\x87\xff\xff\xff\xff\xff\xff"), frame(CONTINUATION, 4, 1)], None),
    ("4.3 invalid in CONTINUATION", goaway(COMPRESSION), [frame(HEADERS, 1, 1, b"\x82\x87"), frame(CONTINUATION, 4, 1, b"\xbf")], None),
    ("4.3 invalid in trailers", goaway(COMPRESSION), [post(), frame(HEADERS, 5, 1, b"\x80")], None),
    ("4.3 invalid behind padding and priority", goaway(COMPRESSION), [frame(HEADERS, 5 | PADDED | PRIO, 1, b"\x02" + PRIORITY_5 + b"\x80\0\0")], None),
    ("4.3 cut within a line", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x00\x03x-a\x05b")], None),
    ("4.3 cut within an integer", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x7f\x80")], None),
    ("4.3 integer of six octets", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x7f\x80\x80\x80\x80\x00\x01b")], None),
    ("4.3 literal with an index out of the table", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x7f\x50\x01b")], None),
    ("4.3 Huffman padding of zeros", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET) + b"\x00\x01x\x81\x18")], None),
    ("4.3 evicted entry", goaway(COMPRESSION), [frame(HEADERS, 5, 1, block(GET)), frame(HEADERS, 5, 3, b"\x20\x82\x87\xbe")], None),
    ("5.1 idle: DATA", goaway(PROTOCOL), [frame(DATA, 1, 1, b"x")], None),
    ("5.1 idle: RST_STREAM", goaway(PROTOCOL), [rst(1)], None),
    ("5.1 idle: WINDOW_UPDATE", goaway(PROTOCOL), [window(1, 100)], None),
    ("5.1 idle: CONTINUATION", goaway(PROTOCOL), [frame(CONTINUATION, 4, 1, block(GET))], None),
    ("5.1 half-closed: DATA", as_connection(CLOSED), [frame(HEADERS, 5, 1, block([*GET[:3], (":path", "/never")])), frame(DATA, 1, 1, b"x")], None),
    ("5.1 half-closed: HEADERS", as_connection(CLOSED), [frame(HEADERS, 5, 1, block([*GET[:3], (":path", "/never")])), frame(HEADERS, 5, 1, block(GET))], None),
    ("5.1 half-closed: CONTINUATION", goaway(PROTOCOL), [frame(HEADERS, 5, 1, block([*GET[:3], (":path", "/never")])), frame(CONTINUATION, 4, 1, block(GET))], None),
    ("5.1 reset by the client: DATA", as_connection(CLOSED), [post(), rst(1), frame(DATA, 1, 1, b"x")], None),
    ("5.1 reset by the client: HEADERS", as_connection(CLOSED), [post(), rst(1), frame(HEADERS, 5, 1, block(GET))], None),
    ("5.1 reset by the client: CONTINUATION", goaway(PROTOCOL), [post(), rst(1), frame(CONTINUATION, 4, 1, block([("x-a", "1")]))], None),
    ("5.1 half-closed: WINDOW_UPDATE", ["status 200"], [get(), window(1, 1)], None),
    ("5.1 half-closed: PRIORITY", ["status 200"], [get(), frame(PRIORITY, 0, 1, PRIORITY_5)], None),
    ("5.1 half-closed: RST_STREAM", ["pong"], [frame(HEADERS, 5, 1, block([*GET[:3], (":path", "/never")])), rst(1)], None),
    ("5.1.1 even stream", goaway(PROTOCOL), [get(2)], None),
    ("5.1.1 stream of a lower number", goaway(PROTOCOL), [get(5), get(3)], None),
    ("5.3 depends on itself", reset(PROTOCOL), [frame(HEADERS, 5 | PRIO, 1, struct.pack(">IB", 1, 15) + block(GET))], None),
    ("5.3 PRIORITY depends on itself", reset(PROTOCOL), [post(), frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 15))], None),
    ("5.3 HEADERS with priority", ["status 200"], [frame(HEADERS, 5 | PRIO, 1, struct.pack(">IB", 1 << 31, 255) + block(GET))], None),
    ("5.3 PRIORITY of an idle stream, then a lower one", ["status 200"], [frame(PRIORITY, 0, 9, PRIORITY_5), get()], None),
    ("5.3 exclusive PRIORITY", ["status 200"], [get(), frame(PRIORITY, 0, 3, struct.pack(">IB", 1 << 31 | 1, 0))], None),
    ("5.5 unknown frame within a field block", goaway(PROTOCOL), [frame(HEADERS, 1, 1, LONG[:100]), frame(0x16, 0, 1, b"x")], None),
    ("6.1 DATA on the connection", goaway(PROTOCOL), [frame(DATA, 1, 0, b"x")], None),
    ("6.1 padding longer than DATA", goaway(PROTOCOL), [post(), frame(DATA, PADDED | 1, 1, b"\x06abc")], None),
    ("6.1 padded DATA without its length", goaway(SIZE), [post(), frame(DATA, PADDED | 1, 1, b"")], None),
    ("6.1 padded DATA", ["status 200"], [get(flags=END_HEADERS), frame(DATA, 0, 1, b"a"), frame(DATA, PADDED | 1, 1, b"\x03abc\0\0\0")], None),
    ("6.1 DATA that is padding alone", ["status 200"], [get(flags=END_HEADERS), frame(DATA, PADDED | 1, 1, b"\x03\0\0\0")], None),
    ("6.2 HEADERS on the connection", goaway(PROTOCOL), [frame(HEADERS, 5, 0, block(GET))], None),
    ("6.2 padding longer than HEADERS", goaway(PROTOCOL), [frame(HEADERS, PADDED | 5, 1, b"\xff" + block(GET))], None),
    ("6.2 HEADERS too short for its priority", goaway(SIZE), [frame(HEADERS, PRIO | 5, 1, b"\0\0")], None),
    ("6.2 padded HEADERS", ["status 200"], [frame(HEADERS, PADDED | 5, 1, b"\x04" + block(GET) + b"\0" * 4)], None),
    ("6.2 padded HEADERS without the length of it", goaway(SIZE), [frame(HEADERS, PADDED | 5, 1, b"")], None),
    ("6.2 trailers", ["status 200"], [get(flags=END_HEADERS), frame(DATA, 0, 1, b"a"), frame(HEADERS, 5, 1, block([("x-t", "1")]))], None),
    ("6.3 PRIORITY on the connection", goaway(PROTOCOL), [frame(PRIORITY, 0, 0, PRIORITY_5)], None),
    ("6.3 PRIORITY of the wrong size", as_connection(SIZE), [frame(PRIORITY, 0, 1, b"\0\0\0\0")], None),
    ("6.3 PRIORITY of an idle stream", ["pong"], [frame(PRIORITY, 0, 9, PRIORITY_5)], None),
    ("6.4 RST_STREAM on the connection", goaway(PROTOCOL), [rst(0)], None),
    ("6.4 RST_STREAM of the wrong size", goaway(SIZE), [post(), frame(RST, 0, 1, b"\0\0\0")], None),
    ("6.5 SETTINGS ACK with content", goaway(SIZE), [settings((4, 1), flags=ACK)], None),
    ("6.5 SETTINGS on a stream", goaway(PROTOCOL), [settings((4, 1), stream=1)], None),
    ("6.5 SETTINGS of the wrong size", goaway(SIZE), [frame(SETTINGS, 0, 0, b"\0\0\0")], None),
    ("6.5.2 ENABLE_PUSH of 2", goaway(PROTOCOL), [settings((2, 2))], None),
    ("6.5.2 window too large", goaway(FLOW), [settings((4, 2**31))], None),
    ("6.5.2 frame size too small", goaway(PROTOCOL), [settings((5, 16383))], None),
    ("6.5.2 frame size too large", goaway(PROTOCOL), [settings((5, 2**24))], None),
    ("6.5.2 unknown setting", ["pong"], [settings((0xFF, 1))], None),
    ("6.5.3 the last value counts", ["status 200"], [settings((4, 0), (4, 100)), get()], None),
    ("6.6 PUSH_PROMISE from a client", goaway(PROTOCOL), [frame(PUSH, 4, 1, b"\0\0\0\x02" + block(GET))], None),
    ("6.7 PING on a stream", goaway(PROTOCOL), [frame(PING, 0, 1, b"12345678")], None),
    ("6.7 PING of the wrong size", goaway(SIZE), [frame(PING, 0, 0, b"1234567")], None),
    ("6.7 PING ACK unasked", ["pong"], [frame(PING, ACK, 0, b"12345678")], None),
    ("6.8 GOAWAY on a stream", goaway(PROTOCOL), [frame(GOAWAY, 0, 1, b"\0" * 8)], None),
    ("6.8 GOAWAY too short", goaway(SIZE), [frame(GOAWAY, 0, 0, b"\0" * 7)], None),
    ("6.9 WINDOW_UPDATE of zero", goaway(PROTOCOL), [window(0, 0)], None),
    ("6.9 WINDOW_UPDATE of zero on a stream", reset(PROTOCOL), [post(), window(1, 0)], None),
    ("6.9 WINDOW_UPDATE of the wrong size", goaway(SIZE), [frame(WINDOW, 0, 0, b"\0\0\0")], None),
    ("6.9.1 overflow of the connection", goaway(FLOW), [window(0, 2**31 - 1), window(0, 2**31 - 1)], None),
    ("6.9.1 overflow of a stream", reset(FLOW), [post(), window(1, 2**31 - 1), window(1, 2**31 - 1)], None),
    ("6.9.2 overflow by SETTINGS", goaway(FLOW), [post(), window(1, 2**31 - 1 - 65535), settings((4, 65536))], None),
    ("6.9.1 more than the window", reset(FLOW), [post(), *[frame(DATA, 0, 1, b"x" * 16384)] * 70], None),
    ("6.10 CONTINUATION on the connection", goaway(PROTOCOL), [frame(HEADERS, 1, 1, LONG[:100]), frame(CONTINUATION, 4, 0, LONG[100:])], None),
    ("6.10 CONTINUATION after the end", goaway(PROTOCOL), [post(), frame(CONTINUATION, 4, 1, block([("x-a", "1")]))], None),
    ("6.10 CONTINUATION in pieces", ["status 200"], [frame(HEADERS, 1, 1, LONG[:100]), *[frame(CONTINUATION, 0, 1, LONG[100 + n : 101 + n]) for n in range(3)], frame(CONTINUATION, 4, 1, LONG[103:])], None),
    ("7 unknown error codes", ["pong"], [post(), rst(1, 0xFFFF)], None),
    ("7 GOAWAY with an unknown error code", ["pong", "goaway 0"], [frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0xFF))], None),
    ("6.8 GOAWAY, and the streams that are there go on", ["status 200"], [get(), frame(GOAWAY, 0, 0, b"\0" * 8)], None),
    ("8.1 second HEADERS without the end", reset(PROTOCOL), [post(), frame(HEADERS, END_HEADERS, 1, block([("x-t", "1")]))], None),
    ("8.1 DATA after trailers", as_connection(CLOSED), [post(), frame(HEADERS, 5, 1, block([("x-t", "1")])), frame(DATA, 1, 1, b"x")], None),
    ("8.1 pseudo-field in trailers", reset(PROTOCOL), [get(flags=END_HEADERS), frame(HEADERS, 5, 1, block([(":path", "/x")]))], None),
    ("8.1 :status in trailers", reset(PROTOCOL), [get(flags=END_HEADERS), frame(HEADERS, 5, 1, block([(":status", "200")]))], None),
    ("8.1 pseudo-field in trailers by a literal name", reset(PROTOCOL), [get(flags=END_HEADERS), frame(HEADERS, 5, 1, b"\x00\x07:method\x01X")], None),
    ("8.3.1 fragment in :path", ["status 400"], [frame(HEADERS, 5, 1, block([*GET[:3], (":path", "/good#x")]))], None),
    ("8.1.1 more content than its length", reset(PROTOCOL), [post(extra=[("content-length", "1")]), frame(DATA, 1, 1, b"xx")], None),
    ("8.1.1 less content than its length", reset(PROTOCOL), [post(extra=[("content-length", "3")]), frame(DATA, 1, 1, b"x")], None),
    ("8.1.1 a length and trailers at once", reset(PROTOCOL), [post(extra=[("content-length", "3")]), frame(HEADERS, 5, 1, block([("x-t", "1")]))], None),
]


def one_too_many():
    connection = Connection()
    kind, _, _, payload = connection.frame()
    assert kind == SETTINGS
    pairs = [struct.unpack(">HI", payload[at : at + 6]) for at in range(0, len(payload), 6)]
    last = 2 * dict(pairs)[3] + 1
    never = [*GET[:3], (":path", "/never")]
    connection.send(*[frame(HEADERS, 5, stream, block(never)) for stream in range(1, last + 1, 2)])
    return connection.outcome(stream=last, ping=False)


def ended():
    connection = Connection()
    connection.send(frame(PING, 0, 0, b"1234567"))
    try:
        while connection.frame() is not None:
            pass
    except TimeoutError:
        return "hang"
    return "closed"


def pieces(first, more):
    """How many bytes come within a first window, and how many when there is more of it."""
    connection = Connection(PREFACE + settings((4, first)))
    connection.send(get())
    came = [0, 0]
    for at in range(2):
        if at == 1:
            connection.send(more)
        deadline = time.monotonic() + LIMIT
        has_head = False
        try:
            while time.monotonic() < deadline:
                kind, flags, number, payload = connection.frame()
                has_head |= kind == HEADERS
                if kind == DATA and number == 1:
                    came[at] += len(payload)
                if at == 0 and came[0] >= first and has_head:
                    break
                if at == 1 and came[0] + came[1] == 4:
                    break
        except (TimeoutError, TypeError):
            return came
    return came


def main():
    outcomes = {}
    for name, want, frames, preface in FRAMES:
        connection = Connection(preface) if preface else Connection()
        connection.send(*(frames or []))
        waits = any(one.startswith(("status", "reset")) for one in want)
        got = connection.outcome(ping=not waits or "pong" in want)
        outcomes[name] = {"want": want, "got": got}
    # Streams that have ended, and their last frames.
    for name, want, late in [
        ("5.1 closed: DATA", as_connection(CLOSED), frame(DATA, 1, 1, b"x")),
        ("5.1 closed: HEADERS", as_connection(CLOSED), get(1)),
        ("5.1 closed: CONTINUATION", goaway(PROTOCOL), frame(CONTINUATION, 4, 1, block(GET))),
        ("5.1 closed: PRIORITY", ["pong"], frame(PRIORITY, 0, 1, PRIORITY_5)),
        ("5.1 closed: WINDOW_UPDATE", ["pong"], window(1, 1)),
        ("5.1 closed: RST_STREAM", ["pong"], rst(1)),
    ]:
        connection = Connection()
        connection.send(get())
        connection.answered()
        connection.send(late)
        got = connection.outcome()
        outcomes[name] = {"want": want, "got": got}
    outcomes["5.1.2 more streams than allowed"] = {"want": reset(REFUSED), "got": one_too_many()}
    outcomes["5.4.1 the connection ends behind GOAWAY"] = {"want": ["closed"], "got": ended()}
    outcomes["6.9.1 a window of one"] = {"want": [[1, 3]], "got": pieces(1, window(1, 3))}
    outcomes["6.9.2 a window that grows"] = {"want": [[0, 4]], "got": pieces(0, settings((4, 10)))}
    # 3 are sent, then the window is -1: two more make room for one.
    less = settings((4, 2)) + window(1, 2)
    outcomes["6.9.2 a window below zero"] = {"want": [[3, 1]], "got": pieces(3, less)}
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
