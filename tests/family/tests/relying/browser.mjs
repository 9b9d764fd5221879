// A person with a browser: Chromium, which signs in by the forms it is shown.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

/** What the test tells: the provider's site, where it listens, who signs in there, and the secret of its clients. */
export const { SITE, ADDRESS, LOGIN, PASSWORD, SECRET, USER, USER_PASSWORD } = process.env;

/**
 * Starts Chromium, gives it to `work`, and ends it. The provider is found under its site's name, and whoever else `names`
 * has, as `host:port`, at an address of this machine.
 */
export async function withBrowser(names, work) {
  const { hostname, port } = new URL(SITE);
  const all = { [`${hostname}:${port || 443}`]: ADDRESS, ...names };
  const rules = Object.entries(all).map(([name, address]) => `MAP ${name} ${address}`);
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [`--host-resolver-rules=${rules}`, '--no-proxy-server', '--disable-background-networking'],
  });
  try {
    return await work(browser);
  } finally {
    await browser.close();
  }
}

/** A window in which nobody has signed in yet. The certificates are a test's own. */
export async function freshPage(browser) {
  return (await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB' })).newPage();
}

/** An application on a free port of this machine, which shows a page wherever a browser is sent back to. */
export async function application() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>application</title>');
  });
  const address = await listening(server);
  return { address, url: `http://${address}`, close: () => server.close() };
}

/** Has a server listen on a free port; its address. */
export async function listening(server, port = 0) {
  await new Promise((ready) => server.listen(port, '127.0.0.1', ready));
  return `127.0.0.1:${server.address().port}`;
}

/** Fills in whatever form the provider shows, agrees, and waits for the answer. */
export async function fillIn(page) {
  const password = page.locator('input[name=password]');
  if (await password.count()) {
    await page.fill('input[name=username]', LOGIN);
    await password.fill(PASSWORD);
  }
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.locator('form button[type=submit]').first().click({ noWaitAfter: true });
  return answered;
}

/** Fills in a form and waits for the page that comes of it; where the browser is sent if that is not a page of the provider. */
export async function proceed(page, back) {
  const navigated = page.waitForEvent('framenavigated');
  // nobody waits for it where an app is opened
  navigated.catch(() => {});
  const { location } = (await fillIn(page)).headers();
  if (back && location?.startsWith(back)) return location;
  await navigated;
  await page.waitForLoadState();
  return undefined;
}

/** Fills in the provider's forms until it sends the browser somewhere that begins with `back`. */
export async function signIn(page, back) {
  for (let forms = 0; forms < 4; forms += 1) {
    if (await proceed(page, back)) {
      await page.waitForURL((url) => url.href.startsWith(back));
      return page.url();
    }
  }
  throw new Error(`the sign-in does not end: ${page.url()}\n${await page.locator('main').innerText()}`);
}
