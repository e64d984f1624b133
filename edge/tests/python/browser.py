"""Headless Chromium, driven by chromedriver."""

import base64
import hashlib
import json
import socket
import subprocess
import time
import urllib.request

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
    """One of its own: `certificates` are taken for good ones, `arguments` are the test's."""

    def __init__(self, certificates, profile, arguments=()):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL
        )
        pins = ",".join(map(pin, certificates))
        arguments = QUIET + [
            f"--user-data-dir={profile}",
            f"--ignore-certificate-errors-spki-list={pins}",
            "--host-resolver-rules=MAP *localhost 127.0.0.1",
            *arguments,
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
