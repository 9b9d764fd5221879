// A walk through a document's flow that is written down as it goes: what a browser and curl sent, and what they were answered.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { freshPage, proceed } from './browser.mjs';

const lines = [];

/** Writes lines of Markdown. */
export const say = (...texts) => lines.push(...texts);

/** Everything that was written. */
export const told = () => lines.join('\n');

/** Secrets and tokens as they are shown: their beginning. */
const shortened = (text) => text
  .replace(/\beyJ[\w-]{7}[\w.-]*/g, (token) => `${token.slice(0, 10)}...`)
  .replace(/\bdw[a-z]_[\w-]+/g, (token) => `${token.slice(0, 10)}...`)
  .replace(/("updated_at": \d{4})\d+/g, '$1...')
  .replace(/\b(code|flow|session_state|sub)(=|": ")[\w.@-]{9,}/g, (found, name, sign) => {
    const value = found.slice(name.length + sign.length);
    return `${name}${sign}${value.slice(0, 8)}...`;
  });

/** The parameters of an address, in its query or its fragment. */
export function parameters(address) {
  return Object.fromEntries(new URLSearchParams(address.slice(address.search(/[?#]/) + 1)));
}

/**
 * Opens an address in a browser in which nobody has signed in, fills in the forms, and answers where the browser is sent in
 * the end: to an address that begins with `back`.
 */
export async function browse(browser, address, back) {
  const page = await freshPage(browser);
  const steps = [];
  let sent;
  page.on('response', (response) => {
    const request = response.request();
    if (!request.isNavigationRequest()) return;
    const { location } = response.headers();
    const at = new URL(request.url());
    // the first one is written as the document writes it
    steps.push(steps.length ? `${request.method()} ${at.pathname}${at.search}` : `GET ${address}`);
    steps.push(`  ${response.status()}${location ? ` ${location}` : ''}`);
  });
  await page.goto(address);
  for (let forms = 0; forms < 3 && !sent; forms += 1) {
    steps[steps.length - 1] += ` "${await page.title()}"`;
    sent = await proceed(page, back);
  }
  assert.ok(sent, `the browser is not sent back: ${page.url()}\n${steps.join('\n')}`);
  // an app is opened outside of the browser, whose page stays
  const web = /^https?:/.test(back);
  if (web) await page.waitForURL(new URL(sent).href);
  const shown = { title: web ? await page.title() : '', text: web ? await page.locator('body').innerText() : '' };
  await page.context().close();
  const end = steps.findIndex((step) => step.endsWith(sent)) + 1;
  say('', '```', ...steps.slice(0, end).map(shortened), '```');
  return { sent, ...parameters(sent), shown };
}

/** Runs a call of curl as the document has it; the status and the JSON that it was answered. `only` names what is shown of it. */
export function curl(command, only = undefined) {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  assert.equal(status, 0, `${command}\n${stderr}`);
  const received = stderr.split('\r\n').flatMap((line) => line.split('\n')).filter((line) => line.startsWith('< '));
  const heading = received.map((line) => line.slice(2).trim());
  const [first] = heading;
  const kept = heading.filter((line) => /^(content-type|cache-control|www-authenticate):/i.test(line));
  const answer = JSON.parse(stdout);
  say('', '```sh', shortened(command), '```', '', '```', first, ...kept, '');
  say(shortened(JSON.stringify(answer, only, 2)), '```');
  return { status: Number(first.split(' ')[1]), ...answer };
}

/** Holds an answer to the members that a document shows. */
export function hold(answer, ...names) {
  for (const name of names) assert.ok(name in answer, `${name} is documented: ${JSON.stringify(answer)}`);
}
