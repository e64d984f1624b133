"""Drives ws_server.py through the edge over HTTP/2 (RFC 8441), with hyper-h2 and wsproto.

    ws_h2.py PORT         the CA comes from SSL_CERT_FILE
    ws_h2.py PORT left    opens one and waits to be left

Prints one JSON object of what it saw.
"""

import json
import os
import socket
import ssl
import sys
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import wsproto.frame_protocol as frames

PORT = int(sys.argv[1])


class Connection:
    """One HTTP/2 connection."""

    def __init__(self):
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", PORT), 5)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.socket.settimeout(5)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.events = []
        while self.h2.remote_settings.enable_connect_protocol != 1:
            self.pump()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def pump(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("connection closed")
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.events.append(event)
        self.flush()

    def next(self, stream, *kinds):
        """The next event of one of these kinds on the stream."""
        while True:
            for event in self.events:
                if isinstance(event, kinds) and event.stream_id == stream:
                    self.events.remove(event)
                    return event
            self.pump()

    def open(self, path, *fields):
        stream = self.h2.get_next_available_stream_id()
        head = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "localhost"),
            ("sec-websocket-version", "13"),
        ]
        self.h2.send_headers(stream, head + list(fields))
        self.flush()
        answer = self.next(stream, h2.events.ResponseReceived, h2.events.StreamReset)
        if isinstance(answer, h2.events.StreamReset):
            return stream, {":status": "reset"}
        return stream, dict(answer.headers)


class Socket:
    """WebSocket frames on one stream."""

    def __init__(self, connection, path, *fields):
        self.connection = connection
        self.stream, self.head = connection.open(path, *fields)
        self.protocol = frames.FrameProtocol(client=True, extensions=[])

    def send(self, data):
        h2 = self.connection.h2
        while data:
            room = min(h2.local_flow_control_window(self.stream), h2.max_outbound_frame_size)
            if room == 0:
                self.connection.pump()
                continue
            h2.send_data(self.stream, data[:room])
            data = data[room:]
            self.connection.flush()

    def message(self):
        """(opcode, payload) of the next whole message or control frame."""
        payload = b""
        while True:
            for frame in self.protocol.received_frames():
                part = frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
                payload = part if frame.opcode > 7 else payload + bytes(part)
                if frame.message_finished:
                    return frame.opcode, payload
            event = self.connection.next(
                self.stream, h2.events.DataReceived, h2.events.StreamEnded, h2.events.StreamReset
            )
            if not isinstance(event, h2.events.DataReceived):
                return type(event).__name__, b""
            self.protocol.receive_bytes(event.data)


def main():
    connection = Connection()
    seen = {}
    echo = Socket(connection, "/echo", ("sec-websocket-protocol", "mcp"))
    seen["status"] = echo.head[":status"]
    seen["subprotocol"] = echo.head.get("sec-websocket-protocol")
    seen["accept"] = echo.head.get("sec-websocket-accept")
    big = os.urandom(1 << 20)
    echo.send(echo.protocol.send_data(big))
    seen["mebibyte"] = echo.message() == (frames.Opcode.BINARY, big)
    started = time.monotonic()
    echo.send(echo.protocol.ping(b"here?"))
    seen["pong"] = echo.message() == (frames.Opcode.PONG, b"here?")
    seen["ping_ms"] = (time.monotonic() - started) * 1000
    # Another stream of the same connection at the same time.
    last = Socket(connection, "/close")
    last.send(last.protocol.send_data("x"))
    opcode, payload = last.message()
    seen["server_close"] = [int(opcode), list(payload)]
    last.send(last.protocol.close(4001, "enough"))
    seen["server_end"] = last.message()[0]
    connection.h2.end_stream(last.stream)
    echo.send(echo.protocol.close(3001, "done here"))
    seen["close_echoed"] = echo.message()[0] == frames.Opcode.CLOSE
    seen["end"] = echo.message()[0]
    connection.h2.end_stream(echo.stream)
    connection.flush()
    reader = Socket(connection, "/last")
    seen["client_close"] = json.loads(reader.message()[1])
    seen["refused"] = connection.open("/refuse")[1][":status"]
    stream = connection.h2.get_next_available_stream_id()
    connection.h2.send_headers(stream, [(":method", "CONNECT"), (":authority", "localhost:80")])
    connection.flush()
    answer = connection.next(stream, h2.events.ResponseReceived, h2.events.StreamReset)
    seen["plain_connect"] = dict(answer.headers)[":status"]
    print(json.dumps(seen))


def left():
    echo = Socket(Connection(), "/echo")
    echo.send(echo.protocol.send_data("here"))
    echo.message()
    opcode, payload = echo.message()
    echo.send(echo.protocol.close(payload[0], ""))
    print(json.dumps({"close": [int(opcode), list(payload)], "end": echo.message()[0]}))


left() if sys.argv[2:] else main()
