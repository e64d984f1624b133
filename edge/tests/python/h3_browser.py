"""A page and an event stream in headless Chromium over HTTP/3: `h3_browser.py URL CERTIFICATE READY`.

Says "connected" once events come, waits for the file READY to be there, and goes on.
"""

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from urllib.parse import urlparse

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

QUIET = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --disable-extensions"
).split()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pin(certificate):
    with open(certificate, "rb") as file:
        leaf = x509.load_pem_x509_certificate(file.read())
    key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class Browser:
    def __init__(self, url, certificate, profile):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL
        )
        origin = urlparse(url).netloc
        arguments = QUIET + [
            f"--user-data-dir={profile}",
            f"--origin-to-force-quic-on={origin}",
            f"--ignore-certificate-errors-spki-list={pin(certificate)}",
            "--host-resolver-rules=MAP localhost 127.0.0.1",
        ]
        options = {"args": arguments, "binary": "/usr/bin/chromium"}
        limit = time.monotonic() + 20
        while True:
            try:
                session = self.ask(
                    "POST",
                    "/session",
                    {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}},
                )
                break
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError) or time.monotonic() > limit:
                    raise
                time.sleep(0.1)
        self.session = f"/session/{session['sessionId']}"

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.ask("POST", self.session + "/url", {"url": url})

    def run(self, script):
        body = {"script": script, "args": []}
        return self.ask("POST", self.session + "/execute/sync", body)

    def until(self, script, seconds=10):
        limit = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < limit, script
            time.sleep(0.05)
        return value

    def close(self):
        try:
            self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(10)


def main():
    url, certificate, ready = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(url, certificate, profile)
        try:
            browser.open(url + "/headers")
            page = browser.run("return performance.getEntriesByType('navigation')[0].nextHopProtocol")
            browser.run(
                "window.seen = 0; window.errors = 0;"
                "window.source = new EventSource('/sse?interval_ms=100');"
                "source.onmessage = () => seen++; source.onerror = () => errors++;"
            )
            browser.until("return seen > 3")
            print("connected", file=sys.stderr, flush=True)
            limit = time.monotonic() + 20
            while not os.path.exists(ready):
                assert time.monotonic() < limit, "nobody is ready"
                time.sleep(0.02)
            before = browser.run("return seen")
            browser.until(f"return seen > {before} + 5")
            browser.run("fetch('/headers').then(answer => answer.text()).then(text => window.text = text)")
            browser.until("return window.text")
            errors = browser.run("return errors")
            browser.run("source.close()")
            hops = browser.until(
                "const hops = performance.getEntriesByType('resource')"
                "  .filter(entry => entry.name.includes('/headers') || entry.name.includes('/sse'))"
                "  .map(entry => entry.nextHopProtocol);"
                "return hops.length > 1 && hops"
            )
            print(json.dumps({"page": page, "resources": hops, "errors": errors}))
        finally:
            browser.close()


main()
