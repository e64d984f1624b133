// A server made with the official TypeScript SDK that has everything the conformance suite asks of
// one: `conformance_server.mjs PORT`. Prints `listening on PORT` once it accepts.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

const port = Number(process.argv[2]);

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

const text = (text) => ({ type: 'text', text });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri, mimeType, text) => ({ type: 'resource', resource: { uri, mimeType, text } });
const object = (properties = {}, required = []) => ({ type: 'object', properties, required });
const string = { type: 'string' };

/** Asks the user behind the client. */
async function elicit(extra, message, requestedSchema, name) {
  const request = { method: 'elicitation/create', params: { message, requestedSchema } };
  const { action, content } = await extra.sendRequest(request, types.ElicitResultSchema);
  return [text(`${name}: action=${action}, content=${JSON.stringify(content ?? {})}`)];
}

const titled = (...names) => names.map((title, i) => ({ const: `value${i + 1}`, title }));

/** Tools by name: the schema of their arguments, and what they answer. */
const TOOLS = {
  test_simple_text: [object(), () => [text('This is a simple text response for testing.')]],
  test_image_content: [object(), () => [image]],
  test_audio_content: [object(), () => [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }]],
  test_embedded_resource: [
    object(),
    () => [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  ],
  test_multiple_content_types: [
    object(),
    () => [
      text('Multiple content types test:'),
      image,
      resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  ],
  test_tool_with_logging: [
    object(),
    async (_, extra) => {
      for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
        const params = { level: 'info', data };
        await extra.sendNotification({ method: 'notifications/message', params });
        await wait(50);
      }
      return [text('logged')];
    },
  ],
  test_error_handling: [
    object(),
    () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  ],
  test_tool_with_progress: [
    object(),
    async (_, extra) => {
      const progressToken = extra._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          const params = { progressToken, progress, total: 100 };
          await extra.sendNotification({ method: 'notifications/progress', params });
        }
        await wait(50);
      }
      return [text('done')];
    },
  ],
  test_sampling: [
    object({ prompt: string }, ['prompt']),
    async ({ prompt }, extra) => {
      const messages = [{ role: 'user', content: text(prompt) }];
      const request = { method: 'sampling/createMessage', params: { messages, maxTokens: 100 } };
      const { content } = await extra.sendRequest(request, types.CreateMessageResultSchema);
      return [text(`LLM response: ${content.text}`)];
    },
  ],
  test_elicitation: [
    object({ message: string }, ['message']),
    ({ message }, extra) => {
      const wanted = object({ username: string, email: string }, ['username', 'email']);
      return elicit(extra, message, wanted, 'User response');
    },
  ],
  test_elicitation_sep1034_defaults: [
    object(),
    (_, extra) => {
      const wanted = object({
        name: { ...string, default: 'John Doe' },
        age: { type: 'integer', default: 30 },
        score: { type: 'number', default: 95.5 },
        status: { ...string, enum: ['active', 'inactive', 'pending'], default: 'active' },
        verified: { type: 'boolean', default: true },
      });
      return elicit(extra, 'Who is it?', wanted, 'Elicitation completed');
    },
  ],
  test_elicitation_sep1330_enums: [
    object(),
    (_, extra) => {
      const plain = ['option1', 'option2', 'option3'];
      const wanted = object({
        untitledSingle: { ...string, enum: plain },
        titledSingle: { ...string, oneOf: titled('First Option', 'Second Option', 'Third Option') },
        legacyEnum: {
          ...string,
          enum: ['opt1', 'opt2', 'opt3'],
          enumNames: ['Option One', 'Option Two', 'Option Three'],
        },
        untitledMulti: { type: 'array', items: { ...string, enum: plain } },
        titledMulti: {
          type: 'array',
          items: { anyOf: titled('First Choice', 'Second Choice', 'Third Choice') },
        },
      });
      return elicit(extra, 'Which is it?', wanted, 'Elicitation completed');
    },
  ],
  test_reconnection: [
    object(),
    async (_, extra) => {
      extra.closeSSEStream?.();
      await wait(300);
      return [text('Reconnected.')];
    },
  ],
  json_schema_2020_12_tool: [
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { type: 'object', properties: { street: string, city: string } } },
      properties: { name: string, address: { $ref: '#/$defs/address' } },
      additionalProperties: false,
    },
    () => [text('checked')],
  ],
};

const RESOURCES = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched.' },
};

const user = (content) => ({ role: 'user', content });
const PROMPTS = {
  test_simple_prompt: [[], () => [user(text('This is a simple prompt for testing.'))]],
  test_prompt_with_arguments: [
    ['arg1', 'arg2'],
    ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  ],
  test_prompt_with_embedded_resource: [
    ['resourceUri'],
    ({ resourceUri }) => [
      user(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
      user(text('Please process the embedded resource above.')),
    ],
  ],
  test_prompt_with_image: [[], () => [user(image), user(text('Please analyze the image above.'))]],
};

function unknown(what) {
  return new types.McpError(types.ErrorCode.InvalidParams, `unknown ${what}`);
}

function makeServer() {
  const capabilities = {
    completions: {},
    logging: {},
    prompts: {},
    resources: { subscribe: true },
    tools: {},
  };
  const server = new Server({ name: 'edge-conformance', version: '1' }, { capabilities });
  const handle = (schema, handler) => server.setRequestHandler(schema, handler);
  handle(types.ListToolsRequestSchema, () => ({
    tools: Object.entries(TOOLS).map(([name, [inputSchema]]) => ({
      name,
      description: `For the conformance suite: ${name}`,
      inputSchema,
    })),
  }));
  handle(types.CallToolRequestSchema, async ({ params }, extra) => {
    const tool = TOOLS[params.name];
    if (!tool) throw unknown('tool');
    try {
      return { content: await tool[1](params.arguments ?? {}, extra) };
    } catch (error) {
      return { isError: true, content: [text(error.message)] };
    }
  });
  handle(types.ListResourcesRequestSchema, () => ({
    resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({
      uri,
      name: uri,
      description: `For the conformance suite: ${uri}`,
      mimeType,
    })),
  }));
  handle(types.ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }],
  }));
  handle(types.ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    const found = id ? { mimeType: 'application/json', text: data } : RESOURCES[uri];
    if (!found) throw unknown('resource');
    return { contents: [{ uri, ...found }] };
  });
  handle(types.SubscribeRequestSchema, () => ({}));
  handle(types.UnsubscribeRequestSchema, () => ({}));
  handle(types.ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, [names]]) => ({
      name,
      description: `For the conformance suite: ${name}`,
      arguments: names.map((name) => ({ name, required: true })),
    })),
  }));
  handle(types.GetPromptRequestSchema, ({ params }) => {
    const prompt = PROMPTS[params.name];
    if (!prompt) throw unknown('prompt');
    return { messages: prompt[1](params.arguments ?? {}) };
  });
  handle(types.CompleteRequestSchema, () => ({
    completion: { values: ['paris', 'park', 'party'], total: 3, hasMore: false },
  }));
  return server;
}

/** Keeps the events of all streams, so that a client that comes back gets what it missed. */
class Events {
  events = [];

  async storeEvent(stream, message) {
    return `${stream}_${this.events.push({ stream, message }) - 1}`;
  }

  async replayEventsAfter(lastEventId, { send }) {
    const cut = lastEventId.lastIndexOf('_');
    const stream = lastEventId.slice(0, cut);
    for (let at = Number(lastEventId.slice(cut + 1)) + 1; at < this.events.length; at++) {
      const { stream: of, message } = this.events[at];
      if (of === stream) await send(`${stream}_${at}`, message);
    }
    return stream;
  }
}

const sessions = new Map();
const LOCAL = ['localhost', '127.0.0.1'];

createServer(async (request, response) => {
  // The SDK's own check wants the port as well, which behind a proxy is the proxy's.
  if (!LOCAL.includes(request.headers.host?.split(':')[0])) {
    response.writeHead(403).end();
    return;
  }
  const id = request.headers['mcp-session-id'];
  let transport = sessions.get(id);
  if (!transport) {
    if (id) {
      response.writeHead(404).end();
      return;
    }
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id),
      eventStore: new Events(),
      retryInterval: 200,
    });
    await makeServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}).listen(port, '127.0.0.1', () => console.log('listening on', port));
