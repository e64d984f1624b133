// Drives stateful servers behind one name through the official TypeScript SDK's own client:
// `sdk_sessions.mjs URL TRANSPORT SESSIONS CALLS`. Opens SESSIONS sessions at once, calls the tool
// `count` CALLS times in each, and prints one JSON list: for each session the answers.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [url, kind, sessions, calls] = process.argv.slice(2);

async function session() {
  const Transport = kind === 'sse' ? SSEClientTransport : StreamableHTTPClientTransport;
  const transport = new Transport(new URL(url));
  const client = new Client({ name: 'edge-e2e', version: '1' });
  await client.connect(transport);
  const answers = [];
  for (let i = 0; i < Number(calls); i++) {
    const { content } = await client.callTool({ name: 'count', arguments: {} });
    answers.push(content[0].text);
  }
  await transport.terminateSession?.();
  await client.close();
  return answers;
}

console.log(JSON.stringify(await Promise.all(Array.from({ length: Number(sessions) }, session))));
