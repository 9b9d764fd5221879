// A forgotten password, from the link at the sign-in to the sign-in with the new one, also in another browser and without scripts; and
// another mail address, from the profile to the link that verifies it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { LOGIN, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect } from './pages.mjs';

const LINK = /https:\/\/\S+\/signin\/v1\/(?:link|mail)\?link=[\w-]+/;
const seen = new Set();

/** The link of the mail that comes next into the folder MAIL. */
async function nextLink() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const files = readdirSync(process.env.MAIL).filter((file) => file.endsWith('.eml') && !seen.has(file));
    for (const file of files) {
      seen.add(file);
      const text = readFileSync(join(process.env.MAIL, file), 'utf8').replaceAll('=\r\n', '').replaceAll('=3D', '=');
      const link = text.match(LINK);
      if (link) return link[0];
    }
    await setTimeout(50);
  }
  throw new Error('no mail with a link has come');
}

/** Asks for a link by the page that the sign-in leads to. */
async function ask(page, name) {
  await page.goto(`${SITE}/account`);
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.getByRole('heading', { name: 'Set a new password' }).waitFor();
  if (name) await inspect(page, 'forgotten-password');
  await page.fill('input[name=username]', LOGIN);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
  if (name) await inspect(page, 'link-sent');
  return nextLink();
}

async function set(page, password) {
  await page.fill('input[name=new]', password);
  await page.getByRole('button', { name: 'Set the password' }).click();
}

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  const link = await ask(page, 'first');
  await page.goto(link);
  await page.getByRole('heading', { name: 'Set a password' }).waitFor();
  await inspect(page, 'new-password');
  await set(page, 'password1234567');
  await page.getByRole('alert').waitFor();
  await inspect(page, 'new-password-weak');
  await set(page, 'a phrase of words that fit nowhere');
  await page.getByRole('heading', { name: 'Your password is set' }).waitFor();
  await inspect(page, 'password-set');
  console.log('set a new password by a link');

  const again = await page.goto(link);
  assert.equal(again.status(), 410);
  await inspect(page, 'link-used');
  await page.goto(`${SITE}/account`);
  await enter(page, LOGIN, 'a phrase of words that fit nowhere');
  await page.waitForURL(`${SITE}/account`);
  console.log('signed in with it');

  // a link that is opened in another browser asks for the name; and nothing of it needs a script
  const asking = await freshPage(browser);
  const elsewhere = await ask(asking);
  const plain = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', javaScriptEnabled: false });
  const other = await plain.newPage();
  await other.goto(elsewhere);
  await other.fill('input[name=username]', 'marie');
  await set(other, 'other words of a longer phrase');
  await other.getByText('The link belongs to another account.').waitFor();
  await other.fill('input[name=username]', LOGIN);
  await set(other, 'other words of a longer phrase');
  await other.getByRole('heading', { name: 'Your password is set' }).waitFor();
  console.log('set another one elsewhere, without scripts');

  const own = await freshPage(browser);
  await own.goto(`${SITE}/account/profile`);
  await enter(own, LOGIN, 'other words of a longer phrase');
  await own.waitForURL(`${SITE}/account/profile`);
  await inspect(own, 'profile-with-mail');
  await own.getByRole('link', { name: 'Change mail address' }).click();
  await own.getByRole('heading', { name: 'Change your mail address' }).waitFor();
  await inspect(own, 'mail-form');
  await own.fill('input[name=address]', 'albert@cloud.example');
  await own.keyboard.press('Enter');
  await own.getByRole('heading', { name: 'Check your mail' }).waitFor();
  await inspect(own, 'mail-link-sent');
  const confirmation = await nextLink();
  await own.goto(`${SITE}/account/profile`);
  assert.equal(await own.getByText('albert@cloud.example').count(), 0, 'nothing is changed yet');

  // who has the link alone has to sign in
  const stranger = await freshPage(browser);
  await stranger.goto(confirmation);
  await enter(stranger, LOGIN, 'other words of a longer phrase');
  await stranger.getByRole('heading', { name: 'Confirm your mail address' }).waitFor();
  await own.goto(confirmation);
  await own.getByRole('heading', { name: 'Confirm your mail address' }).waitFor();
  await own.getByText(LOGIN, { exact: true }).waitFor();
  await inspect(own, 'mail-confirm');
  await own.getByRole('button', { name: 'Change the mail address' }).click();
  await own.getByRole('heading', { name: 'Your mail address is changed' }).waitFor();
  await inspect(own, 'mail-changed');
  await own.getByRole('link', { name: 'Back to your account' }).click();
  await own.waitForURL(`${SITE}/account`);
  const repeated = await own.goto(confirmation);
  assert.equal(repeated.status(), 410);
  await own.goto(`${SITE}/account/profile`);
  await own.getByText('albert@cloud.example').waitFor();
  console.log('changed the mail address by a link');
});
