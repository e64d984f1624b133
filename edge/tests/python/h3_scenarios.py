"""What clients do to HTTP/3: `h3_scenarios.py NAME URL CA [ARGUMENT...]` prints one JSON value.

Whatever does not happen as it should is an assertion that fails.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from urllib.parse import urlparse

from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionState
from aioquic.quic.events import StreamDataReceived

from h3_client import Client, Exchange, configuration, open_client
from h3_wire import GET, POST, SETTINGS, frame, headers, send, until

PATTERN = b"abcdefghijklmnopqrstuvwxyz"


async def exchanges(url, ca):
    """Requests of every kind, alone and many at once."""
    async with open_client(url, ca) as client:
        answer = await client.fetch("GET", "/headers")
        seen = json.loads(bytes(answer.body))
        assert answer.status == 200 and client.alpn == "h3", (answer.status, client.alpn)
        assert seen["headers"]["via"] == ["3.0 edge"], seen
        assert seen["headers"]["x-forwarded-proto"] == ["https"], seen
        assert "transfer-encoding" not in seen["headers"], seen
        assert "alt-svc" not in answer.fields, answer.fields

        call = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        fields = [("content-type", "application/json"), ("content-length", str(len(call)))]
        answer = await client.fetch("POST", "/echo", fields, call)
        assert answer.status == 200 and bytes(answer.body) == call, answer.status

        crumbs = [("cookie", "a=1"), ("cookie", "b=2")]
        seen = json.loads(bytes((await client.fetch("GET", "/headers", crumbs)).body))
        assert seen["headers"]["cookie"] == ["a=1; b=2"], seen

        for more in ([(b"x", b"v" * 60_000)], [(b"x", b"v")] * 200, [(b"x" * 60_000, b"v")]):
            exchange = Exchange()
            client.exchanges[client._quic.get_next_available_stream_id()] = exchange
            send(client, headers(GET + more), True)
            await exchange.until(lambda exchange: exchange.ended.is_set())
            assert exchange.status == 431, exchange.status

        # One more than the bound of streams at once: the rest wait for their turn.
        answers = await asyncio.gather(*[client.fetch("GET", "/headers") for _ in range(200)])
        assert [a.status for a in answers] == [200] * 200, [a.status for a in answers]

        # What is known of a request without content although its end comes later.
        late = client.request("GET", "/headers", end=False)
        await asyncio.sleep(0.1)
        client._quic.send_stream_data(late.stream, b"", end_stream=True)
        client.transmit()
        await late.until(lambda exchange: exchange.ended.is_set())
        assert "transfer-encoding" not in json.loads(bytes(late.body))["headers"]
    await interim(url, ca)
    # aioquic holds the length of an answer to HEAD against the content that it does not have.
    check, H3Connection._check_content_length = H3Connection._check_content_length, lambda *_: None
    async with open_client(url, ca) as client:
        answer = await client.fetch("HEAD", "/bytes?n=1234")
        assert answer.status == 200 and answer.length == 0, answer.length
        assert answer.fields["content-length"] == "1234", answer.fields
    H3Connection._check_content_length = check
    return "ok"


async def interim(url, ca):
    """100 (Continue) before the answer, as it stands on the wire."""
    async with open_client(url, ca, http=False) as client:
        handle, seen = client.quic_event_received, bytearray()

        def received(event):
            if isinstance(event, StreamDataReceived) and event.stream_id == 0:
                seen.extend(event.data)
            handle(event)

        client.quic_event_received = received
        send(client, SETTINGS, False, True)
        path = [(b":path", b"/echo"), (b"expect", b"100-continue"), (b"content-length", b"2")]
        stream = send(client, headers(POST[:3] + path), False)
        await until(lambda: seen, "nothing came")
        # The one field line is entry 63 of the static table (RFC 9204 appendix A).
        assert seen.startswith(frame(1, b"\0\0\xff\0")), seen.hex()
        client._quic.send_stream_data(stream, frame(0, b"ok"), end_stream=True)
        client.transmit()
        await until(lambda: seen.endswith(frame(0, b"ok")), "no answer")


async def bulk(url, ca, megabytes="20"):
    """Content of some size both ways, whole and unchanged."""
    size = int(megabytes) * 1_000_000
    async with open_client(url, ca) as client:
        began = time.monotonic()
        down = await client.fetch("GET", f"/bytes?n={size}", seconds=100, keep=False)
        down_s = time.monotonic() - began
        assert (down.status, down.length) == (200, size), (down.status, down.length)
        began = time.monotonic()
        body = os.urandom(1_000_000) * int(megabytes)
        up = await client.fetch("POST", "/echo", [], body, seconds=100)
        up_s = time.monotonic() - began
        assert up.status == 200 and up.body == body, (up.status, up.length)
    return {"down_s": down_s, "both_s": up_s}


async def file(url, ca, path, original):
    """A file arrives as it lies on the disk."""
    async with open_client(url, ca) as client:
        answer = await client.fetch("GET", path, seconds=50)
        with open(original, "rb") as content:
            assert answer.status == 200 and answer.body == content.read(), answer.length
    return "ok"


def delays(times, clock):
    """How late events have come, in milliseconds: half of them, and nine of ten, were earlier."""
    seen = []
    for at, text in times:
        for line in text.decode().splitlines():
            if line.startswith("data: "):
                sent = json.loads(line[6:])["sent_us"] / 1e6
                seen.append((at + clock - sent) * 1000)
    assert len(seen) == 40, seen
    seen.sort()
    return {"median_ms": seen[20], "late_ms": seen[36], "max_ms": seen[-1]}


async def events(url, ca, demo):
    """Every event of a stream as soon as it is sent, beside one without anything in between."""
    path, clock = "/sse?interval_ms=50&n=40", time.time() - time.monotonic()
    reader, writer = await asyncio.open_connection(*demo.rsplit(":", 1))

    async def direct():
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {demo}\r\nConnection: close\r\n\r\n".encode())
        times = []
        while piece := await reader.read(65536):
            times.append((time.monotonic(), piece))
        return times

    async with open_client(url, ca) as client:
        straight = asyncio.create_task(direct())
        stream = client.request("GET", path)
        await stream.until(lambda exchange: exchange.ended.is_set())
        times = await straight
    writer.close()
    return {"edge": delays(stream.times, clock), "direct": delays(times, clock)}


async def losing(url, ca):
    """Every twentieth datagram of a download is lost."""
    async with open_client(url, ca) as client:
        await client.fetch("GET", "/headers")
        received, count, lost = client.datagram_received, 0, 0

        def forget(data, addr):
            nonlocal count, lost
            count += 1
            if count % 20 == 0:
                lost += 1
            else:
                received(data, addr)

        client.datagram_received = forget
        answer = await client.fetch("GET", "/bytes?n=1000000", seconds=50)
        assert answer.length == 1000000, answer.length
        client.datagram_received = received
    return lost


async def unfinished(url, ca):
    """Handshakes that the client ends: by a certificate that it does not trust, by itself, by silence."""
    for config, ended in ((QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN), False), (None, True)):
        client = QuicConnection(configuration=config or configuration(ca))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.connect(("127.0.0.1", urlparse(url).port))
        client.connect(sock.getpeername(), now=time.time())
        if ended:
            send_all(client, sock)
            client.close()
        send_all(client, sock)
        while client._state not in ENDED:
            client.receive_datagram(sock.recv(65535), sock.getpeername(), now=time.time())
            send_all(client, sock)
    silent = QuicConnection(configuration=configuration(ca))
    silent.connect(sock.getpeername(), now=time.time())
    send_all(silent, sock)
    return "ok"


ENDED = (QuicConnectionState.CLOSING, QuicConnectionState.DRAINING, QuicConnectionState.TERMINATED)


def send_all(client, sock):
    for data, _ in client.datagrams_to_send(now=time.time()):
        sock.send(data)


async def offence(url, ca):
    """A request that says not what it is for, for which the client is banned."""
    async with open_client(url, ca) as client:
        stream = client._quic.get_next_available_stream_id()
        client.http.send_headers(stream, [(b":method", b"GET")], end_stream=True)
        client.transmit()
        async with asyncio.timeout(10):
            while client.terminated is None:
                await asyncio.sleep(0.02)
    return {"code": client.terminated.error_code}


async def expelled(url, ca):
    """A quiet stream of a client that somebody bans meanwhile."""
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/sse?interval_ms=120000")
        await stream.until(lambda exchange: len(exchange.times) > 0)
        print("waiting", file=sys.stderr, flush=True)
        async with asyncio.timeout(10):
            while client.terminated is None:
                await asyncio.sleep(0.02)
    return {"code": client.terminated.error_code}


async def cancelling(url, ca):
    """Resets in both directions, and a client that reads nothing."""
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/sse?interval_ms=100")
        await stream.until(lambda exchange: len(exchange.times) > 1)
        client._quic.stop_stream(stream.stream, 0x10C)
        client.transmit()
        await asyncio.sleep(1.0)
        upload = client.request("POST", "/echo", end=False)
        client.http.send_data(upload.stream, b"x" * 1000, end_stream=False)
        client.transmit()
        await asyncio.sleep(0.2)
        client._quic.reset_stream(upload.stream, 0x10C)
        client.transmit()
        await asyncio.sleep(0.3)
        dying = client.request("GET", "/die?when=body")
        await dying.ended.wait()
        assert (await client.fetch("GET", "/headers")).status == 200
    return {"died": dying.reset, "status": dying.status}


async def refused(url, ca):
    """Who is answered while a body is on its way gets the answer, and is told to stop."""
    async with open_client(url, ca) as client:
        upload = client.request("POST", "/", end=False)
        client.http.send_data(upload.stream, b"x" * 1000, end_stream=False)
        client.transmit()
        async with asyncio.timeout(5):
            await upload.ended.wait()
    return [upload.status, upload.body.decode(), upload.reset]


async def slow_reader(url, ca, megabytes="300"):
    """Asks for much and takes little of it."""
    config = configuration(ca, max_data=200_000, max_stream_data=200_000)
    async with open_client(url, ca, config) as client:
        client._quic._write_connection_limits = lambda *args, **kwargs: None
        client._quic._write_stream_limits = lambda *args, **kwargs: None
        stream = client.request("GET", f"/bytes?n={int(megabytes) * 1_000_000}", keep=False)
        await stream.until(lambda exchange: exchange.length > 100_000)
        print("waiting", file=sys.stderr, flush=True)
        await asyncio.sleep(3)
        return {"taken": stream.length}


async def slow_readers(url, ca, ready, how):
    """Many that ask for much and take little: they give no credit, or stop listening altogether."""
    credit = 120_000 if how == "stingy" else 64_000_000

    async def read(stack):
        config = configuration(ca, max_data=credit, max_stream_data=credit)
        client = await stack.enter_async_context(open_client(url, ca, config))
        client._quic._write_connection_limits = lambda *args, **kwargs: None
        client._quic._write_stream_limits = lambda *args, **kwargs: None
        stream = client.request("GET", "/bytes?n=200000000", keep=False)
        await stream.until(lambda exchange: exchange.length > 100_000)
        if how == "frozen":
            client._transport.abort()

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await read(stack)
        print("warm", flush=True)
        while not os.path.exists(ready):
            await asyncio.sleep(0.05)
        for _ in range(20):
            await read(stack)
        print("waiting", flush=True)
        await asyncio.sleep(10)
    return "ok"


async def rapid_reset(url, ca, how="stop"):
    """Requests that are given up before they are answered, one after the other."""
    async with open_client(url, ca) as client:
        for number in range(2000):
            if number % 20 == 0 and not client.terminated:
                # No further ahead of the server than that.
                with contextlib.suppress(ConnectionError):
                    await client.ping()
            if client.terminated:
                break
            exchange = client.request("GET", "/slow?ms=10000", end=how == "stop")
            if how != "reset":
                client._quic.stop_stream(exchange.stream, 0x10C)
            if how != "stop":
                client._quic.reset_stream(exchange.stream, 0x10C)
            client.transmit()
            await asyncio.sleep(0.002)
        await until(lambda: client.terminated, "the connection goes on")
        assert client.terminated.error_code == 0x107, client.terminated
    return {"requests": len(client.exchanges)}


async def endless_head(url, ca):
    """Heads and unknown frames that claim to be endless, with as much behind them as is taken."""
    async with open_client(url, ca, http=False) as client:
        send(client, SETTINGS, False, True)
        for kind in (1, 0x21):
            head = encode_uint_var(kind) + encode_uint_var(1 << 40)
            stream = client._quic.get_next_available_stream_id()
            client._quic.send_stream_data(stream, head)
            for _ in range(60):
                try:
                    client._quic.send_stream_data(stream, b"\0" * 500_000)
                except AssertionError:
                    break  # It was told to stop.
                client.transmit()
                await asyncio.sleep(0.01)
    return "ok"


async def silent(url, ca, seconds):
    """A stream of two events with a long silence between them."""
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/")
        await stream.until(lambda exchange: b"data: 1" in exchange.body)
        print("listening", file=sys.stderr, flush=True)
        await stream.until(lambda exchange: b"data: 2" in exchange.body, int(seconds))
        await stream.until(lambda exchange: exchange.ended.is_set())
        assert bytes(stream.body) == b"data: 1\n\ndata: 2\n\n", bytes(stream.body)
    return "ok"


async def churn(url, ca, seconds="5", abandon="no"):
    """Connections that ask once and go, some of them without a word where that is wanted."""
    limit = time.monotonic() + float(seconds)
    count = 0
    while time.monotonic() < limit:
        async with open_client(url, ca) as client:
            assert (await client.fetch("GET", "/headers")).status == 200
            if count % 4 == 1:
                client.request("GET", "/sse?interval_ms=100")
            if abandon == "yes" and count % 3 == 1:
                # Not even a packet that says so.
                client.transmit = lambda: None
                client._closed.set()
        count += 1
    return {"connections": count}


async def resumption(url, ca, count="8"):
    """Tickets of one connection are good at every worker."""
    tickets = []
    resumed = 0
    config = configuration(ca)
    async with open_client(url, ca, config, session_ticket_handler=tickets.append) as client:
        await client.fetch("GET", "/headers")
        await until(lambda: tickets, "no ticket")
    for _ in range(int(count)):
        config = configuration(ca)
        config.session_ticket = tickets.pop()
        async with open_client(url, ca, config, session_ticket_handler=tickets.append) as client:
            assert (await client.fetch("GET", "/headers")).status == 200
            resumed += client._quic.tls.session_resumed
            await until(lambda: tickets, "no ticket")
    return {"resumed": resumed}


async def early(url, ca, wanted):
    """What a client that comes back may send before the handshake, and what a replay brings."""
    tickets = []
    config = configuration(ca)
    async with open_client(url, ca, config, session_ticket_handler=tickets.append) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        await until(lambda: tickets, "no ticket")
    ticket = tickets.pop()
    assert (ticket.max_early_data_size == 0xFFFFFFFF) == (wanted == "yes"), ticket
    seen = []
    for attempt in range(2):
        config = configuration(ca)
        config.session_ticket = ticket
        async with open_client(url, ca, config, wait_connected=False) as client:
            exchanges = [
                client.request("GET", "/headers"),
                client.request("GET", "/late/headers"),
                client.request("POST", "/echo", [("content-length", "2")], b"hi"),
            ]
            for exchange in exchanges:
                await exchange.until(lambda exchange: exchange.ended.is_set())
                assert exchange.status in (200, 404), exchange.status
            marks = [json.loads(bytes(exchanges[0].body))["headers"].get("early-data")]
            seen.append({"accepted": client._quic.tls.early_data_accepted, "mark": marks[0]})
    return seen


class Tap:
    """A client's socket, and what has gone through it."""

    def __init__(self, transport, sent):
        self.transport, self.sent = transport, sent

    def sendto(self, data, addr=None):
        self.sent.append(data)
        self.transport.sendto(data, addr)

    def __getattr__(self, name):
        return getattr(self.transport, name)


async def too_early(url, ca):
    """A server that wants no early data says so, and gets the request once more; a replay gets nothing."""
    tickets, sent = [], []
    async with open_client(url, ca, session_ticket_handler=tickets.append) as client:
        await client.fetch("GET", "/before")
        await until(lambda: tickets, "no ticket")
    made = Client.connection_made
    Client.connection_made = lambda client, transport: made(client, Tap(transport, sent))
    config = configuration(ca)
    config.session_ticket = tickets.pop()
    async with open_client(url, ca, config, wait_connected=False) as client:
        early = client.request("GET", "/early")
        await early.until(lambda exchange: exchange.ended.is_set())
        again = await client.fetch("GET", "/early")
        accepted = client._quic.tls.early_data_accepted
        recorded = list(sent)
    Client.connection_made = made
    # Whoever was on the way sends all of it once more, from elsewhere, when the connection is forgotten.
    await asyncio.sleep(1)
    server = urlparse(url)
    replay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for data in recorded:
        replay.sendto(data, ("127.0.0.1", server.port))
        await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    return {"early": early.status, "again": again.status, "accepted": accepted}


async def crowd(url, ca, count):
    """More connections from one address than it may have: how many there were, and again after they left."""
    seen = []
    for _ in range(2):
        async with contextlib.AsyncExitStack() as stack:
            inside = 0
            for _ in range(int(count)):
                connecting = open_client(url, ca, wait_connected=False)
                client = await stack.enter_async_context(connecting)
                client.transmit()
                try:
                    await client.wait_connected()
                except ConnectionError:
                    # CONNECTION_REFUSED (RFC 9000 §20.1).
                    assert client.terminated.error_code == 2, client.terminated
                    continue
                inside += (await client.fetch("GET", "/headers")).status == 200
            seen.append(inside)
        await asyncio.sleep(1)
    return seen


async def drained(url, ca):
    """Says when it is connected, and what it hears until the end."""
    goaways, requests = [], []
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/sse?interval_ms=100")
        handle = client.http._handle_control_frame

        def control_frame(kind, data):
            if kind == 7:
                goaways.append(Buffer(data=data).pull_uint_var())
                # On its way when the server said so, or too late.
                requests.append(client.request("GET", "/headers"))
            handle(kind, data)

        client.http._handle_control_frame = control_frame
        await stream.until(lambda exchange: len(exchange.times) > 1)
        print("connected", file=sys.stderr, flush=True)
        await until(lambda: len(goaways) == 2, "it was not said twice", 20)
        await until(lambda: all(r.ended.is_set() for r in requests), "a request is left waiting", 20)
        await until(lambda: stream.ended.is_set(), "the stream goes on", 20)
        await until(lambda: client.terminated, "the connection goes on", 20)
        return {
            "goaways": goaways,
            "answers": [request.status or request.reset for request in requests],
            "reset": stream.reset,
            "code": client.terminated.error_code,
        }


def messages(exchange):
    """The JSON-RPC messages of an answer, one object or a stream of events."""
    text = bytes(exchange.body).decode()
    if exchange.fields.get("content-type", "").startswith("application/json"):
        return [json.loads(text)]
    lines = text.replace("\r\n", "\n").split("\n")
    return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]


async def mcp(url, ca):
    """Initialise, list, call with progress, end: against the official SDK's server."""
    async with open_client(url, ca) as client:
        fields = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ]

        def post(message):
            return client.request("POST", "/mcp", fields, json.dumps(message).encode())

        async def ask(number, method, params):
            exchange = post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            await exchange.until(lambda exchange: exchange.ended.is_set())
            assert exchange.status == 200, (method, exchange.status, bytes(exchange.body))
            [answer] = [m for m in messages(exchange) if m.get("id") == number]
            return exchange, answer["result"]

        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "h3", "version": "1"},
        }
        exchange, result = await ask(1, "initialize", hello)
        fields.append(("mcp-protocol-version", result["protocolVersion"]))
        if "mcp-session-id" in exchange.fields:
            fields.append(("mcp-session-id", exchange.fields["mcp-session-id"]))
        note = post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await note.until(lambda exchange: exchange.ended.is_set())
        assert note.status == 202, note.status
        _, result = await ask(2, "tools/list", {})
        names = {tool["name"] for tool in result["tools"]}
        assert {"add", "progress"} <= names, names
        _, result = await ask(3, "tools/call", {"name": "add", "arguments": {"a": 2, "b": 40}})
        assert result["content"][0]["text"] == "42", result
        call = {
            "name": "progress",
            "arguments": {"seconds": 1.0, "interval": 0.1},
            "_meta": {"progressToken": "p"},
        }
        began = time.monotonic()
        exchange, result = await ask(4, "tools/call", call)
        notes = [m for m in messages(exchange) if m.get("method") == "notifications/progress"]
        first = next(at for at, data in exchange.times if b"progress" in data) - began
        assert len(notes) >= 5 and first < 0.6, (len(notes), first)
        return {"progress": len(notes), "protocol": fields[2][1]}


async def answers(url, ca, wanted):
    """What becomes of requests, which are `[path, fields]`: some at a time, each on its own connection,
    for aioquic ends that when it does not like an answer."""
    some = asyncio.Semaphore(8)

    async def one(path, fields):
        async with some, open_client(url, ca) as client:
            # A host is asked for in its own way.
            client.authority = dict(fields).get("host", client.authority)
            fields = [(name, value) for name, value in fields if name != "host"]
            exchange = client.request("GET", path, fields)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await exchange.ended.wait()
        return {
            "ended": exchange.ended.is_set(),
            "broken": exchange.reset is not None,
            "status": exchange.status or 0,
            "fields": exchange.fields,
            "body": bytes(exchange.body).hex(),
        }

    return await asyncio.gather(*[one(*request) for request in json.loads(wanted)])


def main():
    name, url, ca, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca, *arguments))))


main()
