// Faults that a provider can have. Each is put into the peer when FAULT names it, and must be found by the checks that it
// lists, and by no others where it says `only`: `node judge.mjs` holds that.

import Provider, { errors } from 'oidc-provider';

const changed = (change) => async (ctx, next) => {
  const query = new URLSearchParams(ctx.querystring);
  if (ctx.path === '/auth' && ctx.method === 'GET') {
    change(query);
    ctx.querystring = query.toString();
  }
  await next();
};

const answered = (path, change) => async (ctx, next) => {
  await next();
  if (ctx.path === path) change(ctx);
};

// Changes what the browser brings back to the relying party.
const redirected = (change) => async (ctx, next) => {
  await next();
  const location = ctx.response.get('location') ?? '';
  if (!location.startsWith('https://rp.conformance.test/')) return;
  const url = new URL(location);
  change(url.searchParams);
  ctx.set('location', url.href);
};

// Changes the form of a pushed request before the provider reads it.
const pushed = (change) => async (ctx, next) => {
  if (ctx.path === '/request' && ctx.method === 'POST') {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    change(form, ctx);
    ctx.req.body = form.toString();
  }
  await next();
};

// Refuses requests, without one of the errors that the checks know.
const refused = (is) => (ctx, next) => (is(ctx) ? ctx.throw(400) : next());

// Header (0) or claims (1) of a JWT; nothing of what is none.
const part = (jwt, index) => {
  try {
    return JSON.parse(Buffer.from(jwt.split('.')[index], 'base64url')) ?? {};
  } catch {
    return {};
  }
};

// Takes request objects of this kind for parameters, whoever has signed them.
const unwrapped = (is) => pushed((form) => {
  const object = form.get('request');
  if (!is(object)) return;
  const { iss, aud, nbf, exp, ...parameters } = part(object, 1);
  for (const [name, value] of Object.entries(parameters)) form.set(name, value);
  form.delete('request');
});

export const faults = {
  'prompt is ignored': {
    use: changed((query) => query.delete('prompt')),
    plans: 'basic',
    found: ['oidcc-prompt-login', 'oidcc-prompt-none-not-logged-in'],
  },
  'max_age is ignored': {
    use: changed((query) => query.delete('max_age')),
    plans: 'basic',
    found: ['oidcc-max-age-1', 'oidcc-max-age-10000'],
  },
  'state is lost': {
    use: changed((query) => query.delete('state')),
    plans: 'basic',
    found: ['oidcc-server', 'oidcc-response-type-missing'],
  },
  'the nonce is another': {
    use: changed((query) => query.set('nonce', 'another')),
    plans: 'basic,implicit',
    found: ['oidcc-server', 'oidcc-ensure-request-without-nonce-succeeds-for-code-flow', 'oidcc-ensure-request-without-nonce-fails'],
  },
  'form_post is ignored': {
    use: changed((query) => query.delete('response_mode')),
    plans: 'basic',
    found: ['oidcc-server'],
  },
  'request objects are ignored': {
    use: changed((query) => query.delete('request')),
    plans: 'basic',
    found: ['oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported'],
  },
  'an unknown parameter is refused': {
    use: async (ctx, next) => (ctx.query.extra ? ctx.throw(400) : next()),
    plans: 'basic',
    found: ['oidcc-ensure-request-with-unknown-parameter-succeeds'],
  },
  'a display, a hint or a locale is refused': {
    use: async (ctx, next) => {
      const names = ['display', 'login_hint', 'ui_locales', 'claims_locales', 'acr_values', 'claims', 'code_challenge'];
      return ctx.path === '/auth' && names.some((name) => ctx.query[name]) ? ctx.throw(400) : next();
    },
    plans: 'basic',
    found: ['oidcc-display-page', 'oidcc-display-popup', 'oidcc-login-hint', 'oidcc-ui-locales', 'oidcc-claims-locales',
      'oidcc-ensure-request-with-acr-values-succeeds', 'oidcc-claims-essential',
      'oidcc-ensure-request-with-valid-pkce-succeeds'],
  },
  'the session is forgotten': {
    use: async (ctx, next) => {
      if (ctx.path === '/auth') delete ctx.req.headers.cookie;
      await next();
    },
    plans: 'basic',
    found: ['oidcc-prompt-none-logged-in', 'oidcc-id-token-hint', 'oidcc-max-age-10000'],
  },
  'every redirect_uri is allowed': {
    provider: (provider) => { provider.Client.prototype.redirectUriAllowed = () => true; },
    plans: 'basic,dynamic',
    found: ['oidcc-ensure-registered-redirect-uri', 'oidcc-redirect-uri-query-mismatch', 'oidcc-redirect-uri-query-added'],
  },
  'every post_logout_redirect_uri is allowed': {
    provider: (provider) => { provider.Client.prototype.postLogoutRedirectUriAllowed = () => true; },
    plans: 'rp-logout',
    found: ['oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
      'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri'],
  },
  'every id_token_hint is taken': {
    use: async (ctx, next) => {
      const query = new URLSearchParams(ctx.querystring);
      const hint = query.get('id_token_hint');
      if (ctx.path === '/session/end' && hint) {
        query.set('client_id', JSON.parse(Buffer.from(hint.split('.')[1], 'base64url')).aud);
        query.delete('id_token_hint');
        ctx.querystring = query.toString();
      }
      await next();
    },
    plans: 'rp-logout',
    found: ['oidcc-rp-initiated-logout-modified-id-token-hint', 'oidcc-rp-initiated-logout-bad-id-token-hint'],
  },
  'a logout ends nothing': {
    use: async (ctx, next) => {
      const cookies = ctx.req.headers.cookie;
      await next();
      if (ctx.path === '/session/end/confirm' && cookies) ctx.remove('set-cookie');
    },
    keepSessions: true,
    plans: 'rp-logout',
    found: ['oidcc-rp-initiated-logout', 'oidcc-rp-initiated-logout-no-state', 'oidcc-rp-initiated-logout-no-params',
      'oidcc-rp-initiated-logout-only-state', 'oidcc-rp-initiated-logout-no-post-logout-redirect-uri'],
  },
  'logouts go back unasked': {
    use: answered('/session/end', (ctx) => ctx.redirect('https://rp.conformance.test/logged-out')),
    plans: 'rp-logout',
    found: ['oidcc-rp-initiated-logout-no-id-token-hint', 'oidcc-rp-initiated-logout-no-params',
      'oidcc-rp-initiated-logout-only-state', 'oidcc-rp-initiated-logout-no-post-logout-redirect-uri'],
  },
  'nobody is told of a logout': {
    provider: (provider) => { provider.Client.prototype.backchannelLogout = async () => {}; },
    plans: 'back-channel',
    found: ['oidcc-backchannel-rp-initiated-logout'],
  },
  'a code is good for ever': {
    provider: (provider) => { provider.AuthorizationCode.prototype.consume = async () => {}; },
    plans: 'basic',
    found: ['oidcc-codereuse-30seconds'],
  },
  'tokens may be stored': {
    use: answered('/token', (ctx) => ctx.set('cache-control', 'public')),
    plans: 'basic',
    found: ['oidcc-server', 'oidcc-server-client-secret-post', 'oidcc-refresh-token'],
  },
  'userinfo speaks of another person': {
    use: answered('/me', (ctx) => { if (ctx.body?.sub) ctx.body.sub = 'another'; }),
    plans: 'basic',
    found: ['oidcc-userinfo-get', 'oidcc-userinfo-post-header', 'oidcc-server'],
  },
  'userinfo has flags that are texts': {
    use: answered('/me', (ctx) => { if (ctx.body?.email) ctx.body.email_verified = 'true'; }),
    plans: 'basic',
    found: ['oidcc-scope-email', 'oidcc-scope-all'],
  },
  'ID tokens name keys that are not published': {
    use: answered('/jwks', (ctx) => { ctx.body.keys.forEach((key) => { key.kid = `${key.kid}-`; }); }),
    plans: 'basic,implicit,hybrid',
    found: ['oidcc-server', 'oidcc-idtoken-signature'],
  },
  'a private part is published': {
    use: answered('/jwks', (ctx) => { ctx.body.keys[0].d = 'AAAA'; }),
    plans: 'config',
    found: ['oidcc-discovery-endpoint-verification'],
  },
  'pages hide what a client registered': {
    use: async (ctx, next) => {
      await next();
      if (typeof ctx.body === 'string') ctx.body = ctx.body.replaceAll('/about/', '/');
    },
    plans: 'dynamic',
    found: ['oidcc-registration-logo-uri', 'oidcc-registration-policy-uri', 'oidcc-registration-tos-uri'],
  },
  'the old keys go at once': {
    dropKeys: true,
    plans: 'dynamic',
    found: ['oidcc-server-rotate-keys'],
  },
  'registration takes everything': {
    use: async (ctx, next) => {
      if (ctx.path === '/reg' && ctx.method === 'POST') {
        await next();
        if (ctx.status === 400) {
          ctx.status = 201;
          ctx.body = { client_id: 'taken' };
        }
        return;
      }
      await next();
    },
    plans: 'dynamic,third-party',
    found: ['oidcc-redirect-uri-regfrag', 'oidcc-registration-sector-bad', 'oidcc-3rd_party-init-login-nohttps'],
  },
  'registrations cannot be read': {
    use: async (ctx, next) => (ctx.path.startsWith('/reg/') ? ctx.throw(404) : next()),
    plans: 'third-party',
    found: ['oidcc-3rd_party-init-login'],
  },
  'the answer has the scope': {
    fapi: true,
    use: redirected((answer) => { if (answer.has('code')) answer.set('scope', 'openid'); }),
    plans: 'fapi2-security',
    found: ['~happy-flow', '~ensure-other-scope-order-succeeds'],
  },
  'the answer names no issuer': {
    fapi: true,
    use: redirected((answer) => answer.delete('iss')),
    plans: 'fapi2-security',
    found: ['~happy-flow', '~user-rejects-authentication'],
  },
  'a rejection is no error': {
    fapi: true,
    use: redirected((answer) => answer.delete('error')),
    plans: 'fapi2-security',
    found: ['~user-rejects-authentication'],
  },
  'assertions may be for the token endpoint or a list': {
    fapi: true,
    configuration: { assertJwtClientAuthClaimsAndHeader: async () => {} },
    plans: 'fapi2-security',
    found: ['~par-test-array-as-audience-fails', '~par-test-token-endpoint-url-as-audience-fails', '~ensure-invalid-client-assertions-fail'],
  },
  'assertions may be signed by RS256': {
    fapi: true,
    algorithms: { clientAuthSigningAlgValues: ['PS256', 'ES256', 'RS256'] },
    plans: 'fapi2-security',
    found: ['~ensure-signed-client-assertion-with-RS256-fails'],
  },
  'refresh tokens are rotated': {
    fapi: true,
    configuration: { rotateRefreshToken: true },
    plans: 'fapi2-security',
    found: ['~refresh-token'],
  },
  'PKCE is not needed': {
    fapi: true,
    configuration: { pkce: { required: () => false } },
    plans: 'fapi2-security',
    found: ['~par-ensure-pkce-required'],
  },
  'request objects need no times': {
    fapi: true,
    features: { requestObjects: { enabled: true, assertJwtClaimsAndHeader: async () => {} } },
    plans: 'fapi2-message-signing',
    found: ['~ensure-request-object-without-exp-fails', '~ensure-request-object-without-nbf-fails',
      '~ensure-request-object-with-exp-over-60-fails', '~ensure-request-object-with-nbf-over-60-fails'],
  },
  'plain requests are taken where signed ones are due': {
    fapi: true,
    dropped: { Client: ['require_signed_request_object'] },
    plans: 'fapi2-message-signing',
    found: ['~ensure-unsigned-request-at-par-endpoint-fails'],
  },
  'requests need not be pushed': {
    fapi: true,
    features: { pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false } },
    plans: 'fapi2-security',
    found: ['~ensure-unsigned-authorization-request-without-using-par-fails'],
  },
  'a request_uri is good again': {
    fapi: true,
    unconsumed: 'PushedAuthorizationRequest',
    plans: 'fapi2-security',
    found: ['~par-attempt-reuse-request_uri'],
  },
  'proofs are good again': {
    fapi: true,
    dPoP: { allowReplay: true },
    plans: 'fapi2-security',
    found: ['~dpop-negative-tests'],
  },
  'proofs may be signed by RS256': {
    fapi: true,
    algorithms: { dPoPSigningAlgValues: ['PS256', 'ES256', 'RS256'] },
    plans: 'fapi2-security',
    found: ['~dpop-negative-tests'],
  },
  'grants that do not count are invalid requests': {
    fapi: true,
    use: answered('/token', (ctx) => { if (ctx.body?.error === 'invalid_grant') ctx.body.error = 'invalid_request'; }),
    plans: 'fapi2-security',
    found: ['~ensure-pkce-code-verifier-required', '~incorrect-pkce-code-verifier-rejected',
      '~ensure-authorization-code-is-bound-to-client', '~refresh-token'],
  },
  'request objects that do not count are invalid requests': {
    fapi: true,
    use: answered('/request', (ctx) => { if (ctx.body?.error === 'invalid_request_object') ctx.body.error = 'invalid_request'; }),
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-request-object-without-exp-fails', '~ensure-request-object-without-nbf-fails',
      '~ensure-expired-request-object-fails', '~ensure-request-object-with-bad-aud-fails',
      '~ensure-request-object-with-exp-over-60-fails', '~ensure-request-object-with-nbf-over-60-fails',
      '~ensure-signed-request-object-with-RS256-fails', '~ensure-request-object-signature-algorithm-is-not-none',
      '~ensure-request-object-with-invalid-signature-fails', '~ensure-matching-key-in-authorization-request',
      '~par-authorization-request-containing-request_uri'],
  },
  'codes are bound to no key': {
    fapi: true,
    dropped: { AuthorizationCode: ['dpopJkt'], PushedAuthorizationRequest: ['dpopJkt'] },
    plans: 'fapi2-security',
    found: ['~ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt', '~ensure-token-endpoint-fails-with-mismatched-dpop-jkt'],
  },
  'tokens need no proof': {
    fapi: true,
    dropped: { Client: ['dpop_bound_access_tokens'] },
    plans: 'fapi2-security',
    found: ['~ensure-holder-of-key-required'],
  },
  'every cipher suite is taken': {
    fapi: true,
    anyCipher: true,
    plans: 'fapi2-security',
    found: ['~ensure-holder-of-key-required'],
  },
  'codes are good for ten minutes': {
    fapi: true,
    ttl: { AuthorizationCode: 600 },
    plans: 'fapi2-security',
    found: ['~ensure-token-endpoint-fails-with-expired-auth-code'],
  },
  'a dpop_jkt counts whatever key is proved': {
    fapi: true,
    use: pushed((form, ctx) => { if (form.has('dpop_jkt')) delete ctx.req.headers.dpop; }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-mismatched-dpop-jkt-fails'],
  },
  'a request_uri is good for one visit': {
    fapi: true,
    use: refused(((visited) => ({ path, query }) => {
      if (path !== '/auth' || !query.request_uri) return false;
      if (visited.has(query.request_uri)) return true;
      visited.add(query.request_uri);
      return false;
    })(new Set())),
    plans: 'fapi2-security',
    only: true,
    found: ['~par-ensure-reused-request-uri-prior-to-auth-completion-succeeds'],
  },
  'assertions may be for the endpoint of pushed requests': {
    fapi: true,
    configuration: {
      assertJwtClientAuthClaimsAndHeader: async ({ oidc }, { aud }) => {
        if (aud !== oidc.issuer && aud !== oidc.urlFor('pushed_authorization_request')) throw new errors.InvalidClientAuth('aud');
      },
    },
    plans: 'fapi2-security',
    only: true,
    found: ['~par-test-par-endpoint-url-as-audience-fails', '~ensure-invalid-client-assertions-fail'],
  },
  'clients that do not prove their identity are unauthorized': {
    fapi: true,
    use: answered('/token', (ctx) => { if (ctx.body?.error === 'invalid_client') ctx.body.error = 'unauthorized_client'; }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-client-id-in-token-endpoint', '~ensure-signed-client-assertion-with-RS256-fails',
      '~ensure-client-assertion-in-token-endpoint', '~ensure-client-assertion-with-exp-is-5-minutes-in-past-fails',
      '~ensure-client-assertion-with-wrong-aud-fails', '~ensure-client-assertion-with-no-sub-fails'],
  },
  'clocks may be ten minutes apart': {
    fapi: true,
    configuration: { clockTolerance: 600 },
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-expired-request-object-fails', '~ensure-client-assertion-with-exp-is-5-minutes-in-past-fails',
      '~ensure-invalid-client-assertions-fail', '~par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails'],
  },
  'clocks may be a second apart': {
    fapi: true,
    configuration: { clockTolerance: 1 },
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted',
      '~ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted'],
  },
  'request objects may be signed by RS256': {
    fapi: true,
    algorithms: { requestObjectSigningAlgValues: ['PS256', 'ES256', 'RS256'] },
    dropped: { Client: ['request_object_signing_alg'] },
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-signed-request-object-with-RS256-fails'],
  },
  'request objects need no signature': {
    fapi: true,
    use: unwrapped((object) => part(object, 0).alg === 'none'),
    dropped: { Client: ['require_signed_request_object'] },
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-request-object-signature-algorithm-is-not-none', '~ensure-unsigned-request-at-par-endpoint-fails'],
  },
  'request objects may be for another': {
    fapi: true,
    use: unwrapped((object) => part(object, 1).aud === 'https://rp.conformance.test/another'),
    dropped: { Client: ['require_signed_request_object'] },
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-request-object-with-bad-aud-fails', '~ensure-unsigned-request-at-par-endpoint-fails'],
  },
  'request objects are for one audience': {
    fapi: true,
    use: pushed((form, ctx) => { if (Array.isArray(part(form.get('request'), 1).aud)) ctx.throw(400); }),
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~ensure-request-object-with-multiple-aud-succeeds'],
  },
  'what stands outside of a pushed request counts': {
    fapi: true,
    provider: ({ PushedAuthorizationRequest }) => {
      const { find } = PushedAuthorizationRequest;
      PushedAuthorizationRequest.find = async function found(...wanted) {
        const kept = await find.apply(this, wanted);
        const { state, nonce } = Provider.ctx.query;
        if (kept) {
          const [header, , signature] = kept.request.split('.');
          const claims = { ...part(kept.request, 1), ...(state && { state }), ...(nonce && { nonce }) };
          kept.request = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
        }
        return kept;
      };
    },
    plans: 'fapi2-security',
    only: true,
    found: ['~state-only-outside-request-object-not-used', '~ensure-different-state-inside-and-outside-request-object',
      '~ensure-different-nonce-inside-and-outside-request-object'],
  },
  'a pushed request is good for an hour': {
    fapi: true,
    provider: ({ PushedAuthorizationRequest: { prototype } }) => {
      const { save } = prototype;
      prototype.save = function keep() { return save.call(this, 3600); };
    },
    // its objects are good for longer than a minute
    plans: 'fapi2-message-signing',
    only: true,
    found: ['~par-attempt-to-use-expired-request_uri'],
  },
  'a request_uri is good for every client': {
    fapi: true,
    use: ((owners) => async (ctx, next) => {
      const owner = ctx.path === '/auth' && owners.get(ctx.query.request_uri);
      if (owner) ctx.query = { ...ctx.query, client_id: owner };
      await next();
      if (ctx.path === '/request' && ctx.body?.request_uri) owners.set(ctx.body.request_uri, ctx.oidc.client.clientId);
    })(new Map()),
    plans: 'fapi2-security',
    only: true,
    found: ['~par-attempt-to-use-request_uri-for-different-client'],
  },
  'a request_uri in a pushed request does not count': {
    fapi: true,
    use: pushed((form) => form.delete('request_uri')),
    plans: 'fapi2-security',
    only: true,
    found: ['~par-authorization-request-containing-request_uri-form-param'],
  },
  'requests are pushed by every method': {
    fapi: true,
    use: async (ctx, next) => {
      if (ctx.path !== '/request' || ctx.method === 'POST') return next();
      ctx.body = {};
      return undefined;
    },
    plans: 'fapi2-security',
    only: true,
    found: ['~par-attempt-invalid-http-method'],
  },
  'the challenge method plain is taken for S256': {
    fapi: true,
    use: pushed((form) => { if (form.get('code_challenge_method') === 'plain') form.set('code_challenge_method', 'S256'); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~par-plain-pkce-rejected'],
  },
  'every response type is taken for code': {
    fapi: true,
    use: pushed((form) => form.set('response_type', 'code')),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-response-type-code-idtoken-fails', '~ensure-response-type-token-fails'],
  },
  'a request needs no redirect_uri': {
    fapi: true,
    use: pushed((form) => { if (!form.get('redirect_uri')) form.set('redirect_uri', 'https://rp.conformance.test/callback'); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-request-object-without-redirect-uri-fails', '~ensure-redirect-uri-in-authorization-request'],
  },
  'an unregistered redirect_uri is a fault': {
    fapi: true,
    use: pushed((form, ctx) => { if (form.get('redirect_uri')?.endsWith('/unregistered')) ctx.throw(500); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~plain-fapi-tolerate-unregistered-redirect-uri'],
  },
  'codes are good again': {
    fapi: true,
    unconsumed: 'AuthorizationCode',
    plans: 'fapi2-security',
    only: true,
    found: ['~attempt-reuse-authorization-code-after-one-second'],
  },
  'a request needs a state': {
    fapi: true,
    use: pushed((form, ctx) => form.get('state') || ctx.throw(400)),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-authorization-request-without-state-success', '~state-only-outside-request-object-not-used'],
  },
  'a request needs a nonce': {
    fapi: true,
    use: pushed((form, ctx) => form.get('nonce') || ctx.throw(400)),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-authorization-request-without-nonce-success'],
  },
  'a state is cut after 128 characters': {
    fapi: true,
    use: redirected((answer) => { if (answer.has('state')) answer.set('state', answer.get('state').slice(0, 128)); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-authorization-request-with-long-state'],
  },
  'a nonce is cut after 32 characters': {
    fapi: true,
    use: pushed((form) => { if (form.has('nonce')) form.set('nonce', form.get('nonce').slice(0, 32)); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-authorization-request-with-64-char-nonce-success', '~ensure-authorization-request-with-long-nonce'],
  },
  'a request with claims is refused': {
    fapi: true,
    use: pushed((form, ctx) => { if (form.has('claims')) ctx.throw(400); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~test-claims-parameter-identity-claims'],
  },
  'the scheme of access tokens has one spelling': {
    fapi: true,
    use: refused((ctx) => /^dpop /i.test(ctx.get('authorization')) && !ctx.get('authorization').startsWith('DPoP ')),
    plans: 'fapi2-security',
    only: true,
    found: ['~access-token-type-header-case-sensitivity'],
  },
  'proofs are good for eight seconds': {
    fapi: true,
    use: refused((ctx) => Math.abs(part(ctx.get('dpop'), 1).iat * 1000 - Date.now()) > 8000),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-dpopproof-with-iat-10seconds-before-succeeds', '~ensure-dpopproof-with-iat-10seconds-after-succeeds'],
  },
  'proofs have no times of their own': {
    fapi: true,
    use: refused((ctx) => part(ctx.get('dpop'), 1).nbf !== undefined),
    plans: 'fapi2-security',
    only: true,
    found: ['~check-dpop-proof-nbf-exp'],
  },
  'requests are pushed without a proof': {
    fapi: true,
    use: refused((ctx) => ctx.path === '/request' && ctx.get('dpop')),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-dpopproof-at-par-endpoint-binding-success', '~check-dpop-proof-nbf-exp',
      '~ensure-dpopproof-with-iat-10seconds-before-succeeds', '~ensure-dpopproof-with-iat-10seconds-after-succeeds',
      '~ensure-mismatched-dpop-jkt-fails', '~ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt'],
  },
  'requests are pushed without a dpop_jkt': {
    fapi: true,
    use: pushed((form, ctx) => { if (form.has('dpop_jkt')) ctx.throw(400); }),
    plans: 'fapi2-security',
    only: true,
    found: ['~ensure-dpop-auth-code-binding-success', '~ensure-mismatched-dpop-jkt-fails',
      '~ensure-token-endpoint-fails-with-mismatched-dpop-jkt'],
  },
  'the metadata does not promise iss': {
    fapi: true,
    use: answered('/.well-known/openid-configuration',
      (ctx) => { delete ctx.body.authorization_response_iss_parameter_supported; }),
    plans: 'fapi2-security',
    only: true,
    found: ['~discovery-end-point-verification'],
  },
};

for (const fault of Object.values(faults)) {
  fault.found = fault.found.map((name) => name.replace(/^~/, 'fapi2-security-profile-final-'));
}
