// The three flows of OpenCloud's document on authorization, with the addresses, parameters and calls as it writes them.
import assert from 'node:assert/strict';
import { LOGIN, SITE, application, withBrowser } from './browser.mjs';
import { browse, curl, hold, say, told } from './transcript.mjs';

const CLIENT = 'OpenCloudDesktop';
const SCOPE = 'openid+profile+email+offline_access';
const NONCE = 'pL3UkpAQPZ8bTMGYOmxHY/dQABin8yrqipZ7iN0PY18=';
const BACK = 'http://localhost:8080';
const app = await application();

const authorize = (type, { client = CLIENT, back = BACK, more = '' } = {}) =>
  `${SITE}/signin/v1/identifier/_/authorize?client_id=${client}&scope=${SCOPE}&response_type=${type}&redirect_uri=${back}${more}`;

const redeem = (code, { client = CLIENT, back = BACK } = {}) => curl(`curl -vk -X POST ${SITE}/konnect/v1/token \\
-d "grant_type=authorization_code" \\
-d "code=${code}" \\
-d "redirect_uri=${back}" \\
-d "client_id=${client}"`);

const refresh = (token) => curl(`curl -vk -X POST ${SITE}/konnect/v1/token \\
-d "grant_type=refresh_token" \\
-d "refresh_token=${token}" \\
-d "redirect_uri=${BACK}" \\
-d "client_id=${CLIENT}"`);

/** What the document shows of an answer with tokens. */
function isDocumented(answer, ...names) {
  assert.equal(answer.status, 200);
  hold(answer, 'access_token', 'token_type', 'expires_in', ...names);
  assert.deepEqual([answer.token_type, answer.expires_in], ['Bearer', 300]);
}

async function codeFlow(browser) {
  say('', '## Authorization code flow', '', '### Requesting authorization');
  const { sent, code, scope, state } = await browse(browser, authorize('code'), BACK);
  assert.ok(sent.startsWith(`${BACK}?code=`), 'a code comes in the query');
  assert.deepEqual([...scope.split(' ')].sort(), SCOPE.split('+').sort());
  assert.equal(state, '', 'as nothing was sent');
  say('', '### Requesting an access token');
  const tokens = redeem(code);
  isDocumented(tokens, 'id_token', 'refresh_token');
  say('', '### Refreshing an access token');
  const renewed = refresh(tokens.refresh_token);
  isDocumented(renewed);
  say('', '### Using the access token');
  const person = curl(`curl -vk -H "Authorization: Bearer ${renewed.access_token}" ${SITE}/konnect/v1/userinfo`);
  assert.equal(person.preferred_username, LOGIN);
  say('', '### Replaying the code', '', 'It is rejected, and the tokens issued from it are revoked.');
  assert.deepEqual([redeem(code).error, refresh(renewed.refresh_token).error], ['invalid_grant', 'invalid_grant']);
}

async function otherClients(browser) {
  for (const [client, back] of [['OpenCloudAndroid', 'oc://android.opencloud.eu'], ['OpenCloudIOS', 'oc://ios.opencloud.eu']]) {
    say('', `### With \`${client}\``);
    const { code } = await browse(browser, authorize('code', { client, back }), back);
    isDocumented(redeem(code, { client, back }), 'id_token', 'refresh_token');
  }
}

/** A flow whose answer comes in the fragment. */
async function fragment(browser, type, ...names) {
  say('', `### \`${type.replaceAll('+', ' ')}\``);
  const answer = await browse(browser, authorize(type, { more: `&nonce=${NONCE}` }), BACK);
  assert.ok(answer.sent.startsWith(`${BACK}#`), 'everything comes in the fragment');
  hold(answer, 'scope', 'session_state', 'state', ...names);
  return answer;
}

const TOKEN = ['access_token', 'expires_in', 'token_type'];

await withBrowser({ 'localhost:8080': app.address }, async (browser) => {
  say('# OpenCloud\'s documented flows', '');
  say('The flows of OpenCloud\'s documentation, run by Chromium and curl; the desktop client has a redirect URI on this machine. Codes and tokens');
  say('are shortened. `cargo xtask test` repeats the flows and compares the answers.');
  say('', 'The clients send no PKCE here, so the user confirms each sign-in, even after an earlier consent.');
  await codeFlow(browser);
  await otherClients(browser);
  say('', '## Implicit flow');
  await fragment(browser, 'token', ...TOKEN);
  await fragment(browser, 'id_token+token', 'id_token', ...TOKEN);
  say('', '## Hybrid flow');
  const hybrid = { 'code+token': TOKEN, 'code+id_token': ['id_token'], 'code+id_token+token': ['id_token', ...TOKEN] };
  for (const [type, names] of Object.entries(hybrid)) {
    const { code } = await fragment(browser, type, 'code', ...names);
    isDocumented(redeem(code), 'id_token');
  }
});
app.close();
console.log(told());
