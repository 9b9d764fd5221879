// Faults that a provider can have. Each is put into the peer when FAULT names it, and must be found by the checks that it
// lists: `node judge.mjs` holds that.

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
    found: ['~ensure-request-object-without-exp-fails', '~ensure-request-object-with-invalid-signature-fails',
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
};

for (const fault of Object.values(faults)) {
  fault.found = fault.found.map((name) => name.replace(/^~/, 'fapi2-security-profile-final-'));
}
