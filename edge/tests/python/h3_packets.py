"""QUIC packets without a client behind them: `h3_packets.py NAME URL CA [ARGUMENT...]`."""

import asyncio
import json
import os
import socket
import struct
import sys
import time
from urllib.parse import urlparse

from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from aioquic.buffer import Buffer

from h3_client import configuration, open_client


def server(url):
    host = urlparse(url).hostname
    return ("127.0.0.1" if host == "localhost" else host, urlparse(url).port)


def first_flight(ca, url):
    """The datagrams of a client that has just begun, which is never heard of again."""
    client = QuicConnection(configuration=configuration(ca))
    client.connect(server(url), now=time.time())
    return [data for data, _ in client.datagrams_to_send(now=time.time())]


def receive(sock, seconds):
    """Everything that comes within that time."""
    datagrams = []
    limit = time.monotonic() + seconds
    while (left := limit - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            datagrams.append(sock.recv(65535))
        except TimeoutError:
            break
    return datagrams


def udp(source="127.0.0.1"):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((source, 0))
    return sock


def negotiation(url, ca):
    """A version that nobody speaks is answered with those there are, if the datagram is of size."""
    sock = udp()
    source, target = os.urandom(8), os.urandom(8)
    packet = b"\xc0" + bytes.fromhex("1a2a3a4a") + b"\x08" + target + b"\x08" + source
    sock.sendto(packet + bytes(1200 - len(packet)), server(url))
    [answer] = receive(sock, 1)
    header = pull_quic_header(Buffer(data=answer))
    assert header.packet_type == QuicPacketType.VERSION_NEGOTIATION, header
    assert header.destination_cid == source and header.source_cid == target, header
    assert 1 in header.supported_versions, header
    sock.sendto(packet + bytes(1000 - len(packet)), server(url))
    for hello in first_flight(ca, url):
        sock.sendto(hello[:1100], server(url))
    sock.sendto(os.urandom(1200), server(url))
    sock.sendto(b"", server(url))
    sock.sendto(b"\x40", server(url))
    assert receive(sock, 0.5) == [], "an answer to what deserves none"
    return "ok"


def amplification(url, ca):
    """Until a client has shown that it is where it says, it gets three times what it sent.

    And less than one datagram more: quinn compares before it sends, not after.
    """
    sock = udp()
    hello = first_flight(ca, url)
    for datagram in hello:
        sock.sendto(datagram, server(url))
    answer = receive(sock, 4)
    sent, got = sum(map(len, hello)), sum(map(len, answer))
    assert 0 < got < 3 * sent + 1200, (sent, got)
    return {"sent": sent, "got": got}


def tokens(url, ca):
    """What a token is good for: the address and port that it was given to, as it was given (RFC 9000 §8.1)."""

    def attempt(sock, retry=None, token=b""):
        config = configuration(ca)
        config.token = token
        client = QuicConnection(configuration=config)
        if retry is not None:
            client._peer_cid.cid = retry.source_cid
        client.connect(server(url), now=time.time())
        for data, _ in client.datagrams_to_send(now=time.time()):
            sock.sendto(data, server(url))
        sock.settimeout(2)
        data = sock.recv(65535)
        client.receive_datagram(data, server(url), now=time.time())
        header = pull_quic_header(Buffer(data=data), host_cid_length=8)
        end = client._close_event and client._close_event.error_code
        return header, [header.packet_type.name, end]

    retry, first = attempt(udp())
    token = retry.token
    spoilt = token[:-1] + bytes([token[-1] ^ 1])
    rows = {
        "another port": (udp(), retry, token),
        "another address": (udp("127.0.0.9"), retry, token),
        "spoilt": (udp(), retry, spoilt),
        "invented": (udp(), None, os.urandom(57)),
    }
    return {"nothing": first} | {what: attempt(*row)[1] for what, row in rows.items()}


async def forgotten(url, ca, ready):
    """A connection whose server has been started anew is told so, by a token it was given before."""
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        tokens = [client._quic._peer_cid.stateless_reset_token]
        tokens += [cid.stateless_reset_token for cid in client._quic._peer_cid_available]
        print("connected", file=sys.stderr, flush=True)
        while not os.path.exists(ready):
            await asyncio.sleep(0.02)
        seen = []
        receive = client.datagram_received
        client.datagram_received = lambda data, addr: (seen.append(data), receive(data, addr))
        limit = time.monotonic() + 5
        while not any(data[-16:] in tokens for data in seen):
            assert time.monotonic() < limit, f"{len(seen)} datagrams, and none says so"
            client._quic.send_ping(1)
            client.transmit()
            await asyncio.sleep(0.1)
    return "ok"


def flood(url, ca, count="3000"):
    """Clients from all over, of whom nothing is heard after their first datagram."""
    sent = 0
    for n in range(int(count)):
        sock = udp(f"127.{n % 200 + 1}.{n // 200 % 200}.{n % 250 + 1}")
        for datagram in first_flight(ca, url):
            sock.sendto(datagram, server(url))
            sent += 1
        sock.close()
    return {"datagrams": sent}


def checksum(data):
    """RFC 1071, of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def spoofed(url, ca, count="6000", distinct="300"):
    """First datagrams from addresses all over, sent past the socket layer: nobody lives there."""
    target = socket.inet_aton(urlparse(url).hostname)
    port = urlparse(url).port
    flights = [first_flight(ca, url)[0] for _ in range(int(distinct))]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sent = 0
    for n in range(int(count)):
        data = flights[n % len(flights)]
        source = socket.inet_aton(f"11.{n % 250}.{n // 250 % 250}.{n % 199 + 1}")
        length = 8 + len(data)
        udp_header = struct.pack("!HHHH", 1024 + n % 60000, port, length, 0)
        pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)
        body = udp_header + data
        total = checksum(pseudo + body + bytes(len(body) % 2)) or 0xFFFF
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + source + target
        try:
            raw.sendto(packet + udp_header[:6] + struct.pack("!H", total) + data, (urlparse(url).hostname, 0))
            sent += 1
        except OSError:
            time.sleep(0.001)
    return {"datagrams": sent}


def main():
    name, url, ca, *arguments = sys.argv[1:]
    result = globals()[name](url, ca, *arguments)
    if asyncio.iscoroutine(result):
        result = asyncio.run(result)
    print(json.dumps(result))


main()
