"""Large bodies over HTTP/3, and what becomes of them when something on the way fails.

    h3_faults.py NAME URL CA [ARGUMENT...]    prints one JSON value

Whatever does not happen as it should is an assertion that fails.
"""

import asyncio
import contextlib
import json
import sys

from h3_client import Exchange, configuration, open_client

# What the demo server's bodies consist of, and more of it than comes in one piece.
PATTERN = b"abcdefghijklmnopqrstuvwxyz"
LONG = PATTERN * 8000


class Checked(Exchange):
    """Content is held against the pattern as it comes, and not kept."""

    def __init__(self):
        super().__init__()
        self.keep, self.wrong_at = False, None

    def data(self, data, ended):
        start = self.length % len(PATTERN)
        if data != LONG[start : start + len(data)] and self.wrong_at is None:
            self.wrong_at = self.length
        super().data(data, ended)


async def down(url, ca, megabytes, seconds):
    """A body comes whole and unchanged."""
    size = int(megabytes) * 1_000_000
    async with open_client(url, ca) as client:
        answer = client.request("GET", f"/bytes?n={size}", exchange=Checked())
        await answer.until(lambda answer: answer.ended.is_set(), int(seconds))
    assert (answer.status, answer.length, answer.wrong_at) == (200, size, None), vars(answer)
    return "ok"


async def up(url, ca, megabytes, seconds):
    """A body arrives: the server has compared it, and says how long it was."""
    size = int(megabytes) * 1_000_000
    body = (PATTERN * (size // len(PATTERN) + 1))[:size]
    async with open_client(url, ca) as client:
        fields = [("content-length", str(size))]
        answer = await client.fetch("POST", "/upload", fields, body, seconds=int(seconds))
    assert (answer.status, bytes(answer.body)) == (200, str(size).encode()), vars(answer)
    return "ok"


def vanish(client):
    """Hears nothing and says nothing any more; its socket stays, so that nobody else says so."""
    client.datagram_received = lambda data, addr: None
    client.transmit = lambda: None


async def vanishing(url, ca, count):
    """Clients that are gone in the middle of a download or of an upload."""
    async with contextlib.AsyncExitStack() as stack:
        for number in range(int(count)):
            client = await stack.enter_async_context(open_client(url, ca))
            if number % 2:
                exchange = client.request("GET", "/bytes?n=4000000000", keep=False)
                await exchange.until(lambda exchange: exchange.length > 500_000)
            else:
                fields = [("content-length", "4000000000")]
                exchange = client.request("POST", "/echo", fields, bytes(500_000), end=False)
                sender = client._quic._streams[exchange.stream].sender
                async with asyncio.timeout(10):
                    while sender._buffer_start < 400_000:
                        await asyncio.sleep(0.01)
            vanish(client)
        print("gone", file=sys.stderr, flush=True)
        await asyncio.sleep(15)
    return "ok"


async def cut(url, ca):
    """The server resets its connection while a body is on its way there: the client is told, and that
    nobody wants the rest. The connection goes on."""
    seen = []
    async with open_client(url, ca) as client:
        for _ in range(3):
            answer = client.request("POST", "/", [], bytes(3_000_000), end=False)
            await answer.until(lambda answer: answer.ended.is_set())
            seen.append([answer.status, answer.stopped])
        assert client.terminated is None, client.terminated
    return seen


async def stalling(url, ca):
    """A client that gives no more credit, until the server has had enough; the connection goes on."""
    config = configuration(ca, max_stream_data=200_000)
    async with open_client(url, ca, config) as client:
        client._quic._write_stream_limits = lambda *args, **kwargs: None
        answer = client.request("GET", "/bytes?n=50000000", keep=False)
        async with asyncio.timeout(10):
            await answer.ended.wait()
        assert (await client.fetch("GET", "/headers")).status == 200
    return {"code": answer.reset, "length": answer.length}


def main():
    name, url, ca, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(globals()[name](url, ca, *arguments))))


main()
