// A passkey of Chromium's virtual authenticator: adds it, and signs in with it alone and after the password.
import assert from 'node:assert/strict';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';
import { enter, inspect, signOut } from './pages.mjs';

/** Gives a page an authenticator that verifies its user; `setPresent` says whether the user answers. */
async function addAuthenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options });
  const setPresent = (enabled) => session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  const credentials = async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  return { setPresent, credentials };
}

/** Presses the button of the passkey. The browser may have sent the form already, by the field for the login name. */
async function usePasskey(page, { setPresent }) {
  const button = page.getByRole('button', { name: 'Sign in with a passkey' });
  await button.waitFor();
  await setPresent(true);
  await button.click({ noWaitAfter: true, timeout: 5000 }).catch(() => {});
  await page.waitForURL(`${SITE}/`);
  await setPresent(false);
}

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  const authenticator = await addAuthenticator(page);
  await authenticator.setPresent(false);
  await page.goto(`${SITE}/signin/v1/passkeys`);
  await enter(page, LOGIN, PASSWORD);
  await page.waitForURL(`${SITE}/signin/v1/passkeys`);
  await page.getByText('You have no passkey yet.').waitFor();
  await authenticator.setPresent(true);
  await page.fill('input#label', 'My phone');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('heading', { name: 'My phone' }).waitFor();
  await authenticator.setPresent(false);
  const [credential] = await authenticator.credentials();
  assert.ok(credential.isResidentCredential, 'the authenticator has stored the user');
  await inspect(page, 'passkeys');
  await page.getByRole('button', { name: /^Rename/ }).waitFor();
  await signOut(page);
  console.log('added a passkey');

  await page.goto(SITE);
  await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  await inspect(page, 'sign-in-passkey');
  await usePasskey(page, authenticator);
  await signOut(page);
  console.log('signed in with the passkey alone');

  await page.goto(SITE);
  await enter(page, LOGIN, PASSWORD);
  await page.getByRole('heading', { name: 'Use your passkey' }).waitFor();
  assert.equal(await page.locator('input[name=code]').count(), 0, 'there is no app');
  await inspect(page, 'factor-passkey');
  await usePasskey(page, authenticator);
  await page.goto(`${SITE}/signin/v1/passkeys`);
  await page.getByRole('button', { name: /^Remove/ }).click();
  await page.getByText('You have no passkey yet.').waitFor();
  console.log('signed in with the passkey after the password');
});
