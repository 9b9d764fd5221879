// A second factor, where each user needs one: the first sign-in sets it up, the next ones take a code or a recovery code.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';

/** The code of an authenticator app (RFC 6238) for a time step after now. */
function code(secret, ahead = 0) {
  const digits = [...secret.replaceAll(/[\s=]/g, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter));
  const bits = digits.map((digit) => digit.toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac('sha1', key).update(step).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

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
