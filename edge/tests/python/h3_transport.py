"""What breaks the rules of QUIC itself, and with which code the connection ends (RFC 9000 §20).

    h3_transport.py NAME URL CA
"""

import asyncio
import contextlib
import json
import sys
from urllib.parse import urlparse

from aioquic.asyncio.client import connect
from aioquic.buffer import Buffer
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.tls import Epoch

from h3_client import Client, configuration, open_client
from h3_rules import (
    CRYPTO_BUFFER,
    ENCODING,
    FRAMES,
    HARMLESS,
    KEY_UPDATE,
    MISSING_EXTENSION,
    PARAMETER,
    PARAMETERS,
    PARAMETER_CODES,
    PROTOCOL,
    UNEXPECTED_MESSAGE,
    stream,
    var,
)
from h3_wire import send_frames, until

ORIGINAL = QuicConnection._serialize_transport_parameters
INITIALIZE = QuicConnection._initialize


def serialize(connection):
    """The client's parameters, with those of its configuration in place of its own."""
    pairs = getattr(connection._configuration, "pairs", [])
    buffer = Buffer(data=ORIGINAL(connection))
    out, keys = bytearray(), {key for key, _ in pairs}
    while not buffer.eof():
        start = buffer.tell()
        key = buffer.pull_uint_var()
        buffer.pull_bytes(buffer.pull_uint_var())
        if key not in keys:
            out += buffer.data_slice(start, buffer.tell())
    for key, value in pairs:
        if value is None:
            continue
        out += var(key) + var(len(value)) + value
    return bytes(out)


def initialize(connection, peer_cid):
    """As always; for who is mute about its parameters without the extension that has them."""
    INITIALIZE(connection, peer_cid)
    if getattr(connection._configuration, "is_mute", False):
        connection.tls.handshake_extensions = []


QuicConnection._serialize_transport_parameters = serialize
QuicConnection._initialize = initialize


async def ending(client):
    """The code with which the server has ended the connection; `None` when it goes on."""
    try:
        async with asyncio.timeout(5):
            while client.terminated is None:
                await asyncio.sleep(0.01)
    except TimeoutError:
        return None
    return client.terminated.error_code


async def parameter(url, ca, pairs, alpn=None, is_mute=False):
    clients = []

    def create(*args, **kwargs):
        clients.append(Client(*args, **kwargs))
        return clients[-1]

    config = configuration(ca)
    config.pairs, config.is_mute = pairs, is_mute
    config.alpn_protocols = alpn or config.alpn_protocols
    server = urlparse(url)
    try:
        async with connect(
            server.hostname, server.port, configuration=config, create_protocol=create
        ) as client:
            # A client is ready a moment before the server has read what it says.
            return await ending(client)
    except ConnectionError:
        return clients[0].terminated.error_code


async def parameters(url, ca):
    """Transport parameters that cannot be: no connection, and the reason given."""
    codes = await asyncio.gather(*(parameter(url, ca, pairs) for pairs in PARAMETERS.values()))
    seen = dict(zip(PARAMETERS, codes))
    right = {what: PARAMETER_CODES.get(what, {PARAMETER}) for what in seen}
    wrong = {what: code for what, code in seen.items() if code not in right[what]}
    assert not wrong, wrong
    return len(seen)


async def frame(url, ca, payload):
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        send_frames(client, payload)
        return await ending(client)


async def harmless(url, ca):
    """Frames that are odd and no more: the connection goes on."""
    async with open_client(url, ca) as client:
        for what, payload in HARMLESS.items():
            send_frames(client, payload)
            answer = await client.fetch("GET", "/headers")
            assert answer.status == 200 and client.terminated is None, (what, client.terminated)
    return len(HARMLESS)


async def frames(url, ca):
    """Frames that cannot be: the connection ends, and the code says why."""
    codes = await asyncio.gather(*(frame(url, ca, payload) for payload, _ in FRAMES.values()))
    seen = dict(zip(FRAMES, codes))
    wrong = {what: code for what, code in seen.items() if code not in FRAMES[what][1]}
    assert not wrong, wrong
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
    return len(seen)


# What is changed in the packets that a client seals: the bits of the first byte that tell them, and how.
# Reserved bits must be zero (RFC 9000 §17.2, §17.3.1), and a path is asked after once keys are agreed (§12.4).
# A packet has frames (§12.4); its number is as long as it gets, for without them there is little to mask.
PACKETS = {
    "reserved bits in the handshake": (0xB0, 0xA0, lambda head, _, frames: (flip(head, 0x0C), frames)),
    "reserved bits afterwards": (0x80, 0x00, lambda head, _, frames: (flip(head, 0x18), frames)),
    "a path asked after in the handshake": (
        0xB0,
        0xA0,
        lambda head, _, frames: (head, (b"\x1a" + bytes(8)).ljust(len(frames), b"\0")),
    ),
    "no frames at all": (
        0x80,
        0x00,
        lambda head, number, _: (flip(head[: -1 - (head[0] & 3)], 3) + number.to_bytes(4), b""),
    ),
}
# Frames that have no place in the packets of a handshake (RFC 9000 §12.4), or not so, and what is said about them.
INITIAL, HANDSHAKE = (0xB0, 0x80), (0xB0, 0xA0)
TOO_EARLY = {
    "content in the first packet": (INITIAL, stream(0), PROTOCOL),
    "the end of the handshake in the first packet": (INITIAL, b"\x1e", PROTOCOL),
    "a frame nobody knows in the first packet": (INITIAL, b"\x21", ENCODING),
    "a handshake that begins far ahead": (INITIAL, var(0x06) + var(1 << 20) + var(1) + b"x", CRYPTO_BUFFER),
    "content in the handshake": (HANDSHAKE, stream(0), PROTOCOL),
    "room in the handshake": (HANDSHAKE, var(0x10) + var(5), PROTOCOL),
    "an ID in the handshake": (HANDSHAKE, var(0x18) + var(1) + var(0) + b"\x08" + bytes(24), PROTOCOL),
    "an end of early data in the handshake": (
        HANDSHAKE,
        var(0x06) + var(0) + var(4) + b"\5\0\0\0",
        UNEXPECTED_MESSAGE,
    ),
    "new keys as in TLS in the handshake": (
        HANDSHAKE,
        var(0x06) + var(0) + var(5) + b"\x18\0\0\1\0",
        UNEXPECTED_MESSAGE,
    ),
}
# The same of early data: handshake bytes, and a goodbye of the application's.
EARLY = [b"\x06\0\1x", b"\x1d\0\0"]
SEAL = CryptoPair.encrypt_packet


def flip(head, bits):
    return bytes([head[0] | bits]) + head[1:]


@contextlib.contextmanager
def changed(mask, kind, change):
    """Changes packets of a kind before they are sealed."""

    def seal(pair, header, frames, number):
        if header[0] & mask == kind:
            header, frames = change(header, number, frames)
        return SEAL(pair, header, frames, number)

    CryptoPair.encrypt_packet = seal
    yield
    CryptoPair.encrypt_packet = SEAL


async def packets(url, ca):
    """Packets that cannot be: the connection ends with PROTOCOL_VIOLATION."""
    seen = {}
    for what, how in PACKETS.items():
        with changed(*how):
            seen[what] = await parameter(url, ca, [])
    wrong = {what: code for what, code in seen.items() if code != PROTOCOL}
    assert not wrong, wrong
    return len(seen)


async def handshake(url, ca):
    """Frames before their time."""
    seen = {}
    for what, ((mask, kind), frames, _) in TOO_EARLY.items():
        own = lambda head, _, old, frames=frames: (head, frames.ljust(len(old), b"\0"))
        with changed(mask, kind, own):
            seen[what] = await parameter(url, ca, [])
    wrong = {what: code for what, code in seen.items() if code != TOO_EARLY[what][2]}
    assert not wrong, wrong
    return len(seen)


async def optimistic(url, ca):
    """A client that acknowledges what it may not have got yet, among it a number that was left out (RFC 9000 §21.4)."""
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/bytes?n=3000000", keep=False)).status == 200
        seen = client._quic._loss.spaces[-1].ack_queue
        last = seen[-1].stop - 1
        send_frames(client, var(0x02) + var(last) + var(0) + var(0) + var(last))
        return await ending(client)


async def early(url, ca):
    """Early data with what has no place in it, by a client that has been here before."""
    codes = []
    for frames in EARLY:
        tickets = []
        config = configuration(ca)
        async with open_client(url, ca, config, session_ticket_handler=tickets.append) as client:
            assert (await client.fetch("GET", "/headers")).status == 200
            await until(lambda: tickets, "no ticket")
        config = configuration(ca)
        config.session_ticket = tickets.pop()
        own = lambda head, _, old: (head, frames.ljust(len(old), b"\0"))
        with changed(0xB0, 0x90, own):
            async with open_client(url, ca, config, wait_connected=False) as client:
                client.request("GET", "/headers")
                codes.append(await ending(client))
    return codes


async def keys(url, ca):
    """New keys before the last ones were acknowledged (RFC 9001 §6.1), and a client without parameters (§8.2)."""
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        # Once is as it should be.
        client._quic.request_key_update()
        assert (await client.fetch("GET", "/headers")).status == 200
        for _ in range(2):
            client._quic._cryptos[Epoch.ONE_RTT].update_key()
            client._quic.send_ping(1)
            client.transmit()
        code = await ending(client)
        assert code == KEY_UPDATE, code
    code = await parameter(url, ca, [], is_mute=True)
    assert code == MISSING_EXTENSION, code
    return 3


async def alpn(url, ca):
    """A client that speaks something else is told so (RFC 9001 §8.1)."""
    return await parameter(url, ca, [], ["hq-interop"])


def main():
    name, url, ca = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca))))


main()
