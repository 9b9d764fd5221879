// A second factor, where each user needs one: the first sign-in sets it up, the next ones take a code or a recovery code.
import assert from 'node:assert/strict';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';
import { code } from './totp.mjs';

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  await page.goto(SITE);
  await enter(page, LOGIN, PASSWORD);
  await page.locator('input[name=code]').waitFor();
  await inspect(page, 'factor-enrolment');
  const secret = await page.locator('p.code code').innerText();
  await page.fill('input[name=code]', code(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /recovery codes/i }).waitFor();
  await inspect(page, 'recovery-codes');
  const recovery = await page.locator('main li code').allInnerTexts();
  assert.equal(recovery.length, 10);
  await page.locator('main a.button').click();
  await page.waitForURL(`${SITE}/`);
  await signOut(page);

  for (const [name, next] of [['a code of the next time step', () => code(secret, 1)], ['a recovery code', () => recovery[0]]]) {
    await page.goto(SITE);
    await enter(page, LOGIN, PASSWORD);
    await page.locator('input[name=code]').waitFor();
    await page.fill('input[name=code]', '000000');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await inspect(page, 'factor');
    await page.fill('input[name=code]', next());
    await page.keyboard.press('Enter');
    await page.waitForURL(`${SITE}/`);
    await signOut(page);
    console.log(`signed in with ${name}`);
  }
});
