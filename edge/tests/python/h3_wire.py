"""HTTP/3 as it goes over the wire, for what a client library would not send (RFC 9114, RFC 9204)."""

import asyncio
import time

from aioquic.buffer import encode_uint_var


def frame(kind, payload, length=None):
    length = len(payload) if length is None else length
    return encode_uint_var(kind) + encode_uint_var(length) + payload


def section(lines):
    """A field section of literals (RFC 9204 §4.5.6)."""
    out = bytearray(b"\0\0")
    for name, value in lines:
        out += integer(0x20, 3, len(name)) + name + integer(0, 7, len(value)) + value
    return bytes(out)


def integer(flags, bits, value):
    most = (1 << bits) - 1
    if value < most:
        return bytes([flags | value])
    out, value = bytearray([flags | most]), value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


GET = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"localhost"),
    (b":path", b"/headers"),
]
POST = [(b":method", b"POST")] + GET[1:]


def headers(lines):
    return frame(1, section(lines))


SETTINGS = b"\0" + frame(4, b"")


def send(client, data, end, unidirectional=False):
    stream = client._quic.get_next_available_stream_id(is_unidirectional=unidirectional)
    client._quic.send_stream_data(stream, data, end_stream=end)
    client.transmit()
    return stream


def send_frames(client, payload):
    """QUIC frames as they stand, in a packet of an established connection."""

    def write(builder, uids=(), comment=""):
        # The type of the frame is part of the payload.
        buffer = builder.start_frame(0x01, capacity=len(payload))
        buffer.seek(buffer.tell() - 1)
        buffer.push_bytes(payload)

    client._quic._write_ping_frame = write
    client._quic.send_ping(1)
    client.transmit()
    del client._quic._write_ping_frame


async def until(condition, what, seconds=5):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"{what}: nothing came of it"
        await asyncio.sleep(0.005)
