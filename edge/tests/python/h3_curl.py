"""HTTP/3 as curl speaks it, over ngtcp2 and BoringSSL: `h3_curl.py URL CA` prints one JSON value."""

import json
import os
import sys
import time

from curl_cffi import Curl, CurlHttpVersion, requests


def main():
    url, ca = sys.argv[1:]
    with requests.Session(http_version=CurlHttpVersion.V3ONLY, verify=ca, timeout=30) as session:

        def ask(method, path, **more):
            answer = session.request(method, url + path, **more)
            assert answer.http_version == CurlHttpVersion.V3, answer.http_version
            return answer

        seen = ask("GET", "/headers").json()
        assert seen["headers"]["via"] == ["3.0 edge"], seen
        body = os.urandom(3_000_000)
        assert ask("POST", "/echo", data=body).content == body
        assert len(ask("GET", "/bytes?n=20000000").content) == 20_000_000
        head = ask("HEAD", "/bytes?n=1234")
        assert (head.headers["content-length"], head.content) == ("1234", b""), head.headers
        assert ask("GET", "/nowhere").status_code == 404

        times = []
        stream = ask("GET", "/sse?interval_ms=100&n=5", stream=True)
        for piece in stream.iter_content():
            times.append(time.monotonic())
        assert len(times) >= 5 and times[-1] - times[0] > 0.3, times
    print(json.dumps(Curl().version().decode().split()))


main()
