"""What breaks the rules of HTTP/3, and with which code the stream or the connection ends (RFC 9114 §8.1).

    h3_malformed.py NAME URL CA
"""

import asyncio
import contextlib
import json
import sys

from aioquic.buffer import encode_uint_var

from h3_client import Exchange, open_client
from h3_wire import GET, POST, SETTINGS, frame, headers, section, send, until

# What is sent on a request stream, whether the stream ends, and the code its reset carries.
BAD_MESSAGES = {
    "a capital in a name": headers(GET + [(b"X-Upper", b"1")]),
    "a connection field": headers(GET + [(b"connection", b"close")]),
    "transfer-encoding": headers(GET + [(b"transfer-encoding", b"chunked")]),
    "te that is not trailers": headers(GET + [(b"te", b"gzip")]),
    "an unknown pseudo-field": headers(GET + [(b":who", b"me")]),
    "a pseudo-field after a field": headers([(b"x", b"1")] + GET),
    "a pseudo-field twice": headers(GET + [(b":path", b"/x")]),
    "no path": headers(GET[:3]),
    "no scheme": headers(GET[:1] + GET[2:]),
    "no authority": headers(GET[:2] + GET[3:]),
    "another host": headers(GET + [(b"host", b"other.example")]),
    "a newline in a value": headers(GET + [(b"x", b"a\nb: c")]),
    "a zero in a value": headers(GET + [(b"x", b"a\0b")]),
    "a length without content": headers(POST + [(b"content-length", b"5")]),
    "less content than its length": headers(POST + [(b"content-length", b"5")]) + frame(0, b"ab"),
    "more content than its length": headers(POST + [(b"content-length", b"1")]) + frame(0, b"abc"),
    "two lengths": headers(POST + [(b"content-length", b"2")] * 2) + frame(0, b"ab"),
    "a pseudo-field in trailers": headers(POST) + frame(0, b"ab") + headers([(b":x", b"1")]),
    "a path in trailers": headers(POST) + frame(0, b"ab") + headers([(b":path", b"/")]),
    "a connection field in trailers": headers(POST) + frame(0, b"ab") + headers([(b"te", b"gzip")]),
    "an upgrade in trailers": headers(POST) + frame(0, b"ab") + headers([(b"upgrade", b"x")]),
    "a capital in trailers": headers(POST) + frame(0, b"ab") + headers([(b"X", b"1")]),
    "no method": headers(GET[1:]),
    "nothing but fields": headers([(b"x", b"1")]),
    "no field at all": frame(1, b"\0\0"),
    "a status in a request": headers(GET + [(b":status", b"200")]),
    "a method twice": headers(GET[:1] + GET),
    "a scheme twice": headers(GET[:2] + GET[1:]),
    "an authority twice": headers(GET + GET[2:3]),
    "a protocol without CONNECT": headers(GET + [(b":protocol", b"websocket")]),
    "an empty method": headers([(b":method", b"")] + GET[1:]),
    "an empty path": headers(GET[:3] + [(b":path", b"")]),
    "an empty authority": headers(GET[:2] + [(b":authority", b""), GET[3]]),
    "an authority with a user": headers(GET[:2] + [(b":authority", b"me@localhost"), GET[3]]),
    "a method that is no token": headers([(b":method", b"GE T")] + GET[1:]),
    "an empty name": headers(GET + [(b"", b"1")]),
    "a space in a name": headers(GET + [(b"x y", b"1")]),
    "a colon in a name": headers(GET + [(b"x:y", b"1")]),
    "a carriage return in a value": headers(GET + [(b"x", b"a\rb")]),
    "a newline in a name": headers(GET + [(b"x\n", b"1")]),
    "keep-alive": headers(GET + [(b"keep-alive", b"1")]),
    "proxy-connection": headers(GET + [(b"proxy-connection", b"close")]),
    "upgrade": headers(GET + [(b"upgrade", b"websocket")]),
    "a length that is no number": headers(POST + [(b"content-length", b"two")]) + frame(0, b"ab"),
    "a length below zero": headers(POST + [(b"content-length", b"-2")]) + frame(0, b"ab"),
    "a length with a sign": headers(POST + [(b"content-length", b"+2")]) + frame(0, b"ab"),
    "content where none was announced": headers(POST + [(b"content-length", b"0")]) + frame(0, b"ab"),
    "content after its length": headers(POST + [(b"content-length", b"5")])
    + frame(0, b"whole")
    + frame(0, b"x"),
    "content of a GET without length": headers(GET + [(b"content-length", b"0")]) + frame(0, b"ab"),
    "trailers before the length is reached": headers(POST + [(b"content-length", b"5")])
    + frame(0, b"ab")
    + headers([(b"x", b"1")]),
    "two lengths that differ": headers(POST + [(b"content-length", b"2"), (b"content-length", b"3")])
    + frame(0, b"ab"),
    "lengths in one line": headers(POST + [(b"content-length", b"2, 2")]) + frame(0, b"ab"),
    "a length in hexadecimal": headers(POST + [(b"content-length", b"0x2")]) + frame(0, b"ab"),
    "a length beyond all numbers": headers(POST + [(b"content-length", b"18446744073709551618")])
    + frame(0, b"ab"),
    "a length with a space in it": headers(POST + [(b"content-length", b"2 2")]) + frame(0, b"ab"),
    "a length of nothing": headers(POST + [(b"content-length", b"")]) + frame(0, b"ab"),
    "a space before a value": headers(GET + [(b"x", b" a")]),
    "a space behind a value": headers(GET + [(b"x", b"a ")]),
    "a tab behind a value": headers(GET + [(b"x", b"a\t")]),
    "a delete in a value": headers(GET + [(b"x", b"a\x7fb")]),
    "a zero in a name": headers(GET + [(b"x\0", b"1")]),
    "a letter beyond ASCII in a name": headers(GET + [(b"\xe4", b"1")]),
    "te that is not only trailers": headers(GET + [(b"te", b"trailers, gzip")]),
    "transfer-encoding that changes nothing": headers(POST + [(b"transfer-encoding", b"identity")]),
    "two hosts": headers(GET + [(b"host", b"localhost")] * 2),
    "an empty host": headers(GET + [(b"host", b"")]),
    "a host with a user": headers(GET + [(b"host", b"me@localhost")]),
    "an authority with a path": headers(GET[:2] + [(b":authority", b"localhost/x"), GET[3]]),
    "an authority with a space": headers(GET[:2] + [(b":authority", b"local host"), GET[3]]),
    "an authority with a newline": headers(GET[:2] + [(b":authority", b"a\r\nx: y"), GET[3]]),
    "an authority with a port that is none": headers(GET[:2] + [(b":authority", b"a:b"), GET[3]]),
    "an empty scheme": headers(GET[:1] + [(b":scheme", b"")] + GET[2:]),
    "a scheme that is none": headers(GET[:1] + [(b":scheme", b"a b")] + GET[2:]),
    "a tunnel to nowhere": headers([(b":method", b"CONNECT")]),
    "a tunnel with a path": headers([(b":method", b"CONNECT")] + GET[2:]),
    "a tunnel with a scheme": headers([(b":method", b"CONNECT")] + GET[1:3]),
    "a capital in a pseudo-field": headers([(b":Method", b"GET")] + GET[1:]),
    "a colon and no more": headers([(b":", b"x")] + GET),
    "a method with a newline": headers([(b":method", b"GET\r\n")] + GET[1:]),
    "an empty name in trailers": headers(POST) + frame(0, b"ab") + headers([(b"", b"1")]),
    "a newline in trailers": headers(POST) + frame(0, b"ab") + headers([(b"x", b"a\nb")]),
    "transfer-encoding in trailers": headers(POST)
    + frame(0, b"ab")
    + headers([(b"transfer-encoding", b"chunked")]),
}

# What is not malformed, and not taken: the status.
REFUSED = {
    "a tunnel": (headers([(b":method", b"CONNECT"), (b":authority", b"localhost:443")]), 501),
    "a tunnel for datagrams": (
        headers([(b":method", b"CONNECT"), (b":protocol", b"connect-udp")] + GET[1:]),
        501,
    ),
    "an asterisk for a GET": (headers(GET[:3] + [(b":path", b"*")]), 400),
    "a path that does not begin": (headers(GET[:3] + [(b":path", b"headers")]), 400),
    "a path that is an address": (headers(GET[:3] + [(b":path", b"https://other.example/")]), 400),
    "a path with a space": (headers(GET[:3] + [(b":path", b"/a HTTP/1.1")]), 400),
    "a path with a newline": (headers(GET[:3] + [(b":path", b"/a\r\nx: y")]), 400),
    "a path with a zero": (headers(GET[:3] + [(b":path", b"/a\0")]), 400),
    "a path beyond ASCII": (headers(GET[:3] + [(b":path", b"/\xe4")]), 400),
    "a path with a fragment": (headers(GET[:3] + [(b":path", b"/a#b")]), 400),
    "a field too many": (headers(GET + [(b"x", b"1")] * 200), 431),
    # An octet each, 64 and more once decoded: entry 31 of the static table (RFC 9204 appendix A).
    "fields that grow when decoded": (frame(1, section(GET) + b"\xdf" * 10_000), 431),
}

# What means nothing, and must not be taken amiss (RFC 9114 §7.2.8, §9): types of the form 0x1f * N + 0x21.
GREASE = [encode_uint_var(0x1F * n + 0x21) for n in (0, 7, 1 << 20, (1 << 56))]
NOTHING = {
    "unknown frames around a head": b"".join(kind + b"\3abc" for kind in GREASE)
    + headers(GET)
    + GREASE[0]
    + b"\0",
    "unknown frames around content": headers(POST)
    + GREASE[1]
    + b"\0"
    + frame(0, b"ab")
    + GREASE[3]
    + b"\1x",
    "empty content": headers(GET) + frame(0, b"") * 3,
    "trailers that are wanted": headers(GET + [(b"te", b"trailers")]),
    "trailers": headers(POST) + frame(0, b"ab") + headers([(b"x", b"1")]),
    "trailers behind nothing": headers(POST) + headers([(b"x", b"1")]),
    "a host as well": headers(GET + [(b"host", b"localhost")]),
    "a host instead": headers(GET[:2] + GET[3:] + [(b"host", b"localhost")]),
}

# The same, for what ends the connection.
BAD_CONNECTIONS = {
    "content before a head": (frame(0, b"x"), 0x105),
    "settings on a request stream": (frame(4, b""), 0x105),
    "a frame of HTTP/2": (frame(8, b"1234"), 0x105),
    "a priority of HTTP/2": (frame(2, bytes(5)), 0x105),
    "a ping of HTTP/2": (headers(GET) + frame(6, bytes(8)), 0x105),
    "a continuation of HTTP/2": (headers(GET) + frame(9, b""), 0x105),
    "a pushed promise": (frame(5, b"\0"), 0x105),
    "content after trailers": (
        headers(POST) + frame(0, b"a") + headers([(b"x", b"1")]) + frame(0, b"a"),
        0x105,
    ),
    "a third section": (
        headers(POST) + headers([(b"x", b"1")]) + headers([(b"x", b"1")]),
        0x105,
    ),
    "a goodbye on a request stream": (headers(GET) + frame(7, b"\0"), 0x105),
    "a push cancelled on a request stream": (headers(GET) + frame(3, b"\0"), 0x105),
    "pushes allowed on a request stream": (headers(GET) + frame(13, b"\0"), 0x105),
    "a frame cut short in its length": (headers(POST) + b"\0\x40", 0x106),
    "an entry beyond the static table": (frame(1, b"\0\0\xff\x24"), 0x200),
    "a name beyond the static table": (frame(1, b"\0\0\x5f\x54\1a"), 0x200),
    "an entry behind the base": (frame(1, b"\0\0\x10"), 0x200),
    "a name behind the base": (frame(1, b"\0\0\0\1a"), 0x200),
    "a name of the dynamic table": (frame(1, b"\0\0\x40\1a"), 0x200),
    "a base below zero": (frame(1, b"\0\x80\xd1"), 0x200),
    "huffman code with padding of a byte": (frame(1, b"\0\0\x51\x82\7\xff"), 0x200),
    "a length of more than 62 bits": (frame(1, b"\0\0\x51\x7f" + b"\xff" * 9 + b"\1"), 0x200),
    "a section that is nonsense in trailers": (headers(POST) + frame(1, b"\0\0\x80"), 0x200),
    "a value cut short": (frame(1, b"\0\0\x51\5/ab"), 0x200),
    "a section without its prefix": (frame(1, b"\0"), 0x200),
    "huffman code with padding of zeros": (frame(1, b"\0\0\x51\x81\0"), 0x200),
    "a frame cut short": (headers(POST) + frame(0, b"ab", 100), 0x106),
    "a head cut short": (frame(1, b"\0\0", 100), 0x106),
    "a dynamic table that is not there": (frame(1, b"\x05\x00\x80"), 0x200),
    "a section that is nonsense": (frame(1, b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 0x200),
    "huffman code that is nonsense": (frame(1, b"\0\0\x51\x84\xff\xff\xff\xff"), 0x200),
}

# What is sent on unidirectional streams, each ended or not, and what ends the connection.
BAD_STREAMS = {
    "no settings first": ([(b"\0" + frame(7, b"\0"), False)], 0x10A),
    "settings twice": ([(SETTINGS + frame(4, b""), False)], 0x105),
    "two control streams": ([(SETTINGS, False), (SETTINGS, False)], 0x103),
    "a control stream that ends": ([(SETTINGS, True)], 0x104),
    "a setting of HTTP/2": ([(b"\0" + frame(4, b"\x02\x01"), False)], 0x109),
    "a setting twice": ([(b"\0" + frame(4, b"\x06\x01\x06\x02"), False)], 0x109),
    "settings cut short": ([(b"\0" + frame(4, b"\x06"), False)], 0x106),
    "endless settings": ([(b"\0" + frame(4, b"", 1 << 40), False)], 0x107),
    "content on the control stream": ([(SETTINGS + frame(0, b"x"), False)], 0x105),
    "a head on the control stream": ([(SETTINGS + headers(GET), False)], 0x105),
    "a push stream": ([(b"\1\0", False)], 0x103),
    "a push cancelled that never was": ([(SETTINGS + frame(3, b"\0"), False)], 0x108),
    "fewer pushes than before": ([(SETTINGS + frame(13, b"\5") + frame(13, b"\4"), False)], 0x108),
    "a goaway above the one before": ([(SETTINGS + frame(7, b"\4") + frame(7, b"\5"), False)], 0x108),
    "a frame that nobody knows before the settings": (
        [(b"\0" + frame(0x21, b"x") + frame(4, b""), False)],
        0x10A,
    ),
    "a goaway of two numbers": ([(SETTINGS + frame(7, b"\0\0"), False)], 0x106),
    "two encoder streams": ([(SETTINGS, False), (b"\2", False), (b"\2", False)], 0x103),
    "two decoder streams": ([(SETTINGS, False), (b"\3", False), (b"\3", False)], 0x103),
    "a promise on the control stream": ([(SETTINGS + frame(5, b"\0\0"), False)], 0x105),
    "a frame of HTTP/2 on the control stream": ([(SETTINGS + frame(6, bytes(8)), False)], 0x105),
    "a goaway of nothing": ([(SETTINGS + frame(7, b""), False)], 0x106),
    "a push cancelled without a number": ([(SETTINGS + frame(3, b""), False)], 0x106),
    "settings that the end cuts short": ([(b"\0\4\5\6", True)], 0x104),
    "pushes without a number": ([(SETTINGS + frame(13, b""), False)], 0x106),
    "pushes of two numbers": ([(SETTINGS + frame(13, b"\1\1"), False)], 0x106),
    "a decoder stream that ends": ([(SETTINGS, False), (b"\3", True)], 0x104),
    "a table larger than allowed": ([(SETTINGS, False), (b"\2\x3f\x45", False)], 0x201),
    "a copy of nothing": ([(SETTINGS, False), (b"\2\0", False)], 0x201),
    "no more insertions": ([(SETTINGS, False), (b"\3\0", False)], 0x202),
    "one insertion more": ([(SETTINGS, False), (b"\3\1", False)], 0x202),
    "a second setting of HTTP/2": ([(b"\0" + frame(4, b"\3\1"), False)], 0x109),
    "a third setting of HTTP/2": ([(b"\0" + frame(4, b"\4\1"), False)], 0x109),
    "a fourth setting of HTTP/2": ([(b"\0" + frame(4, b"\5\1"), False)], 0x109),
    "a flag that is none": ([(b"\0" + frame(4, b"\x08\2"), False)], 0x109),
    "an insertion without a table": ([(SETTINGS, False), (b"\2\xc0\1a", False)], 0x201),
    "an encoder stream that ends": ([(SETTINGS, False), (b"\2", True)], 0x104),
    "an acknowledgement of nothing": ([(SETTINGS, False), (b"\3\x80", False)], 0x202),
}


def exchange(client, data, end=True):
    """A request as it stands on the wire, and what comes of it."""
    exchange = Exchange()
    exchange.stream = client._quic.get_next_available_stream_id()
    client.exchanges[exchange.stream] = exchange
    send(client, data, end)
    return exchange


async def messages(url, ca):
    """Requests that are malformed: the stream is reset, and the connection is none the worse."""
    wrong = {}
    async with open_client(url, ca) as client:
        for what, data in BAD_MESSAGES.items():
            bad = exchange(client, data)
            async with asyncio.timeout(10):
                await bad.ended.wait()
            if bad.reset != 0x10E:
                wrong[what] = (bad.status, bad.reset)
        # A stream that ends before there is a request (RFC 9114 §4.1.1).
        nothing = exchange(client, b"")
        async with asyncio.timeout(10):
            await nothing.ended.wait()
        if nothing.reset != 0x10D:
            wrong["nothing"] = (nothing.status, nothing.reset)
        for what, (data, status) in REFUSED.items():
            refused = exchange(client, data)
            async with asyncio.timeout(10):
                await refused.ended.wait()
            if refused.status != status:
                wrong[what] = (refused.status, refused.reset)
        assert client.terminated is None, client.terminated
    assert not wrong, wrong
    return len(BAD_MESSAGES) + len(REFUSED)


async def nothing(url, ca):
    """What means nothing to the server changes nothing."""
    settings = GREASE[0] + b"\1" + GREASE[2] + b"\x40\x40" + b"\1\x40\x64\7\5"
    # That it takes datagrams (RFC 9297 §2.1.1), and which request is more urgent (RFC 9218 §7.2).
    settings = b"\0" + frame(4, settings + b"\x33\1") + frame(0xF0700, b"\0u=3")
    settings += b"".join(kind + b"\3abc" for kind in GREASE) + frame(7, b"\0") + frame(13, b"\5")
    async with open_client(url, ca, http=False) as client:
        # A byte at a time.
        stream = send(client, settings[:1], False, True)
        for at in range(1, len(settings)):
            client._quic.send_stream_data(stream, settings[at : at + 1])
            client.transmit()
        # A table of nothing, and a stream cancelled, both of which may be said.
        send(client, b"\2\x20\x20", False, True)
        send(client, b"\3\x44\x7f\x80\1", False, True)
        # Kinds that nobody knows, whether they end or not or never say what they are (§6.2.3).
        for data, end in ((b"\x40\x54nothing", False), (GREASE[3], True), (b"", True), (b"\x40", True)):
            send(client, data, end, True)
        seen = {}
        client.quic_event_received = lambda event: seen.setdefault(
            getattr(event, "stream_id", None), []
        ).append(event)
        for what, data in NOTHING.items():
            stream = send(client, data, True)
            await until(lambda: any(getattr(e, "end_stream", False) for e in seen.get(stream, [])), what)
            answer = b"".join(event.data for event in seen[stream] if hasattr(event, "data"))
            # HEADERS, and `:status: 200` first in them: entry 25 of the static table.
            start = 2 if answer[1] < 64 else 3
            assert answer[0] == 1 and answer[start : start + 3] == b"\0\0\xd9", (what, answer[:40])
    return len(NOTHING)


async def told(url, ca, request, own):
    """What is said to a client that sends this on a request stream and on streams of its own."""
    async with open_client(url, ca, http=False) as client:
        for data, end in own:
            stream = send(client, data, end is True, True)
            if end == "reset":
                await asyncio.sleep(0.1)
                client._quic.reset_stream(stream, 0x100)
                client.transmit()
            if end == 3:
                await until(lambda: 3 in client._quic._streams, "no settings")
                client._quic.stop_stream(3, 0x100)
                client.transmit()
        if request is not None:
            send(client, request, True)
        await until(lambda: client.terminated, (request, own), 30)
        return client.terminated.error_code


async def connections(url, ca):
    """What ends the connection, on a request stream or on one of the client's own."""
    rows = {
        what: (code, data, [(SETTINGS, False)]) for what, (data, code) in BAD_CONNECTIONS.items()
    }
    rows |= {what: (code, None, own) for what, (own, code) in BAD_STREAMS.items()}
    # A reset is as good as an end (§6.2.1).
    for kind in (SETTINGS, b"\2", b"\3"):
        rows[f"a reset of stream {kind[0]}"] = (0x104, None, [(kind, "reset")])
    # So is asking for the end of the server's: its first stream is number 3.
    rows["settings that are not wanted"] = (0x104, None, [(SETTINGS, 3)])
    turn = asyncio.Semaphore(8)

    async def row(data, own):
        async with turn:
            return await told(url, ca, data, own)

    codes = await asyncio.gather(*(row(data, own) for _, data, own in rows.values()))
    wrong = {
        what: hex(code) for what, code in zip(rows, codes) if code != rows[what][0]
    }
    assert not wrong, wrong
    return len(rows)


async def streams(url, ca, count="5000"):
    """Streams of kinds that nobody knows, one after the other."""
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        opened = 0
        for number in range(int(count)):
            if number % 20 == 0 and not client.terminated:
                # No further ahead of the server than that.
                with contextlib.suppress(ConnectionError):
                    await client.ping()
            if client.terminated:
                break
            stream = client._quic.get_next_available_stream_id(is_unidirectional=True)
            client._quic.send_stream_data(stream, GREASE[0] + b"x", end_stream=opened % 2 == 0)
            client.transmit()
            opened += 1
            await asyncio.sleep(0.001)
        await until(lambda: client.terminated, "the connection goes on")
        return {"code": client.terminated.error_code, "opened": opened}


def main():
    name, url, ca, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca, *arguments))))


main()
