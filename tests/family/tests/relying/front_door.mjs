// The quick start as a new user meets it: the printed URL, the sign-in, an app token that works, and its end; then the same
// without scripts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';

const LABEL = 'Calendar on my phone';

/** The status of a request with an app token. */
function curl(token, path) {
  const format = ['--silent', '--insecure', '--noproxy', '*', '--output', '/dev/null', '--write-out', '%{http_code}'];
  return execFileSync('curl', [...format, '--user', `${LOGIN}:${token}`, `${SITE}${path}`], { encoding: 'utf8' });
}

/** Makes an app token on its page; returns the secret. */
async function makeToken(page) {
  await page.goto(`${SITE}/account/tokens`);
  await page.fill('input[name=label]', LABEL);
  await page.locator('form[aria-labelledby=create] button[type=submit]').click();
  return page.locator('code#secret').innerText();
}

async function withScripts(browser) {
  const page = await freshPage(browser);
  await page.goto(SITE);
  await inspect(page, 'sign-in');
  await enter(page, LOGIN, 'not the password');
  await page.getByRole('alert').waitFor();
  await inspect(page, 'sign-in-again');
  await page.fill('input[name=password]', PASSWORD);
  await page.getByRole('button', { name: 'Show password' }).click();
  assert.equal(await page.getAttribute('input[name=password]', 'type'), 'text', 'the password is shown');
  await page.locator('input[name=password]').press('Enter');
  await page.waitForURL(`${SITE}/`);
  await inspect(page, 'front-page');

  await page.goto(`${SITE}/account`);
  await inspect(page, 'account');
  for (const name of ['profile', 'password', 'sessions', 'connected', 'activity']) {
    await page.goto(`${SITE}/account/${name}`);
    await inspect(page, name);
  }
  await page.goto(`${SITE}/account/tokens`);
  await inspect(page, 'tokens-none');
  const token = await makeToken(page);
  await inspect(page, 'token-created');
  assert.equal(curl(token, '/account'), '200');
  console.log('the app token opens the edge');

  await page.goto(`${SITE}/account/tokens`);
  await page.getByText(LABEL).waitFor();
  assert.ok(!(await page.content()).includes(token), 'the token is shown once');
  await inspect(page, 'tokens');
  await page.locator('button#revoke-1').click();
  await page.getByRole('status').waitFor();
  await inspect(page, 'token-revoked');
  assert.equal(curl(token, '/account'), '401');
  console.log('the revoked app token is refused');

  await page.goto(`${SITE}/there-is-no-such-page`);
  await inspect(page, 'not-found');
  await signOut(page, 'sign-out');
}

async function withoutScripts(browser) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, locale: 'en-GB' });
  const page = await context.newPage();
  await page.goto(`${SITE}/account`);
  await enter(page, LOGIN, PASSWORD);
  await page.waitForURL(`${SITE}/account`);
  const token = await makeToken(page);
  assert.equal(curl(token, '/account'), '200');
  await page.goto(`${SITE}/account/tokens`);
  await page.locator('button#revoke-1').click();
  await page.getByRole('status').waitFor();
  assert.equal(curl(token, '/account'), '401');
  await signOut(page);
  console.log('the same without scripts');
}

await withBrowser({}, async (browser) => {
  await withScripts(browser);
  await withoutScripts(browser);
});
