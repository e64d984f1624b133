"""What costs a client little and might cost a server much: `h3_floods.py NAME URL CA` prints one JSON value.

Each flood says how the connection ended, if it did, and how soon somebody else was answered beside it.
"""

import asyncio
import contextlib
import json
import socket
import sys
import time
from urllib.parse import urlparse

from aioquic.buffer import encode_uint_var as var
from aioquic.quic.connection import QuicConnection

from h3_client import configuration, open_client
from h3_wire import GET, POST, SETTINGS, frame, headers, integer, section, send, send_frames, until

PACKETS = 500
# In one packet.
ROOM = 1100


def ignore(client, kind, length):
    """Has a client take no notice of frames that it would not expect."""
    handlers = client._quic._QuicConnection__frame_handlers
    handlers[kind] = (lambda context, kind, buf: buf.pull_bytes(length), handlers[kind][1])


async def flood(url, ca, payload):
    """So many packets of frames, and how others fare meanwhile; `payload` makes the frames of each."""
    slowest = 0
    async with open_client(url, ca) as client, open_client(url, ca) as other:
        assert (await client.fetch("GET", "/headers")).status == 200
        # PATH_RESPONSE, which answers no question of its own.
        ignore(client, 0x1B, 8)
        for number in range(PACKETS):
            if client.terminated:
                break
            send_frames(client, payload(number))
            if number % 30 == 29:
                # No faster than the server answers somebody.
                begun = time.monotonic()
                assert (await other.fetch("GET", "/headers")).status == 200
                slowest = max(slowest, time.monotonic() - begun)
        await asyncio.sleep(0.2)
        code = client.terminated and client.terminated.error_code
    return {"code": code, "answered_ms": slowest * 1000}


async def challenges(url, ca):
    """Paths asked after, a hundred in a packet: an answer each is not owed (RFC 9000 §8.2.2)."""
    return await flood(url, ca, lambda n: b"".join(b"\x1a" + bytes(6) + bytes(divmod(i, 256)) for i in range(ROOM // 9)))


async def identifiers(url, ca):
    """New connection IDs that retire all before them, each of which must be told so (§19.15)."""

    def ids(number):
        first = 8 + number * 30
        return b"".join(
            var(0x18) + var(n) + var(n) + b"\x08" + n.to_bytes(8) + n.to_bytes(16) for n in range(first, first + 30)
        )

    return await flood(url, ca, ids)


async def moves(url, ca):
    """One connection ID after the other is given back, and a new one issued."""
    async with open_client(url, ca) as client, open_client(url, ca) as other:
        assert (await client.fetch("GET", "/headers")).status == 200
        changed, slowest = 0, 0
        for _ in range(100):
            if client.terminated:
                break
            if client._quic._peer_cid_available:
                client._quic.change_connection_id()
                changed += 1
            with contextlib.suppress(ConnectionError):
                await client.ping()
            begun = time.monotonic()
            assert (await other.fetch("GET", "/headers")).status == 200
            slowest = max(slowest, time.monotonic() - begun)
        code = client.terminated and client.terminated.error_code
        assert code or (await client.fetch("GET", "/headers")).status == 200
    return {"code": code, "changed": changed, "answered_ms": slowest * 1000}


async def credit(url, ca):
    """More room on the connection and on its first stream, a byte at a time."""

    def room(number):
        base = (1 << 30) + number * 60
        return b"".join(var(0x10) + var(base + n) + var(0x11) + var(0) + var(base + n) for n in range(60))

    return await flood(url, ca, room)


async def holes(url, ca):
    """Content with a hole behind every byte: little of it, in as many pieces as there can be."""

    def pieces(number):
        base = number * 180 * 2
        return b"".join(var(0x0E) + var(400) + var(base + 2 * n + 1) + var(1) + b"x" for n in range(130))

    return await flood(url, ca, pieces)


async def handshakes(url, ca, count="120"):
    """Clients that begin and do not go on, and one that does."""
    silent = []
    for _ in range(int(count)):
        transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: asyncio.DatagramProtocol(), family=socket.AF_INET
        )
        silent.append(transport)
        quic = QuicConnection(configuration=configuration(ca))
        address = ("127.0.0.1", urlparse(url).port)
        quic.connect(address, now=time.time())
        for data, _ in quic.datagrams_to_send(now=time.time()):
            transport.sendto(data, address)
    begun = time.monotonic()
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
    answered = time.monotonic() - begun
    for transport in silent:
        transport.close()
    return {"code": None, "answered_ms": answered * 1000}


async def control(url, ca, data, requests=(), ends=False):
    """Bytes on a control stream, and requests; whether the server puts an end to it."""
    async with open_client(url, ca, http=False) as client, open_client(url, ca) as other:
        send(client, data, False, True)
        for request in requests:
            if client.terminated:
                break
            send(client, request, True)
            await asyncio.sleep(0.001)
        begun = time.monotonic()
        assert (await other.fetch("GET", "/headers")).status == 200
        answered = time.monotonic() - begun
        await until(lambda: client.terminated or not ends, "the connection goes on", 10)
        code = client.terminated and client.terminated.error_code
    return {"code": code, "answered_ms": answered * 1000}


async def settings(url, ca):
    """Thousands of settings that nobody knows: more than there is patience for (RFC 9114 §10.5)."""
    pairs = b"".join(var(0x1F * n + 0x21) + var(n) for n in range(100_000))
    outcome = await control(url, ca, b"\0" + frame(4, pairs), ends=True)
    assert outcome["code"] == 0x107, outcome
    return outcome


async def nothing(url, ca):
    """Frames and instructions that say nothing, on each kind of stream (RFC 9114 §10.5)."""
    outcome = None
    for first, piece in [
        (SETTINGS, frame(0x21, b"")),
        (SETTINGS, frame(0xD, b"\1")),
        (b"\2", b"\x20"),
        (b"\3", b"\x40"),
    ]:
        outcome = await control(url, ca, first + piece * 20_000, ends=True)
        assert outcome["code"] == 0x107, (first, piece, outcome)
    for piece in [frame(0x21, b""), frame(0, b"")]:
        request = headers(POST) + piece * 20_000
        outcome = await control(url, ca, SETTINGS, [request], ends=True)
        assert outcome["code"] == 0x107, (piece, outcome)
    return outcome


async def bomb(url, ca):
    """Sections of references to the longest entry of the static table: an octet for each line."""
    path = section(GET) + (integer(0xC0, 6, 85) * 15_000)
    return await control(url, ca, SETTINGS, [frame(1, path)] * 40)


async def every(url, ca):
    """All of them at once."""
    floods = [challenges, identifiers, moves, credit, holes, handshakes, settings, nothing, bomb]
    outcomes = await asyncio.gather(*(flood(url, ca) for flood in floods))
    return {flood.__name__: outcome for flood, outcome in zip(floods, outcomes)}


def main():
    name, url, ca, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca, *arguments))))


main()
