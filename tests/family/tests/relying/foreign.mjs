// Applications of other sites than the provider's: oidc-client-ts in a page whose frames of other sites get no cookies, and
// a callback that leads the browser on, to another site and from there into an app.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { SITE, fillIn, freshPage, listening, signIn, withBrowser } from './browser.mjs';
import { LIBRARY, answer, html, library, manager } from './spa-page.mjs';

const APPLICATION = 'https://app.example';
const ELSEWHERE = 'https://elsewhere.example';
const settings = {
  authority: SITE,
  client_id: 'rp-page',
  scope: 'openid profile',
  redirect_uri: `${APPLICATION}/callback`,
  silent_redirect_uri: `${APPLICATION}/silent`,
};
const pages = {
  '/': html(manager(settings)),
  '/callback': html(manager(settings), 'arrived(manager.signinRedirectCallback());'),
  '/silent': html(manager(settings), 'manager.signinSilentCallback();'),
  [LIBRARY]: library,
};
const onward = { '/onward': `${ELSEWHERE}/further`, '/further': 'app-of-the-test://signed-in' };
const led = [];
let arrived;
const further = new Promise((resolve) => { arrived = resolve; });
const tls = { cert: readFileSync(process.env.CERTIFICATE), key: readFileSync(process.env.CERTIFICATE_KEY) };
const server = createServer(tls, (request, response) => {
  const { pathname } = new URL(request.url, APPLICATION);
  if (pages[pathname]) return answer(response, pages[pathname]);
  if (!onward[pathname]) return response.writeHead(404).end();
  led.push(`https://${request.headers.host}${pathname}`);
  if (led.length === 2) arrived();
  return response.writeHead(302, { location: onward[pathname] }).end();
});
const address = await listening(server);

await withBrowser({ 'app.example:443': address, 'elsewhere.example:443': address }, async (browser) => {
  const tab = await freshPage(browser);
  await tab.goto(`${APPLICATION}/`);
  await tab.evaluate(() => { manager.signinRedirect(); });
  await tab.waitForURL(/signin\/v1\/identifier/);
  await signIn(tab, settings.redirect_uri);
  assert.ok((await tab.evaluate(() => window.done)).access_token, 'the page redeems the code itself');
  const cookies = await tab.context().cookies(SITE);
  const session = cookies.find(({ name }) => name === '__Host-doorward-session');
  assert.deepEqual([session.secure, session.httpOnly, session.sameSite], [true, true, 'Lax']);
  console.log('sign-in of a page of another site');

  await tab.waitForFunction(() => window.replies.length > 0);
  assert.deepEqual(await tab.evaluate(() => window.replies), ['error'], 'the frame sees no cookies, and says so once');
  assert.deepEqual(await tab.evaluate(() => window.events), [], 'so that nobody is signed out who is signed in');
  console.log('a frame without cookies signs nobody out');

  const popup = await freshPage(browser);
  const complaints = [];
  popup.on('console', (message) => complaints.push(message.text()));
  const query = new URLSearchParams({
    client_id: 'rp-page',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: `${APPLICATION}/onward`,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  });
  await popup.goto(`${SITE}/signin/v1/identifier/_/authorize?${query}`);
  await fillIn(popup);
  await Promise.race([further, popup.waitForTimeout(5000)]);
  assert.deepEqual(led, [`${APPLICATION}/onward`, `${ELSEWHERE}/further`], complaints.join('\n'));
  // whether the app may be opened is judged after the answer
  await popup.waitForTimeout(300);
  assert.ok(!complaints.some((text) => text.includes('Content Security Policy')), complaints.join('\n'));
  console.log('a callback leads on, to another site and into an app');
});
server.close();
