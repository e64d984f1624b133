"""What breaks the rules of QUIC: parameters and frames, and the codes that may be said about them (RFC 9000 §20)."""

from aioquic.buffer import encode_uint_var

var = encode_uint_var
HUGE = (1 << 62) - 1

FLOW_CONTROL, STREAM_LIMIT, STREAM_STATE, FINAL_SIZE = 0x03, 0x04, 0x05, 0x06
ENCODING, PARAMETER, ID_LIMIT, PROTOCOL, CRYPTO_BUFFER = 0x07, 0x08, 0x09, 0x0A, 0x0D
KEY_UPDATE, UNEXPECTED_MESSAGE, DECODE, MISSING_EXTENSION = 0x0E, 0x10A, 0x132, 0x16D

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
    # The message KeyUpdate of TLS, which QUIC has not (RFC 9001 §6), nor EndOfEarlyData (§8.3).
    "new keys as in TLS": (var(0x06) + var(0) + var(5) + b"\x18\0\0\1\0", {UNEXPECTED_MESSAGE}),
    "an end of early data as in TLS": (var(0x06) + var(0) + var(4) + b"\5\0\0\0", {UNEXPECTED_MESSAGE}),
    "a hello once more": (var(0x06) + var(0) + var(4) + b"\1\0\0\0", {UNEXPECTED_MESSAGE, DECODE}),
    "handshake bytes beyond what can be numbered": (
        var(0x06) + var(HUGE) + var(1) + b"x",
        {CRYPTO_BUFFER, ENCODING},
    ),
    "more IDs than there is room for": (
        b"".join(
            var(0x18) + var(8 + n) + var(0) + b"\x08" + bytes([n]) * (8 + 16) for n in range(1, 30)
        ),
        {ID_LIMIT},
    ),
    "a reset beyond what was allowed": (var(0x04) + var(4) + var(0) + var(1 << 40), {FLOW_CONTROL}),
    "a reset below what has come": (stream(4, 0, b"abcd") + var(0x04) + var(4) + var(0) + var(2), {FINAL_SIZE}),
    "content of many streams beyond what was allowed": (
        b"".join(stream(4 * n, 1_000_000) for n in range(1, 5)),
        {FLOW_CONTROL},
    ),
    "a stream of one side beyond what was allowed": (stream(2 + 4 * 8), {STREAM_LIMIT}),
    "a stop of what the client sends": (var(0x05) + var(2) + var(0), {STREAM_STATE}),
    "an acknowledgement cut short": (var(0x02) + var(0) + var(0) + var(1 << 40) + var(0), {ENCODING}),
    "a goodbye cut short": (var(0x1C) + var(0) + var(0) + var(500) + b"x", {ENCODING}),
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
    "what is said of a request that is over": var(0x04)
    + var(0)
    + var(0)
    + var(10_000)
    + var(0x05)
    + var(0)
    + var(0)
    + var(0x11)
    + var(0)
    + var(HUGE),
}
