// A service that is asked about requests, as nginx's auth_request, Traefik and Caddy ask one. It
// writes a line of JSON for every question, and answers by the token alone.
import { createServer } from "node:http";

const port = Number(process.argv[2]);

const answers = {
  none: [401, { "WWW-Authenticate": 'Bearer realm="auth"', "Set-Cookie": "login=1", "X-Inside": "secret" }],
  forbidden: [403, { "X-Reason": "not yours" }],
  teapot: [418, {}],
  moved: [302, { Location: "https://login.example/?rd=/a", "Set-Cookie": "csrf=1" }],
  nowhere: [302, {}],
  fresh: [200, { "X-User": "fresh", "Cache-Control": "private, no-store" }],
  cookie: [204, { "X-User": "cookie", "Set-Cookie": "seen=1" }],
  long: [200, { "X-User": "long" }],
};

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { method, url, headers } = request;
    const body = Buffer.concat(chunks).length;
    console.log(JSON.stringify({ method, url, body, headers }));
    const token = (headers.authorization ?? "Bearer none").replace("Bearer ", "");
    const [status, fields] = answers[token] ?? [200, { "X-User": token, "X-Role": "member" }];
    const delay = { slow: 60_000, later: 400 }[token] ?? 0;
    const content = token === "long" ? "x".repeat(200_000) : "content that nobody reads\n";
    setTimeout(() => {
      response.writeHead(status, fields);
      response.end(status === 204 ? undefined : content);
    }, delay);
  });
}).listen(port, "127.0.0.1", () => console.log(`listening on ${port}`));
