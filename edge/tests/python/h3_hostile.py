"""Clients over HTTP/3 that follow the rules and mean no good: `h3_hostile.py NAME URL CA [ARGUMENT...]`."""

import asyncio
import contextlib
import json
import socket
import sys
import time
from urllib.parse import urlparse

from aioquic.buffer import Buffer, encode_uint_var as var
from aioquic.h3.connection import H3Connection
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from h3_client import configuration, open_client
from h3_wire import GET, POST, headers, send_frames, until


async def tickets(url, ca, count):
    """So many tickets, each good for one resumption."""
    taken = []
    while len(taken) < count:
        async with open_client(url, ca, session_ticket_handler=taken.append) as client:
            before = len(taken)
            assert (await client.fetch("GET", "/headers")).status == 200
            await until(lambda: len(taken) > before, "no ticket")
    return taken[:count]


def early_flight(ca, address, ticket, requests):
    """The datagrams of a client that begins with requests as they stand on the wire."""
    config = configuration(ca)
    config.session_ticket = ticket
    quic = QuicConnection(configuration=config)
    quic.connect(address, now=time.time())
    H3Connection(quic)
    for request in requests:
        quic.send_stream_data(quic.get_next_available_stream_id(), request, end_stream=True)
    return [data for data, _ in quic.datagrams_to_send(now=time.time())]


async def abandoned(url, ca, count="30"):
    """Requests in early data of clients of whom nothing is heard again."""
    address = ("127.0.0.1", urlparse(url).port)
    for ticket in await tickets(url, ca, int(count)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # One that changes nothing and is answered at once, and two that wait.
            for data in early_flight(ca, address, ticket, [headers(GET), headers(POST), headers(POST)]):
                sock.sendto(data, address)
    return int(count)


async def framed(url, ca, source, count="20"):
    """Malformed requests in early data that seem to come from somebody else, who would be banned for them."""
    address = (urlparse(url).hostname, urlparse(url).port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        for ticket in await tickets(url, ca, int(count)):
            for data in early_flight(ca, address, ticket, [headers(GET[:1]), headers(GET)] * 3):
                sock.sendto(data, address)
    await asyncio.sleep(0.5)
    return "ok"


async def violation(url, ca, source):
    """The same of a connection that has moved there, and breaks the rules of QUIC."""
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind((f"::ffff:{source}", 0))
            client._transport.sendto = lambda data, addr=None: sock.sendto(data, addr)
            client.request("GET", "/headers")
            await asyncio.sleep(0.1)
            # A frame nobody knows.
            send_frames(client, var(0x21))
            await asyncio.sleep(0.5)
            client._transport.sendto = lambda data, addr=None: None
    return "ok"


async def reflected(url, ca, seconds="6"):
    """A connection that seems to move all the time: how much those get who never asked, and for how long."""
    socks = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2)]
    for number, sock in enumerate(socks):
        sock.bind((f"::ffff:127.0.0.{7 + number}", 0))
        sock.setblocking(False)
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        sent, got = [], []
        original = client._transport.sendto
        client._transport.sendto = lambda data, addr=None: (
            socks[len(sent) % 2].sendto(data, addr),
            sent.append(len(data)),
        )
        begun = last = time.monotonic()
        while time.monotonic() - begun < float(seconds):
            client._quic.send_ping(1)
            client.transmit()
            await asyncio.sleep(0.002)
            for sock in socks:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        got.append(len(sock.recv(65535)))
                        # What is no larger than what was sent is no gain.
                        last = time.monotonic() if got[-1] > 200 else last
        client._transport.sendto = original
    return {"sent": sum(sent), "got": sum(got), "seconds": last - begun}


def begin(ca, address, sock):
    """A handshake that goes on no further, after proof of the address where that is wanted; what came last."""
    quic = QuicConnection(configuration=configuration(ca))
    quic.connect(address, now=time.time())
    answer = None
    for _ in range(2):
        for data, _ in quic.datagrams_to_send(now=time.time()):
            sock.sendto(data, address)
        try:
            answer = pull_quic_header(Buffer(data=(data := sock.recv(65535))), host_cid_length=8)
        except TimeoutError:
            return None
        if answer.packet_type != QuicPacketType.RETRY:
            break
        quic.receive_datagram(data, address, now=time.time())
    return answer.packet_type.name


def crowding(url, ca, count="1200"):
    """How many handshakes one client may begin until it has no answer, and what one beside it gets then."""
    address = ("127.0.0.1", urlparse(url).port)

    def begin_from(host):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
            sock.settimeout(0.5)
            return begin(ca, address, sock)

    begun = 0
    while begun < int(count) and begin_from("127.0.0.1"):
        begun += 1
    return [begun, begin_from("127.0.0.9")]


async def elsewhere(url, ca, source):
    """A request that seems to come from another address, where nobody answers: a forged source is no more.

    What a connection of one's own is good for, before the server knows whose the address is (RFC 9000 §9).
    """
    async with open_client(url, ca) as client:
        assert (await client.fetch("GET", "/headers")).status == 200
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind((f"::ffff:{source}", 0))
            client._transport.sendto = lambda data, addr=None: sock.sendto(data, addr)
            client.request("GET", "/forged")
            await asyncio.sleep(0.5)
            client._transport.sendto = lambda data, addr=None: None
    return "ok"


def main():
    name, url, ca, *arguments = sys.argv[1:]
    result = globals()[name](url, ca, *arguments)
    print(json.dumps(asyncio.run(result) if asyncio.iscoroutine(result) else result))


main()
