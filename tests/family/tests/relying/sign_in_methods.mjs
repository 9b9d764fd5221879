// The page for sign-in methods: an app is added, recovery codes are made, devices forgotten, and the app is replaced and removed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';
import { code } from './totp.mjs';

/** Confirms the app whose secret the page shows; the recovery codes that follow. */
async function confirm(page, button) {
  const secret = await page.locator('p.code code').innerText();
  await page.fill('input[name=code]', code(secret));
  await page.getByRole('button', { name: button }).click();
  return recoveryCodes(page);
}

/** The recovery codes that the page shows, as the user keeps them: in a file. Then the page for sign-in methods follows. */
async function recoveryCodes(page) {
  await page.getByRole('heading', { name: /recovery codes/i }).waitFor();
  const shown = await page.locator('main li code').allInnerTexts();
  const saved = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Save as a file' }).click();
  const file = readFileSync(await (await saved).path(), 'utf8');
  assert.deepEqual(file.split('\r\n').filter(Boolean), shown);
  await page.locator('main a.button').click();
  await page.getByRole('heading', { name: 'How you sign in' }).waitFor();
  return shown;
}

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  await page.goto(SITE);
  await enter(page, LOGIN, PASSWORD);
  await page.waitForURL(`${SITE}/`);

  // on a narrow screen the navigation is one row, and its last link comes into view by the keyboard
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${SITE}/account`);
  const { height } = await page.locator('nav.top').boundingBox();
  assert.ok(height < 80, `the navigation is ${height} pixels high`);
  const last = page.locator('nav.top a').last();
  await last.focus();
  const box = await last.boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 360, `the focused link is at ${box.x}`);

  await page.getByRole('link', { name: 'Sign-in methods' }).click();
  await page.getByRole('heading', { name: 'How you sign in' }).waitFor();
  await inspect(page, 'sign-in-methods-none');
  await page.getByRole('link', { name: 'Add an app' }).click();
  await page.fill('input[name=code]', '000000');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await inspect(page, 'app-enrolment');
  const first = await confirm(page, 'Add an app');
  assert.equal(first.length, 10);
  await inspect(page, 'sign-in-methods');
  console.log('added the app');

  await page.getByRole('button', { name: 'Make new codes' }).click();
  const second = await recoveryCodes(page);
  assert.ok(!second.includes(first[0]), 'the codes are new ones');
  await signOut(page);
  await page.goto(SITE);
  await enter(page, LOGIN, PASSWORD);
  await page.fill('input[name=code]', second[0]);
  await page.check('input[name=trust]');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${SITE}/`);
  console.log('signed in with a new recovery code');

  await page.goto(`${SITE}/signin/v1/security`);
  await page.getByRole('button', { name: 'Forget all devices' }).click();
  await page.getByRole('status').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Forget all devices' }).count(), 0);
  console.log('forgot the devices');

  await page.getByRole('link', { name: 'Replace the app' }).click();
  await confirm(page, 'Replace the app');
  await page.getByRole('link', { name: 'Remove the app' }).click();
  await page.getByRole('heading', { name: 'Remove the authenticator app?' }).waitFor();
  await inspect(page, 'app-removal');
  await page.getByRole('button', { name: 'Remove the app' }).click();
  await page.getByRole('status').waitFor();
  await page.getByRole('link', { name: 'Add an app' }).waitFor();
  console.log('replaced and removed the app');
});
