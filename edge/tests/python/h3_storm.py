"""Event streams and requests over HTTP/3 while the server reads its configuration again and again.

    h3_storm.py URL CA CONNECTIONS STREAMS EVENTS

Each connection has so many streams of so many events, one a second, and asks meanwhile fifty times a
second. Prints how many answers came, and what went wrong.
"""

import asyncio
import json
import sys

from h3_client import open_client

PAUSE = 0.02


async def listen(client, events):
    exchange = await client.fetch("GET", f"/sse?interval_ms=1000&n={events}", seconds=events + 30)
    datas = [line[6:] for line in exchange.body.split(b"\n") if line.startswith(b"data: ")]
    numbers = [json.loads(data)["seq"] for data in datas]
    if exchange.reset is not None or numbers != list(range(events)):
        return [f"stream: reset {exchange.reset}, {numbers}"]
    return []


async def ask(client, over):
    answered, failures = 0, []
    while not over.is_set() and not failures:
        exchange = await client.fetch("POST", "/echo", [("content-length", "5")], b"hello", seconds=5)
        if (exchange.status, bytes(exchange.body)) == (200, b"hello"):
            answered += 1
        else:
            failures.append(f"request: {exchange.status} {exchange.reset} {bytes(exchange.body)!r}")
        await asyncio.sleep(PAUSE)
    return answered, failures


async def connection(url, ca, streams, events):
    async with open_client(url, ca) as client:
        over = asyncio.Event()
        asking = asyncio.create_task(ask(client, over))
        listening = await asyncio.gather(*(listen(client, events) for _ in range(streams)))
        over.set()
        answered, failures = await asking
        return answered, failures + [failure for stream in listening for failure in stream]


async def main(url, ca, connections, streams, events):
    running = (connection(url, ca, int(streams), int(events)) for _ in range(int(connections)))
    outcomes = await asyncio.gather(*running)
    failures = [failure for _, failures in outcomes for failure in failures]
    print(json.dumps({"answered": sum(answered for answered, _ in outcomes), "failures": failures}))


asyncio.run(main(*sys.argv[1:]))
