"""What breaks the rules of QUIC itself, and with which code the connection ends (RFC 9000 §20).

    h3_transport.py NAME URL CA
"""

import asyncio
import contextlib
import json
import sys
from urllib.parse import urlparse

from aioquic.asyncio.client import connect
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.tls import Epoch

from h3_client import Client, configuration, open_client
from h3_wire import send_frames, until

var = encode_uint_var
HUGE = (1 << 62) - 1

FLOW_CONTROL, STREAM_LIMIT, STREAM_STATE, FINAL_SIZE = 0x03, 0x04, 0x05, 0x06
ENCODING, PARAMETER, PROTOCOL, CRYPTO_BUFFER = 0x07, 0x08, 0x0A, 0x0D
KEY_UPDATE, MISSING_EXTENSION = 0x0E, 0x16D

# A parameter (RFC 9000 §18.2) that replaces the client's own, or stands twice.
PARAMETERS = {
    "a datagram size below the least": [(0x03, var(1199))],
    "an exponent above the most": [(0x0A, var(21))],
    "a delay above the most": [(0x0B, var(1 << 14))],
    "fewer connection IDs than two": [(0x0E, var(1))],
    "more streams than can be numbered": [(0x08, var((1 << 60) + 1))],
    "a number cut short": [(0x04, b"\x40")],
    "a number with something behind it": [(0x04, var(1000) + b"\0")],
    "a parameter twice": [(0x04, var(1000)), (0x04, var(1000))],
    "a reset token, which servers alone have": [(0x02, bytes(16))],
    "an original connection ID, as of a server": [(0x00, bytes(8))],
    "a retried connection ID, as of a server": [(0x10, bytes(8))],
    "a preferred address, as of a server": [(0x0D, bytes(61))],
    "another connection ID than the packets have": [(0x0F, bytes(8))],
    "a flag with a value": [(0x0C, b"\1")],
    "no connection ID of its own": [(0x0F, None)],
    "more streams to one side than can be numbered": [(0x09, var((1 << 60) + 1))],
    "an idle time cut short": [(0x01, b"\x80")],
}
# More than one answer is right.
PARAMETER_CODES = {"another connection ID than the packets have": {PARAMETER, PROTOCOL}}


def stream(number, offset=0, data=b"x", end=False):
    """A STREAM frame with offset and length (§19.8)."""
    return var(0x0E | end) + var(number) + var(offset) + var(len(data)) + data


# Frames in one packet of an established connection, and what may be said about them.
FRAMES = {
    "a frame nobody knows": (var(0x21), {ENCODING}),
    "a frame cut short": (var(0x06) + var(0) + var(100) + b"x", {ENCODING}),
    "a handshake done by the client": (var(0x1E), {PROTOCOL}),
    "a token from the client": (var(0x07) + var(4) + b"1234", {PROTOCOL}),
    "more streams than can be numbered": (var(0x12) + var((1 << 60) + 1), {ENCODING}),
    "content beyond what was allowed": (stream(4, 1 << 40), {FLOW_CONTROL}),
    "content beyond what can be numbered": (stream(4, HUGE), {ENCODING, FLOW_CONTROL}),
    "a stream beyond what was allowed": (stream(4 << 20), {STREAM_LIMIT}),
    "content on a stream of the server's": (stream(1), {STREAM_STATE}),
    "content on the server's own direction": (stream(3), {STREAM_STATE}),
    "room on a stream that only we send": (var(0x11) + var(2) + var(100), {STREAM_STATE}),
    "a stop of a stream that only we send": (var(0x05) + var(2) + var(0), {STREAM_STATE}),
    # An end before content that has come already is not noticed by quinn, which may (§4.5).
    "content beyond the end": (stream(4, 0, b"ab", True) + stream(4, 5), {FINAL_SIZE}),
    "another end": (stream(4, 0, b"ab", True) + var(0x04) + var(4) + var(0) + var(9), {FINAL_SIZE}),
    "an acknowledgement of what was never sent": (
        var(0x02) + var(1 << 30) + var(0) + var(0) + var(0),
        {PROTOCOL},
    ),
    "an acknowledgement of packets below zero": (
        var(0x02) + var(0) + var(0) + var(0) + var(5),
        {ENCODING},
    ),
    "an ID retired that was never issued": (var(0x19) + var(1 << 20), {PROTOCOL}),
    "an ID without length": (var(0x18) + var(9) + var(0) + b"\0" + bytes(16), {ENCODING}),
    "an ID that retires what is to come": (
        var(0x18) + var(2) + var(3) + b"\x08" + bytes(8 + 16),
        {ENCODING},
    ),
    "an ID longer than there are": (var(0x18) + var(9) + var(0) + b"\x15" + bytes(21 + 16), {ENCODING}),
    "a reset of a stream that only we send": (
        var(0x04) + var(3) + var(0) + var(0),
        {STREAM_STATE},
    ),
    "a stop of a stream that we have not begun": (var(0x05) + var(1) + var(0), {STREAM_STATE}),
    "room on a stream that we have not begun": (var(0x11) + var(1) + var(100), {STREAM_STATE}),
    "a datagram that was not agreed on": (var(0x31) + var(1) + b"x", {PROTOCOL}),
    # The message KeyUpdate of TLS, which QUIC has not (RFC 9001 §6): the alert unexpected_message.
    "new keys as in TLS": (var(0x06) + var(0) + var(5) + b"\x18\0\0\1\0", {0x10A}),
    "streams wanted beyond what can be numbered": (var(0x16) + var((1 << 60) + 1), {STREAM_LIMIT, ENCODING}),
    "streams of one side beyond the same": (var(0x17) + var((1 << 60) + 1), {STREAM_LIMIT, ENCODING}),
    "want of room on a stream that only we send": (var(0x15) + var(3) + var(0), {STREAM_STATE}),
    "a handshake that goes on far ahead": (
        var(0x06) + var(1 << 24) + var(1) + b"x",
        {CRYPTO_BUFFER, PROTOCOL, ENCODING},
    ),
}

# What is odd, and changes nothing: complaints about bounds that are not there, bounds lower than before
# (§4.1, §4.6), an answer to nothing (§8.2.2), an identifier once more (§19.15).
HARMLESS = {
    "want of room that there is": var(0x14) + var(0) + var(0x14) + var(HUGE),
    "want of room on a stream that is not there": var(0x15) + var(400) + var(0) + var(0x15) + var(1) + var(HUGE),
    "want of streams that there are": var(0x16) + var(0) + var(0x17) + var(1 << 60),
    "less room than before": var(0x10) + var(0),
    "fewer streams than before": var(0x12) + var(0) + var(0x13) + var(0),
    "an answer that nobody waits for": var(0x1B) + bytes(8),
    "nothing but padding": bytes(1000),
}

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
