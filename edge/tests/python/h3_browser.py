"""A page and an event stream in headless Chromium over HTTP/3: `h3_browser.py URL CERTIFICATE READY`.

Says "connected" once events come, waits for the file READY to be there, and goes on.
"""

import json
import os
import sys
import tempfile
import time
from urllib.parse import urlparse

from browser import Browser


def main():
    url, certificate, ready = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        quic = f"--origin-to-force-quic-on={urlparse(url).netloc}"
        browser = Browser([certificate], profile, [quic])
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
