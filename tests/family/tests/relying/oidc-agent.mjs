// The program oidc-agent, by which people have tokens on the command line: the device flow, and a new access token from the refresh
// token.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SECRET, SITE, freshPage, proceed, withBrowser } from './browser.mjs';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'oidc-agent-'));
const environment = { ...process.env, OIDC_CONFIG_DIR: folder, HOME: folder, OIDC_ENCRYPTION_PW: 'a passphrase of the test' };
const started = (await run('oidc-agent', [], { env: environment })).stdout;
for (const [, name, value] of started.matchAll(/(OIDC\w+)=([^;]+);/g)) environment[name] = value;
try {
  const generating = spawn('oidc-gen', [
    '--flow=device', `--iss=${SITE}`, '--client-id=rp-agent', `--client-secret=${SECRET}`, '--pw-env',
    '--scope=openid profile offline_access', `--cert-path=${process.env.SSL_CERT_FILE}`, '--redirect-uri=http://localhost:4242',
    '--confirm-default', 'doorward',
  ], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  const shown = new Promise((resolve, reject) => {
    const read = (chunk) => {
      printed += chunk;
      const address = printed.match(/https:\/\/\S+user_code=[\w-]+/) ?? printed.match(/https:\/\/\S+\/device/);
      if (address) resolve(address[0]);
    };
    generating.stdout.on('data', read);
    generating.stderr.on('data', read);
    generating.on('close', () => reject(new Error(printed)));
  });
  const ended = new Promise((resolve) => { generating.on('close', resolve); });
  const address = await shown;
  const code = printed.match(/\b[A-Z0-9]{4}-[A-Z0-9]{4}\b/)?.[0];
  await withBrowser({}, async (browser) => {
    const page = await freshPage(browser);
    await page.goto(address);
    const field = page.locator('input[name=user_code]');
    for (let forms = 0; forms < 5 && await page.locator('main form').count(); forms += 1) {
      if (await field.isVisible() && !(await field.inputValue())) await field.fill(code);
      await proceed(page);
    }
  });
  assert.equal(await ended, 0, printed);
  console.log('the device flow');

  const token = (await run('oidc-token', ['doorward'], { env: environment })).stdout.trim();
  const answered = await fetch(`${SITE}/konnect/v1/userinfo`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await answered.json()).preferred_username, 'einstein');
  const renewed = (await run('oidc-token', ['--force-new', 'doorward'], { env: environment })).stdout.trim();
  assert.notEqual(renewed, token);
  console.log('a new access token from the refresh token');
} finally {
  process.kill(Number(environment.OIDCD_PID));
  rmSync(folder, { recursive: true });
}
