// Method 1 of Cells' document on authentication: each client and each redirect URI that it names, at the endpoints it names.
import assert from 'node:assert/strict';
import { SITE, application, freshPage, withBrowser } from './browser.mjs';
import { browse, curl, hold, say, told } from './transcript.mjs';

const SCOPE = 'openid+email+profile+pydio+offline';
const app = await application();

const authorize = (client, back) =>
  `${SITE}/oidc/oauth2/auth?client_id=${client}&scope=${SCOPE}&response_type=code&redirect_uri=${back}&state=9Jm2vPqL`;

async function walk(browser, client, back) {
  say('', `### \`${client}\`, \`${back}\``);
  const { code, state, shown } = await browse(browser, authorize(client, back), back);
  assert.equal(state, '9Jm2vPqL');
  const tokens = curl(`curl -v -k -X POST ${SITE}/oidc/oauth2/token \\
-d "grant_type=authorization_code" -d "client_id=${client}" -d "redirect_uri=${back}" \\
-d "code=${code}"`);
  assert.equal(tokens.status, 200);
  hold(tokens, 'access_token', 'token_type', 'expires_in', 'id_token', 'refresh_token', 'scope');
  return { code, tokens, shown };
}

await withBrowser({ 'localhost:3000': app.address, 'localhost:3636': app.address, 'localhost:3666': app.address }, async (browser) => {
  say('# Cells\' documented flows', '');
  say('Method 1 of Cells\' documentation, run by Chromium and curl with all default clients and redirect URIs. Codes and tokens');
  say('are shortened. `cargo xtask test` repeats the flows and compares the answers.');
  say('', 'None of these clients sends PKCE, so the user confirms each sign-in that returns to a program on the machine.');
  say('', '## OIDC configuration URL', '', 'The documented members of the answer:');
  const documented = ['issuer', 'authorization_endpoint', 'token_endpoint'];
  const metadata = curl(`curl -v -k ${SITE}/oidc/.well-known/openid-configuration`, documented);
  assert.equal(metadata.issuer, `${SITE}/oidc`);
  assert.equal(metadata.authorization_endpoint, `${SITE}/oidc/oauth2/auth`);
  assert.equal(metadata.token_endpoint, `${SITE}/oidc/oauth2/token`);

  say('', '## Default clients');
  const { tokens } = await walk(browser, 'cells-sync', 'http://localhost:3636');
  for (const back of ['http://localhost:3666', 'http://localhost:3000']) await walk(browser, 'cells-sync', back);
  await walk(browser, 'cells-mobile', 'cellsauth://serverName');
  await walk(browser, 'cells-client', 'http://localhost:3636');
  const { code, shown } = await walk(browser, 'cells-client', `${SITE}/oauth/oob`);
  assert.ok(shown.text.replaceAll('\n', '').includes(code), `the page shows the code: ${shown.text}`);

  say('', '## Using and renewing the token');
  const person = curl(`curl -v -k -H "Authorization: Bearer ${tokens.access_token}" ${SITE}/oidc/userinfo`);
  assert.equal(person.status, 200);
  const renewed = curl(`curl -v -k -X POST ${SITE}/oidc/oauth2/token \\
-d "grant_type=refresh_token" -d "client_id=cells-sync" -d "refresh_token=${tokens.refresh_token}"`);
  hold(renewed, 'access_token', 'refresh_token');

  const page = await freshPage(browser);
  await page.goto(authorize('cells-sync', 'http://localhost:3667'));
  assert.equal(new URL(page.url()).origin, SITE, 'a port outside of the range is told of here, and not sent anything');
});
app.close();
console.log(told());
