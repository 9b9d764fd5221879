// A client that is not registered: it knows the URL of a resource, and is described by a document of its own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import * as client from 'openid-client';
import { SITE, freshPage, listening, signIn, withBrowser } from './browser.mjs';

let document = {};
let fetched = 0;
const application = createServer((request, response) => {
  if (request.url === '/client.json') {
    fetched += 1;
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=3600' }).end(JSON.stringify(document));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html' }).end('<title>application</title>');
});
const address = await listening(application);
const id = `http://${address}/client.json`;
// as programs on the user's device do, which listen at a port that the system gives them
const callback = `http://localhost:${application.address().port}/callback`;
document = {
  client_id: id,
  client_name: 'Notes Assistant',
  redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
};
const backend = createServer((request, response) => response.end(`reached ${request.url}`));
await listening(backend, Number(process.env.BACKEND_PORT));

/** What the edge answers at a path with this token. */
const ask = (path, token) => fetch(`${SITE}${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });

/** The URL in a parameter of a challenge. */
const parameter = (response, name) => response.headers.get('www-authenticate').match(`${name}="([^"]*)"`)?.[1];

/** Signs the user in with these parameters; the tokens, and what the page of the consent said. */
async function tokensFor(browser, config, more) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  });
  const page = await freshPage(browser);
  await page.goto(url.href);
  const shown = await page.locator('main').innerText();
  const back = new URL(await signIn(page, callback));
  await page.context().close();
  return { shown, ...await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state }) };
}

/** What a script of the application's page, which is of another site, finds out about a resource as MCP clients do. */
async function foundByScript(browser) {
  const page = await freshPage(browser);
  await page.goto(`http://${address}/`);
  const found = await page.evaluate(async ([url, headers]) => {
    // it has no header for which the browser would ask the backend by a preflight
    const refused = await fetch(url, { method: 'POST', body: '{}' });
    const [, metadata] = refused.headers.get('www-authenticate').match('resource_metadata="([^"]*)"');
    const resource = await (await fetch(metadata, { headers })).json();
    const [issuer] = resource.authorization_servers;
    const server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`, { headers })).json();
    const keys = await (await fetch(server.jwks_uri)).json();
    return { status: refused.status, resource: resource.resource, same: server.issuer === issuer, keys: keys.keys.length > 0 };
  }, [`${SITE}/notes/a`, { 'MCP-Protocol-Version': '2025-11-25' }]);
  await page.context().close();
  return found;
}

await withBrowser({}, async (browser) => {
  assert.deepEqual(await foundByScript(browser), { status: 401, resource: `${SITE}/notes`, same: true, keys: true });
  console.log('a script of another site finds the issuer');

  const refused = await ask('/notes/a');
  assert.equal(refused.status, 401);
  const metadata = parameter(refused, 'resource_metadata');
  assert.equal(metadata, `${SITE}/.well-known/oauth-protected-resource/notes`);
  const resource = await (await fetch(metadata)).json();
  assert.equal(resource.resource, `${SITE}/notes`);
  console.log('the challenge leads to the issuer');

  const [issuer] = resource.authorization_servers;
  const config = await client.discovery(new URL(issuer), id, undefined, client.None());
  assert.equal(config.serverMetadata().client_id_metadata_document_supported, true);
  await assert.rejects(client.refreshTokenGrant(config, 'made-up'));
  assert.equal(fetched, 0, 'the token endpoint fetches no document');
  const scope = `${resource.scopes_supported.join(' ')} offline_access`;
  const tokens = await tokensFor(browser, config, { scope, prompt: 'consent', resource: resource.resource });
  assert.equal(fetched, 1);
  assert.ok(tokens.shown.includes('Notes Assistant'), tokens.shown);
  const answer = await ask('/notes/a', tokens.access_token);
  assert.equal(await answer.text(), 'reached /notes/a');
  // the client learns nothing of the user, and the edge knows the user all the same
  const { access_token: bare } = await tokensFor(browser, config, { scope: 'path:/notes:rw', resource: resource.resource });
  assert.equal((await ask('/notes/a', bare)).status, 200);
  console.log('a client of a document signs in, and its token reaches the resource');

  for (const path of ['/other/a', '/plain/a']) {
    const elsewhere = await ask(path, tokens.access_token);
    assert.equal(elsewhere.status, 401, path);
    assert.equal(parameter(elsewhere, 'error'), 'invalid_token', path);
  }
  const { access_token: unnamed } = await tokensFor(browser, config, { scope });
  assert.equal((await ask('/notes/a', unnamed)).status, 401, 'it is for no resource');
  assert.equal((await ask('/plain/a', unnamed)).status, 200, 'this path has no resource of its own');
  console.log('a token for another resource, or for none, is refused');

  const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.equal((await ask('/notes/a', renewed.access_token)).status, 200);
  assert.equal(fetched, 1, 'the document is fresh');
  const wide = await tokensFor(browser, config, {
    scope: 'openid profile user path:/notes:rw path:/other:rw',
    resource: `${SITE}/other`,
  });
  const granted = wide.scope.split(' ');
  assert.ok(granted.includes('path:/notes:rw') && !granted.includes('user') && !granted.includes('path:/other:rw'), wide.scope);
  assert.equal((await ask('/other/a', wide.access_token)).status, 200, 'the rule of this path needs the granted scope');
  assert.equal((await ask('/notes/a', wide.access_token)).status, 401, 'it is for the other resource');
  console.log('a refreshed token is for the resource too, and no other scope of the API is granted');
});
application.close();
backend.close();
