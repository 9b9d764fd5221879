// The quick start as a new user meets it: the printed URL, the sign-in, an app token that works, and its end. Screenshots of
// every page go to the folder SCREENSHOTS, in light and dark, at 360 and 1280 pixels.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LOGIN, PASSWORD, SITE, freshPage, withBrowser } from './browser.mjs';

const SIZES = [
  { name: '360', width: 360, height: 740 },
  { name: '1280', width: 1280, height: 800 },
];

/** Writes the screenshots of a page. No page is wider than the window. */
async function shoot(page, name) {
  for (const { name: size, width, height } of SIZES) {
    await page.setViewportSize({ width, height });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} pixels wider than ${width}`);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const path = join(process.env.SCREENSHOTS, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
    }
  }
}

/** The status of a request with an app token. */
function curl(token, path) {
  const format = ['--silent', '--insecure', '--noproxy', '*', '--output', '/dev/null', '--write-out', '%{http_code}'];
  return execFileSync('curl', [...format, '--user', `${LOGIN}:${token}`, `${SITE}${path}`], { encoding: 'utf8' });
}

await withBrowser({}, async (browser) => {
  const page = await freshPage(browser);
  await page.goto(SITE);
  await shoot(page, 'sign-in');
  await page.fill('input[name=username]', LOGIN);
  await page.fill('input[name=password]', 'not the password');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  await page.fill('input[name=password]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === '/');
  await shoot(page, 'front-page');
  console.log(`signed in: ${await page.title()}`);

  await page.goto(`${SITE}/account`);
  await shoot(page, 'account');
  await page.goto(`${SITE}/account/tokens`);
  await page.fill('input[name=label]', 'Calendar on my phone');
  await shoot(page, 'tokens-none');
  await page.locator('form[aria-labelledby=create] button[type=submit]').click();
  const token = await page.locator('code#secret').innerText();
  await shoot(page, 'token-created');
  assert.equal(curl(token, '/account'), '200');
  console.log('the app token opens the edge');

  await page.goto(`${SITE}/account/tokens`);
  await page.getByText('Calendar on my phone').waitFor();
  assert.ok(!(await page.content()).includes(token), 'the token is shown once');
  await shoot(page, 'tokens');
  await page.locator('button#revoke-1').click();
  await page.getByRole('status').waitFor();
  await shoot(page, 'token-revoked');
  assert.equal(curl(token, '/account'), '401');
  console.log('the revoked app token is refused');

  await page.goto(`${SITE}/there-is-no-such-page`);
  await shoot(page, 'not-found');
});
