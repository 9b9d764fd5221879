// The pages of the provider that the quick start does not show: consent, its refusal, the choice of an account, signing in again,
// connecting a device, the applications with access, and a request that is not valid.
import assert from 'node:assert/strict';
import { LOGIN, PASSWORD, SECRET, SITE, application, freshPage, proceed, withBrowser } from './browser.mjs';
import { enter, inspect } from './pages.mjs';

const client = await application();
const back = `${client.url}/callback`;

/** The URL of an authorization request. */
function authorization(parameters) {
  const query = new URLSearchParams({
    client_id: 'rp-basic',
    response_type: 'code',
    scope: 'openid profile email offline_access',
    redirect_uri: back,
    state: 'a-state',
    ...parameters,
  });
  return `${SITE}/signin/v1/identifier/_/authorize?${query}`;
}

/** What the client receives. */
async function response(page) {
  await page.waitForURL((url) => url.href.startsWith(back));
  return new URL(page.url()).searchParams;
}

async function consent(page) {
  await page.goto(authorization({}));
  await enter(page, LOGIN, PASSWORD);
  await page.locator('button[value=deny]').waitFor();
  await inspect(page, 'consent');
  await page.locator('button[value=deny]').click();
  assert.equal((await response(page)).get('error'), 'access_denied');
  await page.goto(authorization({}));
  await page.locator('button[value=allow]').click();
  assert.ok((await response(page)).get('code'));
  console.log('consent is refused, then given');
}

async function again(page) {
  await page.goto(authorization({ prompt: 'select_account' }));
  await inspect(page, 'account-choice');
  await page.goto(authorization({ prompt: 'login' }));
  await inspect(page, 'sign-in-reason');
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await response(page)).get('error'), 'access_denied');
  await page.goto(authorization({ redirect_uri: `${client.url}/elsewhere` }));
  await inspect(page, 'request-not-valid');
  console.log('an account is chosen, and a new sign-in cancelled');
}

async function device(page) {
  const authenticated = { authorization: `Basic ${Buffer.from(`rp-basic:${SECRET}`).toString('base64')}` };
  const metadata = await (await fetch(`${SITE}/.well-known/openid-configuration`)).json();
  const post = async (url, parameters) => {
    const answered = await fetch(url, { method: 'POST', headers: authenticated, body: new URLSearchParams(parameters) });
    return answered.json();
  };
  const begun = await post(metadata.device_authorization_endpoint, { scope: 'openid profile' });
  await page.goto(begun.verification_uri);
  await inspect(page, 'device-code');
  await page.fill('input[name=user_code]', begun.user_code);
  await proceed(page);
  await inspect(page, 'device-confirmation');
  await proceed(page);
  await inspect(page, 'device-connected');
  const redeemed = await post(metadata.token_endpoint, {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: begun.device_code,
  });
  assert.ok(redeemed.access_token, JSON.stringify(redeemed));
  await page.goto(`${SITE}/signin/v1/consents`);
  await inspect(page, 'applications-with-access');
  console.log('a device is connected');
}

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  await consent(page);
  await again(page);
  await device(page);
});
client.close();
