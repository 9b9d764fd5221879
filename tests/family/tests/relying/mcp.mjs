// Clients of the Model Context Protocol as people have them: those of its SDK, in the present version and in the former one. They know
// the URL of a server behind the edge and nothing else, and are described by a document.
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as FormerClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FormerTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LOGIN, SITE, application, freshPage, signIn, withBrowser } from './browser.mjs';
import { Assistant, document } from './mcp_client.mjs';
import { notes } from './mcp_server.mjs';

const PROGRAM = { name: 'Notes Assistant', version: '1' };
const VERSIONS = [
  {
    name: 'SDK 2',
    client: () => new Client(PROGRAM, { versionNegotiation: { mode: 'auto' } }),
    transport: (url, options) => new StreamableHTTPClientTransport(url, options),
    // it verifies the issuer of the answer
    finish: (transport, answer) => transport.finishAuth(answer),
    atOnce: 4,
  },
  {
    name: 'SDK 1',
    client: () => new FormerClient(PROGRAM),
    transport: (url, options) => new FormerTransport(url, options),
    finish: (transport, answer) => transport.finishAuth(answer.get('code')),
    // it gives up where a call is refused after another one has renewed the tokens
    atOnce: 1,
  },
];

const described = await document();
const app = await application();
const server = await notes(Number(process.env.BACKEND_PORT));
const assistant = () => new Assistant(described.id, `${app.url}/callback`);

/** Connects to the server at a path. An error has the transport, at which the sign-in is finished. */
async function connect(sdk, path, options) {
  const [client, transport] = [sdk.client(), sdk.transport(new URL(`${SITE}${path}`), options)];
  try {
    await client.connect(transport);
  } catch (error) {
    throw Object.assign(error, { transport });
  }
  return client;
}

/** What the tool answers, to each of so many calls at once. */
async function call(client, times = 1) {
  const calls = Array.from({ length: times }, () => client.callTool({ name: 'whoami', arguments: {} }));
  const answers = (await Promise.all(calls)).map(({ content }) => content[0].text);
  assert.equal(new Set(answers).size, 1, `${answers}`);
  return answers[0];
}

/** Uses the tool, for which the user has to sign in once; the parameters of the authorization request. */
async function signInFor(browser, sdk, path, authProvider) {
  const refused = await connect(sdk, path, { authProvider }).then(() => assert.fail('no sign-in is needed'), (error) => error);
  assert.equal(refused.constructor.name, 'UnauthorizedError', `${refused.stack}`);
  const { searchParams: asked, href } = authProvider.authorization;
  const page = await freshPage(browser);
  await page.goto(href);
  const { searchParams: answer } = new URL(await signIn(page, authProvider.redirectUrl));
  await page.context().close();
  assert.equal(answer.get('state'), asked.get('state'));
  await sdk.finish(refused.transport, answer);
  const client = await connect(sdk, path, { authProvider });
  assert.equal(await call(client), `${LOGIN} at ${path}`);
  await client.close();
  return asked;
}

async function walk(browser, sdk) {
  const known = assistant();
  const asked = await signInFor(browser, sdk, '/notes/mcp', known);
  assert.equal(asked.get('resource'), `${SITE}/notes`);
  assert.equal(asked.get('code_challenge_method'), 'S256');
  assert.equal(asked.get('client_id'), described.id);
  console.log(`${sdk.name}: a tool answers after the sign-in, without registration`);

  const client = await connect(sdk, '/notes/mcp', { authProvider: known });
  known.spoilToken();
  assert.equal(await call(client, sdk.atOnce), `${LOGIN} at /notes/mcp`);
  await client.close();
  console.log(`${sdk.name}: calls renew the tokens`);

  const requestInit = { headers: { authorization: `Bearer ${known.tokens().access_token}` } };
  assert.equal(await call(await connect(sdk, '/notes/mcp', { requestInit })), `${LOGIN} at /notes/mcp`);
  const reached = server.requests();
  const isRefused = ({ code, data }) => [code, data?.status].includes(401);
  await assert.rejects(connect(sdk, '/other/mcp', { requestInit }), isRefused);
  assert.equal(server.requests(), reached);
  console.log(`${sdk.name}: its token for another resource is refused`);

  const other = await signInFor(browser, sdk, '/other/mcp', assistant());
  assert.ok(other.get('scope').split(' ').includes('path:/notes:rw'), other.get('scope'));
  console.log(`${sdk.name}: it asks for the scope of the access rule, which the metadata does not name`);

  const stepping = assistant();
  const first = await signInFor(browser, sdk, '/steps/mcp', stepping);
  assert.ok(!first.get('scope').includes('path:/steps:rw'), first.get('scope'));
  const second = await signInFor(browser, sdk, '/steps/write/mcp', stepping);
  for (const scope of ['openid', 'profile', 'path:/steps:rw']) assert.ok(second.get('scope').split(' ').includes(scope), scope);
  console.log(`${sdk.name}: the user grants the scope that a token lacks`);
}

await withBrowser({}, async (browser) => {
  for (const sdk of VERSIONS) await walk(browser, sdk);
});
for (const one of [described, app, server]) one.close();
