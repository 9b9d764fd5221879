// Apache's module mod_auth_openidc, with the provider's URL, a client and its secret as its whole configuration: a page behind a
// sign-in, the user's claims in the headers of the application, a sign-out that ends both sessions.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOGIN, SECRET, SITE, freshPage, listening, signIn, withBrowser } from './browser.mjs';

/** The requests that have reached the application. */
const received = [];
const application = createServer((request, response) => {
  received.push(request);
  response.writeHead(200, { 'content-type': 'text/html' }).end('<title>application</title>');
});
const backend = await listening(application);
const reserved = createServer();
const port = (await listening(reserved)).split(':')[1];
await new Promise((closed) => reserved.close(closed));

const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'auth_openidc'];
const folder = mkdtempSync(join(tmpdir(), 'mod-auth-openidc-'));
const configuration = `
ServerName 127.0.0.1
User www-data
Group www-data
ServerRoot ${folder}
PidFile ${folder}/apache.pid
ErrorLog /dev/stderr
Listen 127.0.0.1:${port}
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
OIDCProviderMetadataURL ${SITE}/.well-known/openid-configuration
OIDCClientID rp-apache
OIDCClientSecret ${SECRET}
OIDCRedirectURI http://127.0.0.1:${port}/callback
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCCryptoPassphrase ${SECRET}
OIDCRemoteUserClaim preferred_username
OIDCSSLValidateServer On
OIDCCABundlePath ${folder}/ca.pem
<Location "/">
  AuthType openid-connect
  Require valid-user
  ProxyPass http://${backend}/
</Location>
<Location "/callback">
  ProxyPass !
</Location>
`;
// as root Apache works as another user
chmodSync(folder, 0o755);
copyFileSync(process.env.SSL_CERT_FILE, join(folder, 'ca.pem'));
chmodSync(join(folder, 'ca.pem'), 0o644);
writeFileSync(join(folder, 'apache.conf'), configuration);
const apache = spawn('/usr/sbin/apache2', ['-X', '-f', join(folder, 'apache.conf')], { stdio: ['ignore', 'inherit', 'inherit'] });
const ended = new Promise((resolve) => { apache.on('close', resolve); });
const url = `http://127.0.0.1:${port}`;
try {
  for (let attempt = 0; ; attempt += 1) {
    const answered = await fetch(url, { redirect: 'manual' }).catch(() => undefined);
    if (answered) break;
    assert.ok(attempt < 100 && apache.exitCode === null, 'Apache answers');
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  await withBrowser({}, async (browser) => {
    const page = await freshPage(browser);
    await page.goto(`${url}/files`);
    await page.waitForURL(/signin\/v1\/identifier/);
    await signIn(page, url);
    await page.waitForURL(`${url}/files`);
    const { oidc_claim_preferred_username: login, oidc_claim_email: email, oidc_claim_iss: issuer } = received[0].headers;
    assert.equal(login, LOGIN);
    assert.match(email, /@/);
    assert.equal(issuer, SITE);
    console.log('the application reads the claims in its headers');

    await page.goto(`${url}/callback?logout=${encodeURIComponent(`${url}/goodbye`)}`);
    await page.waitForURL(/signin\/v1\/identifier\?flow/);
    await page.locator('input[name=password]').waitFor();
    assert.ok(!received.some(({ url: path }) => path === '/goodbye'), 'nothing reaches the application without a user');
    console.log('a sign-out ends both sessions');
  });
} finally {
  apache.kill('SIGKILL');
  await ended;
  application.close();
  rmSync(folder, { recursive: true });
}
