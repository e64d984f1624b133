// Drives a server through the official TypeScript SDK's own client: `sdk_client.mjs URL`. Prints one
// JSON object: the tools, some sums, and how many progress notifications came.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const client = new Client({ name: 'edge-e2e', version: '1' });
const transport = new StreamableHTTPClientTransport(new URL(process.argv[2]));
await client.connect(transport);
const { tools } = await client.listTools();
const sums = [];
for (let i = 0; i < 10; i++) {
  const { content } = await client.callTool({ name: 'add', arguments: { a: i, b: 2 } });
  sums.push(Number(content[0].text));
}
let reports = 0;
await client.callTool({ name: 'progress', arguments: { seconds: 1, interval: 0.05 } }, undefined, {
  onprogress: () => reports++,
});
const session = transport.sessionId;
await transport.terminateSession();
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name).sort(), sums, reports, session }));
