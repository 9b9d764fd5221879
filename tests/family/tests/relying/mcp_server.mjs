// An MCP server with one tool, which has no authentication of its own: the edge stands in front of it.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { listening } from './browser.mjs';

/** The user whom the edge names, and the path. */
function caller({ headers, url }) {
  if (headers.has('authorization')) return 'the edge has forwarded the token of the client';
  const [, claims] = headers.get('x-access-token').split('.');
  const { user } = JSON.parse(Buffer.from(claims, 'base64url'));
  return `${user.username} at ${new URL(url).pathname}`;
}

/** Serves at this port. */
export async function notes(port) {
  let requests = 0;
  const handler = createMcpHandler(({ requestInfo }) => {
    const server = new McpServer({ name: 'Notes', version: '1' });
    const answer = () => ({ content: [{ type: 'text', text: caller(requestInfo) }] });
    server.registerTool('whoami', { description: 'Who calls' }, answer);
    return server;
  });
  const server = createServer(async (request, response) => {
    requests += 1;
    const { headers, method, url } = request;
    const body = method === 'POST' ? await buffer(request) : undefined;
    const answer = await handler.fetch(new Request(`http://127.0.0.1:${port}${url}`, { method, headers, body }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) Readable.fromWeb(answer.body).pipe(response);
    else response.end();
  });
  await listening(server, port);
  return { requests: () => requests, close: () => server.close() };
}
