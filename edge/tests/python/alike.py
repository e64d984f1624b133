"""The same requests over HTTP/1.1, HTTP/2 and HTTP/3: what each of them is answered.

`alike.py URL CA REQUESTS`; requests are objects of `method`, `path`, `fields` and, if there is one, `body`.
`"stays": true` keeps the body open for ever after that; `{via}` stands for the protocol.
"""

import asyncio
import contextlib
import json
import sys

from h3_client import open_client

SECONDS = 40


def named(request, via):
    return [[name, value.replace("{via}", via)] for name, value in request.get("fields", [])]


async def over_curl(via, option, url, ca, request):
    command = ["curl", "--silent", option, "--cacert", ca, "--dump-header", "-", "--path-as-is"]
    command += ["--request", request["method"]]
    body = request.get("body")
    if body is not None:
        # `.` is standard input without waiting for it: answers are read meanwhile.
        command += ["--upload-file", ".", "--header", "Expect:"]
        if any(name == "Content-Length" for name, _ in request.get("fields", [])):
            command += ["--header", "Transfer-Encoding:"]
    for name, value in named(request, via):
        command += ["--header", f"{name}: {value}"]
    pipe = asyncio.subprocess.PIPE
    curl = await asyncio.create_subprocess_exec(
        *command, url + request["path"], stdin=pipe, stdout=pipe, stderr=pipe
    )
    curl.stdin.write((body or "").encode())
    if not request.get("stays"):
        curl.stdin.close()
    output = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            output = await curl.stdout.read()
    with contextlib.suppress(ProcessLookupError):
        curl.kill()
    status = 0
    fields = {}
    while output.startswith(b"HTTP/") and (status == 0 or status < 200):
        head, _, output = output.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), []).append(value.strip())
    return status, {name: ", ".join(values) for name, values in fields.items()}, output


async def over_h3(url, ca, request):
    body = request.get("body")
    async with open_client(url, ca) as client:
        exchange = client.request(
            request["method"],
            request["path"],
            [(name.lower(), value) for name, value in named(request, "h3")],
            (body or "").encode(),
            end=not request.get("stays"),
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await exchange.ended.wait()
    return exchange.status or 0, exchange.fields, bytes(exchange.body)


async def main():
    url, ca, requests = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    some = asyncio.Semaphore(8)

    async def one(request):
        async with some:
            answers = await asyncio.gather(
                over_curl("h1", "--http1.1", url, ca, request),
                over_curl("h2", "--http2", url, ca, request),
                over_h3(url, ca, request),
            )
        return [
            {"status": status, "fields": fields, "body": body.hex()}
            for status, fields, body in answers
        ]

    print(json.dumps(await asyncio.gather(*[one(request) for request in requests])))


asyncio.run(main())
