"""Clients over HTTP/3 whose connections change on the way: `h3_moving.py NAME URL CA [ARGUMENT...]`."""

import asyncio
import json
import os
import socket
import sys
from urllib.parse import urlparse

from h3_client import Client, configuration, open_client
from h3_wire import until


async def rebind(client):
    """Goes on from another port, as behind an address translator that has forgotten the first."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))

    class Forward(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            client.datagram_received(data, addr)

    old = client._transport
    client._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Forward, sock=sock
    )
    old.close()


async def moving(url, ca, rounds="12", active="no"):
    """A stream goes on while its client comes from one port after the other."""
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/sse?interval_ms=20&n=100000")
        await stream.until(lambda exchange: len(exchange.times) > 2)
        for _ in range(int(rounds)):
            await rebind(client)
            if active == "yes":
                client.change_connection_id()
            before = len(stream.times)
            answer = await client.fetch("GET", "/headers", seconds=5)
            assert answer.status == 200, answer.status
            await stream.until(lambda exchange: len(exchange.times) > before + 2, 5)
        assert client.terminated is None and stream.reset is None
    return "ok"


async def uploading(url, ca):
    """Content is on its way up while its client comes from one port after the other."""
    body = os.urandom(2_000_000)
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    async with open_client(url, ca) as client:
        upload = client.request("POST", "/echo", [("content-length", str(len(body)))], end=False)
        for number, piece in enumerate(pieces):
            if number % 4 == 2:
                await rebind(client)
                if number % 8 == 2:
                    client.change_connection_id()
            client.http.send_data(upload.stream, piece, end_stream=number + 1 == len(pieces))
            client.transmit()
            await asyncio.sleep(0.02)
        await upload.until(lambda exchange: exchange.ended.is_set(), 30)
        assert upload.status == 200 and upload.body == body, (upload.status, upload.length)
    return "ok"


async def rekeyed(url, ca):
    """New keys again and again within a download (RFC 9001 §6)."""
    async with open_client(url, ca) as client:
        stream = client.request("GET", "/bytes?n=10000000", keep=False)
        for part in range(1, 6):
            await stream.until(lambda exchange: exchange.length > part * 1_000_000, 30)
            client._quic.request_key_update()
            await client.ping()
        await stream.until(lambda exchange: exchange.ended.is_set(), 30)
        assert stream.length == 10_000_000, stream.length
    return "ok"


async def restarted(url, ca, ready):
    """Early data after the edge was killed and started again: a replay of what there was, and new."""
    tickets, sent = [], []
    async with open_client(url, ca, session_ticket_handler=tickets.append) as client:
        assert (await client.fetch("GET", "/before")).status == 200
        await until(lambda: len(tickets) > 1, "not two tickets")

    def resuming():
        config = configuration(ca)
        config.session_ticket = tickets.pop()
        return open_client(url, ca, config, wait_connected=False)

    async def early(client, path):
        exchange = client.request("GET", path)
        await exchange.until(lambda exchange: exchange.ended.is_set())
        return [exchange.status, client._quic.tls.early_data_accepted]

    transmit = Client.transmit

    def record(client):
        if client._transport is not None:
            send = client._transport.sendto
            client._transport.sendto = lambda data, addr=None: (sent.append(data), send(data, addr))
        Client.transmit = transmit
        client.transmit()

    Client.transmit = record
    async with resuming() as client:
        first = await early(client, "/early")
    print("connected", file=sys.stderr, flush=True)
    await until(lambda: os.path.exists(ready), "nothing happens", 30)
    replay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for data in sent:
        replay.sendto(data, ("127.0.0.1", urlparse(url).port))
    await asyncio.sleep(1)
    async with resuming() as client:
        return [first, await early(client, "/after"), len(sent) > 0]


def main():
    name, url, ca, *more = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca, *more))))


main()
