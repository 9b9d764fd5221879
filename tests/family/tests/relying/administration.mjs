// The administration pages: an administrator creates a user, finds and disables one who is signed in, and reads what has happened.
// An administrator with a second factor has to use it there.
import assert from 'node:assert/strict';
import { LOGIN, PASSWORD, SITE, USER, USER_PASSWORD, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';
import { code } from './totp.mjs';

const ADMIN = `${SITE}/admin`;

/** Signs in on the way to a page. */
async function signedIn(browser, url, login, password) {
  const page = await freshPage(browser);
  await page.goto(url);
  await enter(page, login, password);
  await page.waitForURL((now) => now.pathname === new URL(url).pathname || now.href.startsWith(url));
  return page;
}

async function createUser(page) {
  await page.goto(`${ADMIN}/users/new`);
  await inspect(page, 'admin-new-user');
  await page.fill('input[name=username]', 'noether');
  await page.fill('input[name=display_name]', 'Emmy Noether');
  await page.fill('input[name=mail]', 'noether@example.org');
  await page.locator('main form[method=post] button[type=submit]').first().click();
  await page.getByRole('heading', { name: 'Emmy Noether' }).waitFor();
  await inspect(page, 'admin-user');
  console.log('created a user');
}

async function look(page) {
  for (const name of ['users', 'groups', 'tokens', 'clients', 'service-accounts', 'keys', 'sessions', 'audit', 'health']) {
    await page.goto(`${ADMIN}/${name}`);
    await inspect(page, `admin-${name}`);
  }
  await page.goto(`${ADMIN}/users`);
  await page.fill('input[name=q]', 'NOETH');
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: /noether/i }).first().waitFor();
  console.log('saw all pages, and found the user');
}

/** Adds a client, changes it, gives it another secret and removes it. */
async function manageClient(page) {
  await page.goto(`${ADMIN}/clients/new`);
  await inspect(page, 'admin-new-client');
  await page.fill('input[name=name]', 'Files');
  await page.fill('textarea[name=redirect_uris]', 'https://files.example/#fragment');
  await page.getByRole('button', { name: 'Add client' }).click();
  await page.getByRole('alert').waitFor();
  await page.fill('textarea[name=redirect_uris]', 'https://files.example/callback');
  await page.getByRole('button', { name: 'Add client' }).click();
  const first = await page.locator('code#secret').innerText();
  await inspect(page, 'admin-client-secret');
  await page.getByRole('link', { name: 'Show the client' }).click();
  await inspect(page, 'admin-client');
  assert.ok(!(await page.content()).includes(first), 'the secret is shown once');
  const path = new URL(page.url()).pathname;
  await page.check('input[name=trusted]');
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByRole('status').waitFor();
  assert.match(await page.locator('textarea[name=metadata]').inputValue(), /"consent": "trusted"/);
  await page.goto(`${SITE}${path}/secret`);
  await inspect(page, 'admin-client-rotate');
  await page.locator('main form[method=post] button[type=submit]').click();
  assert.notEqual(await page.locator('code#secret').innerText(), first);
  await page.goto(`${SITE}${path}/remove`);
  await page.fill('input[name=id]', decodeURIComponent(path.split('/').pop()));
  await page.locator('main form[method=post] button[type=submit]').click();
  await page.getByRole('status').waitFor();
  await page.goto(`${ADMIN}/keys`);
  await page.getByRole('link', { name: /^New key for RS256$/ }).click();
  await page.getByRole('button', { name: 'Make key' }).click();
  await page.getByRole('status').waitFor();
  console.log('managed a client and a key');
}

/** Adds a service account, gives it another secret, and removes the first one. */
async function manageServiceAccount(page) {
  await page.goto(`${ADMIN}/service-accounts/new`);
  await inspect(page, 'admin-new-service-account');
  await page.fill('input[name=id]', 'backup');
  await page.getByRole('button', { name: 'Add service account' }).click();
  const first = await page.locator('code#secret').innerText();
  await inspect(page, 'admin-service-account-secret');
  await page.getByRole('link', { name: 'Show the service account' }).click();
  await inspect(page, 'admin-service-account');
  assert.ok(!(await page.content()).includes(first), 'the secret is shown once');
  await page.goto(`${ADMIN}/service-accounts/of/backup/secret`);
  await inspect(page, 'admin-service-account-add-secret');
  await page.getByRole('button', { name: 'Add a secret' }).click();
  assert.notEqual(await page.locator('code#secret').innerText(), first);
  await page.getByRole('link', { name: 'Show the service account' }).click();
  assert.equal(await page.getByRole('link', { name: /^Remove the secret/ }).count(), 2);
  await page.getByRole('link', { name: /^Remove the secret/ }).first().click();
  await inspect(page, 'admin-service-account-remove-secret');
  await page.locator('main form[method=post] button[type=submit]').click();
  await page.getByRole('status').waitFor();
  assert.equal(await page.getByRole('link', { name: /^Remove the secret/ }).count(), 1);
  console.log('managed a service account');
}

/** Disables a user; returns when the page has said so. */
async function disable(page, login) {
  await page.goto(`${ADMIN}/users?q=${login}`);
  await page.getByRole('link', { name: login }).first().click();
  const user = new URL(page.url()).pathname;
  for (const name of ['roles', 'password', 'profile', 'access', 'activity', 'disable']) {
    await page.goto(`${SITE}${user}/${name}`);
    await inspect(page, `admin-user-${name}`);
  }
  await page.locator('main form[method=post] button[type=submit]').first().click();
  await page.getByRole('status').waitFor();
}

await withBrowser({}, async (browser) => {
  const user = await signedIn(browser, `${SITE}/account`, USER, USER_PASSWORD);
  await user.goto(ADMIN);
  await inspect(user, 'admin-refused');
  assert.equal(await user.getByRole('link', { name: 'Users' }).count(), 0, 'others see no administration');

  const page = await signedIn(browser, `${ADMIN}/users`, LOGIN, PASSWORD);
  await createUser(page);
  await look(page);
  await manageClient(page);
  await manageServiceAccount(page);
  await disable(page, USER);
  const begun = Date.now();
  await user.goto(`${SITE}/account`);
  assert.match(user.url(), /signin\/v1\/identifier/, 'the disabled user is signed out');
  assert.ok(Date.now() - begun < 1000, 'within a second');
  console.log('disabled a signed-in user');

  // a second factor, and a session without it: the device is trusted, so that the password alone signs in
  await page.goto(`${SITE}/signin/v1/security/app`);
  const secret = await page.locator('p.code code').innerText();
  await page.fill('input[name=code]', code(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /recovery codes/i }).waitFor();
  const [recovery] = await page.locator('main li code').allInnerTexts();
  await signOut(page);
  await page.goto(`${SITE}/account`);
  await enter(page, LOGIN, PASSWORD);
  await page.fill('input[name=code]', recovery);
  await page.check('input[name=trust]');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${SITE}/account`);
  await signOut(page);
  await page.goto(`${SITE}/account`);
  await enter(page, LOGIN, PASSWORD);
  await page.waitForURL(`${SITE}/account`);
  await page.goto(`${ADMIN}/users`);
  await page.locator('input[name=code]').waitFor();
  await page.fill('input[name=code]', code(secret, 1));
  await page.keyboard.press('Enter');
  await page.waitForURL(`${ADMIN}/users`);
  console.log('stepped up for the administration');
});
