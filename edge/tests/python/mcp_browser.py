"""A page in headless Chromium that is an MCP client: `mcp_browser.py PAGE SERVER CERTIFICATE...`.

The page at PAGE runs the client for the server at SERVER, of another origin, in both eras and once
without leave. Prints what it found out, as JSON.
"""

import json
import sys
import tempfile

from browser import Browser


def main():
    page, server, *certificates = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(certificates, profile)
        try:
            browser.open(f"{page}#{server}")
            print(json.dumps(browser.until("return window.found", 30)))
        finally:
            browser.close()


main()
