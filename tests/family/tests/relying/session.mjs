// The provider's frame for the session (OpenID Connect Session Management 3.2) in Chromium, at a client of the same site: asked
// by the page that holds it, by a sibling iframe of the client as the standard has it, and by one of another origin.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { SITE, freshPage, listening, signIn, withBrowser } from './browser.mjs';

const CLIENT = 'https://files.cloud.example';
const FOREIGN = 'https://foreign.cloud.example';
const CALLBACK = `${CLIENT}/callback`;
const FRAME = `${SITE}/konnect/v1/session/check-session.html`;
const pages = {
  '/callback': '<title>application</title>',
  '/asks': '<title>asks</title>',
  '/watch': `<title>watch</title><iframe src="${FRAME}"></iframe><iframe name="own" src="/asks"></iframe>
    <iframe name="foreign" src="${FOREIGN}/asks"></iframe>`,
};
const tls = { cert: readFileSync(process.env.CERTIFICATE), key: readFileSync(process.env.CERTIFICATE_KEY) };
const server = createServer(tls, (request, response) => {
  const page = pages[new URL(request.url, CLIENT).pathname];
  response.writeHead(page ? 200 : 404, { 'content-type': 'text/html' }).end(`<!doctype html>${page ?? ''}`);
});
const address = await listening(server);
const query = new URLSearchParams({
  client_id: 'rp-frame',
  response_type: 'code',
  scope: 'openid',
  redirect_uri: CALLBACK,
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
});

/** What the provider's frame, the first one of the page, answers to a window. */
const ask = (frame, question) => frame.evaluate(([text, site]) => new Promise((resolve) => {
  addEventListener('message', ({ data, origin }) => { if (origin === site) resolve(data); }, { once: true });
  const page = window === parent ? window : parent;
  page[0].postMessage(text, site);
  setTimeout(() => resolve('nothing'), 1500);
}), [question, SITE]);

await withBrowser({ 'files.cloud.example:443': address, 'foreign.cloud.example:443': address }, async (browser) => {
  const tab = await freshPage(browser);
  await tab.goto(`${SITE}/signin/v1/identifier/_/authorize?${query}`);
  const sent = new URL(await signIn(tab, CALLBACK));
  const question = `rp-frame ${sent.searchParams.get('session_state')}`;
  await tab.goto(`${CLIENT}/watch`);
  const [own, foreign] = [tab.frame('own'), tab.frame('foreign')];
  assert.equal(await ask(tab.mainFrame(), question), 'unchanged');
  console.log('the page that holds the frame is answered');
  assert.equal(await ask(own, question), 'unchanged');
  assert.equal(await ask(foreign, question), 'nothing');
  console.log('so is a sibling iframe of the client, and none of another origin');
  const other = await tab.context().newPage();
  await other.goto(`${SITE}/signin/v1/identifier/_/endsession`);
  await other.locator('form button[type=submit]').first().click();
  await other.waitForLoadState();
  assert.equal(await ask(own, question), 'changed');
  console.log('after the sign-out the answer is another one');
});
server.close();
