"""A collector: `otlp_collector.py PORT` takes OTLP over HTTP and decodes it with the official messages.

Prints `listening on PORT`, then one JSON line for each span. The first message is answered 503, as
by a collector that is busy: what is sent again must be the same.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

refused = []


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def shown(span, resource):
    return {
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "state": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "error": span.status.code == 2,
        "ms": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
        "ended": span.end_time_unix_nano / 1e9,
        "resource": {pair.key: value(pair.value) for pair in resource.attributes},
        "attributes": {pair.key: value(pair.value) for pair in span.attributes},
    }


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces", self.path
        assert self.headers["content-type"] == "application/x-protobuf", self.headers
        if not refused:
            refused.append(body)
            self.send_response(503)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if len(refused) == 1:
            assert body == refused[0], "something else was sent again"
            refused.append(b"")
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    print(json.dumps(shown(span, resource.resource)), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Collector)
print("listening on", sys.argv[1], flush=True)
server.serve_forever()
