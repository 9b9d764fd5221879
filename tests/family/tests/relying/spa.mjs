// The npm package oidc-client-ts in Chromium, as OpenCloud's web client uses it: the application and the provider at one
// origin behind a proxy that ends TLS, silent renewal in a frame, the session watched by the provider's page, a sign-out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as ask } from 'node:http';
import { createServer } from 'node:https';
import { ADDRESS, SITE, freshPage, listening, signIn, withBrowser } from './browser.mjs';
import { LIBRARY, answer, html, library, manager } from './spa-page.mjs';

const settings = {
  authority: SITE,
  client_id: 'web',
  redirect_uri: `${SITE}/oidc-callback.html`,
  silent_redirect_uri: `${SITE}/oidc-silent-redirect.html`,
  post_logout_redirect_uri: `${SITE}/`,
  scope: 'openid profile email',
  response_mode: 'query',
  loadUserInfo: false,
};
const own = {
  '/': html(manager(settings)),
  '/oidc-callback.html': html(manager(settings), 'arrived(manager.signinRedirectCallback());'),
  '/oidc-silent-redirect.html': html(manager(settings), 'manager.signinSilentCallback();'),
  [LIBRARY]: library,
};
const [host, port] = ADDRESS.split(':');
const tls = { cert: readFileSync(process.env.CERTIFICATE), key: readFileSync(process.env.CERTIFICATE_KEY) };
const front = createServer(tls, (incoming, outgoing) => {
  const { url: path, method } = incoming;
  const page = own[path.split('?')[0]];
  if (page) return answer(outgoing, page);
  const headers = { ...incoming.headers, 'x-forwarded-for': incoming.socket.remoteAddress };
  const passedOn = ask({ host, port, path, method, headers }, (answered) => {
    answered.pipe(outgoing.writeHead(answered.statusCode, answered.headers));
  });
  passedOn.on('error', () => outgoing.destroy());
  return incoming.pipe(passedOn);
});
const address = await listening(front, new URL(SITE).port);

/** Signs in from the application's page. */
async function begin(tab) {
  await tab.goto(`${SITE}/`);
  await tab.evaluate(() => { manager.signinRedirect(); });
  await tab.waitForURL(/signin\/v1\/identifier/);
  await signIn(tab, settings.redirect_uri);
  const user = await tab.evaluate(() => window.done);
  await tab.goto(`${SITE}/`);
  return user;
}

await withBrowser({ [new URL(SITE).host]: address }, async (browser) => {
  const tab = await freshPage(browser);
  const user = await begin(tab);
  assert.equal(user.profile.preferred_username ?? 'einstein', 'einstein');
  assert.ok(user.profile.sid && user.session_state && !user.refresh_token, 'what the session is watched by');
  console.log('sign-in by a redirect');

  const renewed = await tab.evaluate(() => manager.signinSilent());
  assert.equal(renewed.profile.sub, user.profile.sub);
  assert.notEqual(renewed.access_token, user.access_token);
  assert.equal(renewed.profile.sid, user.profile.sid);
  console.log('silent renewal in a frame');

  await tab.waitForFunction(() => window.replies.filter((reply) => reply === 'unchanged').length > 1);
  assert.deepEqual(await tab.evaluate(() => window.events), [], 'nothing is raised while the session lasts');
  const other = await tab.context().newPage();
  await other.goto(`${SITE}/signin/v1/identifier/_/endsession`);
  await other.locator('form button[type=submit]').first().click();
  await tab.waitForFunction(() => window.events.includes('signed out'));
  console.log('a sign-out in another tab raises userSignedOut');

  await begin(tab);
  const back = tab.waitForEvent('framenavigated', (frame) => frame.url() === settings.post_logout_redirect_uri);
  await tab.evaluate(() => { manager.signoutRedirect(); });
  await back;
  await tab.waitForLoadState();
  const silent = await tab.evaluate(() => manager.signinSilent().then(() => 'signed in', ({ error }) => error));
  assert.equal(silent, 'login_required');
  console.log('a sign-out leads back to the application, and nobody is signed in');
});
front.close();
