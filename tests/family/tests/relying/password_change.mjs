// A user who is signed in with two browsers changes the password in one of them.
import assert from 'node:assert/strict';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect } from './pages.mjs';

const NEXT = 'a heron waits beside the weir';

/** Opens the account in a browser of its own. */
async function signedIn(browser) {
  const page = await freshPage(browser);
  await page.goto(`${SITE}/account`);
  await enter(page, LOGIN, PASSWORD);
  await page.waitForURL(`${SITE}/account`);
  return page;
}

async function change(page, password) {
  await page.fill('input[autocomplete=current-password]', PASSWORD);
  for (const field of await page.locator('input[autocomplete=new-password]').all()) await field.fill(password);
  await page.keyboard.press('Enter');
}

/**
 * Waits until the browser is sent to the sign-in. Until the provider has ended its session, which takes seconds, the edge refuses a
 * session of the last minute instead.
 */
async function signedOut(page) {
  for (let attempts = 0; attempts < 60; attempts += 1) {
    const answered = await page.goto(`${SITE}/account`).catch(() => undefined);
    if (/signin\/v1\/identifier/.test(page.url())) return;
    assert.notEqual(answered?.status(), 200, 'the session has ended');
    await page.waitForTimeout(200);
  }
  assert.fail('the browser is sent to the sign-in');
}

await withBrowser({}, async (browser) => {
  const [here, elsewhere] = [await signedIn(browser), await signedIn(browser)];
  await here.goto(`${SITE}/.well-known/change-password`);
  await here.waitForURL(`${SITE}/account/password`);
  // while it is typed
  const judgement = here.locator('.judgement');
  await here.locator('input[autocomplete=new-password]').first().pressSequentially('aaaaaaaaaaaaaaaa');
  await here.locator('meter.strength:visible').waitFor();
  await judgement.getByText(/repetition/).waitFor();
  await inspect(here, 'password-judged');
  await here.locator('input[autocomplete=new-password]').first().fill(NEXT);
  await judgement.getByText(/repetition/).waitFor({ state: 'detached' });
  await change(here, 'password1234567');
  await here.getByRole('alert').waitFor();
  await inspect(here, 'password-refused');
  await change(here, NEXT);
  await here.getByRole('link', { name: 'Sign in again' }).waitFor();
  await inspect(here, 'password-changed');
  console.log('a common password is refused, another one accepted');

  for (const page of [elsewhere, here]) {
    await signedOut(page);
    await enter(page, LOGIN, PASSWORD);
    await page.getByRole('alert').waitFor();
    await enter(page, LOGIN, NEXT);
    await page.waitForURL(`${SITE}/account`);
  }
  console.log('both browsers need the new password');
});
