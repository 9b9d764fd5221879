// The npm package openid-client, a certified relying party, with the provider: each of its ways once.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as client from 'openid-client';
import { SECRET, SITE, application, freshPage, proceed, signIn, withBrowser } from './browser.mjs';

const scope = 'openid profile email offline_access';
const app = await application();
const callback = `${app.url}/callback`;

/** A key of the test's as openid-client wants it. */
async function privateKey() {
  const key = createPrivateKey(readFileSync(process.env.KEY)).export({ type: 'pkcs8', format: 'der' });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return { key: await crypto.subtle.importKey('pkcs8', key, algorithm, false, ['sign']), kid: 'rp' };
}

/** A sign-in from its beginning to the tokens; `build` makes the address that the browser is sent to. */
async function codeFlow(browser, config, build = client.buildAuthorizationUrl, options = undefined) {
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const parameters = {
    redirect_uri: callback,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  const page = await freshPage(browser);
  await page.goto((await build(config, parameters, options)).href);
  const back = new URL(await signIn(page, callback));
  await page.context().close();
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
  return client.authorizationCodeGrant(config, back, checks, undefined, options);
}

/** Signs a request with this key, and pushes it. */
const signedAndPushed = (key) => async (config, parameters, options) => {
  const signed = await client.buildAuthorizationUrlWithJAR(config, parameters, key);
  return client.buildAuthorizationUrlWithPAR(config, signed.searchParams, options);
};

const ways = {
  async 'code and PKCE, userinfo, refresh, introspection, revocation, end of session'(browser) {
    const config = await client.discovery(new URL(SITE), 'rp-basic', undefined, client.ClientSecretBasic(SECRET));
    const tokens = await codeFlow(browser, config);
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub)).preferred_username, 'einstein');
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(renewed.refresh_token, tokens.refresh_token);
    assert.equal((await client.tokenIntrospection(config, renewed.access_token)).active, true);
    await client.tokenRevocation(config, renewed.refresh_token);
    assert.equal((await client.tokenIntrospection(config, renewed.access_token)).active, false);
    await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token), { error: 'invalid_grant' });
    const hint = { id_token_hint: tokens.id_token, post_logout_redirect_uri: app.url, state: 'bye' };
    const page = await freshPage(browser);
    await page.goto(client.buildEndSessionUrl(config, hint).href);
    await page.waitForURL(`${app.url}/?state=bye`);
  },

  async 'the layout of Cells, whose issuer has a path'(browser) {
    const issuer = new URL(`${SITE}/oidc`);
    const config = await client.discovery(issuer, 'rp-basic', undefined, client.ClientSecretBasic(SECRET));
    const tokens = await codeFlow(browser, config);
    assert.equal(tokens.claims().iss, issuer.href);
  },

  async 'a pushed request, client_secret_post'(browser) {
    const config = await client.discovery(new URL(SITE), 'rp-post', undefined, client.ClientSecretPost(SECRET));
    assert.ok((await codeFlow(browser, config, client.buildAuthorizationUrlWithPAR)).refresh_token);
  },

  async 'private_key_jwt, a signed request that is pushed, DPoP'(browser) {
    const key = await privateKey();
    const config = await client.discovery(new URL(SITE), 'rp-key', undefined, client.PrivateKeyJwt(key));
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const tokens = await codeFlow(browser, config, signedAndPushed(key), { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).sub, sub);
    const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    const userinfo = config.serverMetadata().userinfo_endpoint;
    const without = await fetch(userinfo, { headers: { authorization: `Bearer ${renewed.access_token}` } });
    assert.equal(without.status, 401, 'a bound token is good with its key alone');
  },

  async 'FAPI 2.0: a signed request that is pushed, JARM, DPoP, a refresh token that stays'(browser) {
    const key = await privateKey();
    const config = await client.discovery(new URL(SITE), 'rp-fapi', undefined, client.PrivateKeyJwt(key));
    client.useJwtResponseMode(config);
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const tokens = await codeFlow(browser, config, signedAndPushed(key), { DPoP });
    assert.equal(tokens.token_type, 'dpop');
    const { sub } = tokens.claims();
    let renewed;
    for (let uses = 0; uses < 2; uses += 1) {
      renewed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
      assert.equal(renewed.refresh_token, tokens.refresh_token, 'it is not rotated');
    }
    assert.equal((await client.fetchUserInfo(config, renewed.access_token, sub, { DPoP })).sub, sub);
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_request' });
  },

  async 'JARM, and answers of which the ID token vouches for the code'(browser) {
    const make = () => client.discovery(new URL(SITE), 'rp-basic', undefined, client.ClientSecretBasic(SECRET));
    const signed = await make();
    client.useJwtResponseMode(signed);
    assert.ok((await codeFlow(browser, signed)).id_token);
    const hybrid = await make();
    client.useCodeIdTokenResponseType(hybrid);
    client.enableDetachedSignatureResponseChecks(hybrid);
    assert.ok((await codeFlow(browser, hybrid)).id_token);
  },

  async 'a device'(browser) {
    const config = await client.discovery(new URL(SITE), 'rp-basic', undefined, client.ClientSecretBasic(SECRET));
    const begun = await client.initiateDeviceAuthorization(config, { scope });
    const page = await freshPage(browser);
    await page.goto(begun.verification_uri_complete);
    // the code, the password, the consent
    for (let forms = 0; forms < 3; forms += 1) await proceed(page);
    const tokens = await client.pollDeviceAuthorizationGrant(config, begun);
    assert.ok(tokens.refresh_token && tokens.claims().sub);
    // whoever has let a device in finds it among the applications, and turns it out
    await page.goto(`${SITE}/signin/v1/consents`);
    const row = page.getByRole('listitem').filter({ hasText: 'rp-basic' });
    await row.getByRole('button').click();
    await row.waitFor({ state: 'detached' });
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
  },

  async 'no CIBA, and nothing that says so'() {
    const config = await client.discovery(new URL(SITE), 'rp-basic', undefined, client.ClientSecretBasic(SECRET));
    assert.equal(config.serverMetadata().backchannel_authentication_endpoint, undefined);
    await assert.rejects(client.initiateBackchannelAuthentication(config, { scope, login_hint: 'einstein' }));
  },
};

await withBrowser({}, async (browser) => {
  for (const [name, walk] of Object.entries(ways)) {
    await walk(browser);
    console.log(name);
  }
});
app.close();
