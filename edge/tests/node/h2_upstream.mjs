// A server of HTTP/2 and of nothing else, made with Node's own library.
//
//     h2_upstream.mjs PORT-OR-PATH [STREAMS [CERTIFICATE KEY]]
//
// Every answer says in `x-session` which connection it came over. `/sessions` tells how many there have
// been, and how many requests it has seen for each path.

import { readFileSync } from "node:fs";
import http2 from "node:http2";

const [port, streams = "100", certificate, key] = process.argv.slice(2);
const settings = { maxConcurrentStreams: Number(streams), enableConnectProtocol: true };
const server = certificate
  ? http2.createSecureServer({ settings, cert: readFileSync(certificate), key: readFileSync(key) })
  : http2.createServer({ settings });

let sessions = 0;
let open = 0;
const seen = {};
const waiting = [];

server.on("session", (session) => {
  session.number = ++sessions;
  open += 1;
  session.on("close", () => (open -= 1));
  session.on("error", () => {});
});

const actions = {
  "/hello": (stream, headers) => {
    stream.respond({ ":status": 200, "content-type": "application/json", "x-session": stream.session.number });
    stream.end(JSON.stringify(headers));
  },
  "/health": (stream) => {
    stream.respond({ ":status": 204 });
    stream.end();
  },
  "/sessions": (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(JSON.stringify({ sessions, open, seen }));
  },
  // What is sent comes back as it comes, with trailers at the end.
  "/echo": (stream) => {
    stream.respond({ ":status": 200, "x-session": stream.session.number }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "told" }));
    stream.pipe(stream);
  },
  // Tells of the trailers that came with the request.
  "/trailers": (stream) => {
    let came = null;
    stream.on("trailers", (trailers) => (came = trailers));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/json" });
      stream.end(JSON.stringify(came));
    });
    stream.resume();
  },
  "/events": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    let n = 0;
    const timer = setInterval(() => {
      stream.write(`data: ${++n}\n\n`);
      if (n === 5) {
        clearInterval(timer);
        stream.end();
      }
    }, 150);
    stream.on("close", () => clearInterval(timer));
  },
  "/big": (stream) => {
    const piece = Buffer.alloc(64 * 1024, "x");
    let left = 256;
    const more = () => {
      while (left > 0) {
        left -= 1;
        if (!stream.write(piece)) return stream.once("drain", more);
      }
      stream.end();
    };
    stream.respond({ ":status": 200 });
    more();
  },
  // Answers at the head, whatever the body.
  "/early": (stream) => {
    stream.respond({ ":status": 401 });
    stream.end("no");
  },
  "/hints": (stream) => {
    stream.additionalHeaders({ ":status": 103, link: "</a.css>; rel=preload" });
    stream.respond({ ":status": 200 });
    stream.end("after hints");
  },
  "/reset": (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  "/reset-late": (stream) => {
    stream.respond({ ":status": 200 });
    stream.write("half");
    // `close` would end the stream first, and well.
    setTimeout(() => stream.destroy(new Error("gone")), 100);
  },
  "/refuse": (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
  // Once more has come than anybody keeps for a second attempt.
  "/refuse-late": (stream) => {
    let bytes = 0;
    stream.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes > 100_000) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    });
  },
  "/refuse-once": (stream, headers) => {
    if (seen["/refuse-once"] === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    else actions["/echo"](stream, headers);
  },
  // The connection ends, and this stream was never looked at.
  "/goaway-once": (stream, headers) => {
    if (seen["/goaway-once"] === 1) stream.session.goaway(0, stream.id - 2);
    else actions["/echo"](stream, headers);
  },
  // The connection ends after this stream, which goes on.
  "/goaway-after": (stream) => {
    stream.respond({ ":status": 200, "x-session": stream.session.number });
    stream.write("first ");
    stream.session.goaway(0, stream.id);
    setTimeout(() => stream.end("last"), 500);
  },
  // Breaks the connection without a word.
  "/break": (stream) => stream.session.destroy(),
  "/break-once": (stream, headers) => {
    if (seen["/break-once"] === 1) stream.session.destroy();
    else actions["/echo"](stream, headers);
  },
  // The connection ends after this stream, but the stream gets no answer.
  "/goaway-without": (stream, headers) => {
    if (seen["/goaway-without"] > 1) return actions["/echo"](stream, headers);
    stream.session.goaway(0, stream.id);
    setTimeout(() => stream.session.destroy(), 50);
  },
  "/never": () => {},
  // Answers all who wait at once.
  "/wait": (stream) => waiting.push(stream),
  "/release": (stream) => {
    const there = waiting.splice(0).filter((one) => !one.destroyed);
    const sessionsOf = there.map((one) => one.session.number);
    for (const one of there) {
      one.respond({ ":status": 200, "x-session": one.session.number });
      one.end("released");
    }
    stream.respond({ ":status": 200 });
    stream.end(JSON.stringify(sessionsOf));
  },
};

// Messages of less than 126 bytes come back; a close is answered with its own code.
function webSocket(stream, headers) {
  stream.respond({ ":status": 200, "x-key": String(headers["sec-websocket-key"]) });
  let data = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    data = Buffer.concat([data, chunk]);
    while (data.length >= 6 && data.length >= 6 + (data[1] & 127)) {
      const length = data[1] & 127;
      const payload = Buffer.from(data.subarray(6, 6 + length)).map((byte, i) => byte ^ data[2 + (i % 4)]);
      stream.write(Buffer.concat([Buffer.from([data[0], length]), payload]));
      if ((data[0] & 15) === 8) stream.end();
      data = data.subarray(6 + length);
    }
  });
}

server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  const path = headers[":path"].split("?")[0];
  seen[path] = (seen[path] ?? 0) + 1;
  if (headers[":method"] === "CONNECT") return webSocket(stream, headers);
  const action = actions[path];
  if (action) return action(stream, headers);
  stream.respond({ ":status": 404 });
  stream.end();
});
server.on("error", (error) => {
  throw error;
});
const place = port.startsWith("/") ? { path: port, writableAll: true } : { port: Number(port), host: "127.0.0.1" };
server.listen(place, () => console.log(`listening on ${port}`));
