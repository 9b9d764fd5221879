// The pages of the one process, as people meet them: with small screens, in dark rooms, by keyboard, with screen readers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { SITE } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** WCAG 2.2 AA, and what axe-core recommends beyond it. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SIZES = [
  { name: '360', width: 360, height: 740 },
  { name: '1280', width: 1280, height: 800 },
];

/**
 * Writes screenshots of a page into the folder SCREENSHOTS, in light and dark, at 360 and 1280 pixels. In none of them the page
 * is wider than the window or violates a rule of accessibility.
 */
export async function inspect(page, name) {
  for (const { name: size, width, height } of SIZES) {
    await page.setViewportSize({ width, height });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} pixels wider than ${width}`);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const path = join(process.env.SCREENSHOTS, `${name}-${size}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
      assert.deepEqual(await violations(page), [], `${name} at ${size} pixels, ${colorScheme}`);
    }
  }
}

/** The violated rules, each with the elements. By `evaluate`, since the policy of the pages permits no script of others. */
async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: 'tag', values } }), RULES);
  const elements = (nodes) => nodes.map((node) => `${node.target}: ${node.failureSummary}`);
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n${elements(nodes).join('\n')}`);
}

/** Fills in the form of the sign-in, and sends it by the keyboard. */
export async function enter(page, login, password) {
  await page.fill('input[name=username]', login);
  await page.fill('input[name=password]', password);
  await page.keyboard.press('Enter');
}

/** Signs out by the link of the account pages. With a name, the pages are inspected. */
export async function signOut(page, name) {
  await page.goto(`${SITE}/account`);
  await page.getByRole('link', { name: 'Sign out' }).click();
  if (name) await inspect(page, name);
  await page.locator('main form button[type=submit]').first().click();
  await page.getByRole('heading', { name: /signed out/i }).waitFor();
  if (name) await inspect(page, 'signed-out');
}
