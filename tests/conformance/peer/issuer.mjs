// Starts oidc-provider as an issuer of access tokens: node issuer.mjs LOGOUT_URI
// It listens where the system lets it, and writes its name to standard output.
//
// POST /control/mint     {"format": "RS256" | "PS256" | "ES256" | "EdDSA" | "opaque", "account", "client", "session"?} -> the token
// POST /control/id_token {"account"}            -> an ID token of the client
// POST /control/revoke   {"token"}              ends an opaque token
// POST /control/logout   {"account", "session"} tells LOGOUT_URI of the end of a session
// POST /control/rotate   {}                     gives every algorithm a new key, and forgets the ones before
//
// Tokens are made by the library's own models, as its token endpoint makes them; what is left out is the way of a browser to
// that endpoint.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const [logoutUri] = process.argv.slice(2);
const RESOURCE = 'urn:doorward';
// the session that a token belongs to
const sessions = new WeakMap();

function key(alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, kid: randomUUID(), use: 'sig' };
}

function start() {
  const keys = [
    key('RS256', 'rsa', { modulusLength: 2048 }),
    key('PS256', 'rsa', { modulusLength: 2048 }),
    key('ES256', 'ec', { namedCurve: 'P-256' }),
    key('EdDSA', 'ed25519'),
  ];
  return new Provider(issuer, {
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    clients: [
      {
        client_id: 'web', client_secret: 'the-secret-of-the-client-web', redirect_uris: ['http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token'], id_token_signed_response_alg: 'ES256',
        backchannel_logout_uri: logoutUri, backchannel_logout_session_required: true,
      },
      {
        client_id: 'resource', client_secret: 'the-secret-of-the-resource-server', redirect_uris: [], response_types: [],
        grant_types: [],
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    // what a token says beside what the library writes into it
    extraTokenClaims: (ctx, token) => ({
      preferred_username: token.accountId, ...(sessions.has(token) && { sid: sessions.get(token) }),
    }),
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => { throw new Error('tokens are made by /control/mint'); },
      },
      userinfo: { enabled: true },
    },
    // who is told listens on this machine: the guard against addresses of the own network is left out
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, name: id, preferred_username: id, email: `${id}@example.org`, email_verified: true }),
    }),
    jwks: { keys },
  });
}

let issuer;
let provider;
let answer;

async function mint({ format, account, client: clientId, session }) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: account, clientId });
  grant.addOIDCScope('openid profile email');
  const grantId = await grant.save();
  const token = new provider.AccessToken({
    accountId: account, client, grantId, gty: 'authorization_code', scope: 'openid profile email',
  });
  if (session) sessions.set(token, session);
  if (format !== 'opaque') {
    token.resourceServer = new provider.ResourceServer(RESOURCE, {
      audience: RESOURCE, accessTokenFormat: 'jwt', scope: '', jwt: { sign: { alg: format } },
    });
    token.scope = 'openid';
  }
  return token.save();
}

async function control(path, asked) {
  if (path === '/control/mint') return mint(asked);
  if (path === '/control/id_token') {
    const client = await provider.Client.find('web');
    const token = new provider.IdToken({ sub: asked.account }, { client, ctx: undefined });
    token.scope = 'openid';
    token.set('nonce', randomUUID());
    return token.issue({ use: 'idtoken', expiresAt: Math.floor(Date.now() / 1000) + 3600 });
  }
  if (path === '/control/logout') {
    const client = await provider.Client.find('web');
    await client.backchannelLogout(asked.account, asked.session);
    return '';
  }
  if (path === '/control/revoke') {
    const token = await provider.AccessToken.find(asked.token);
    await token.destroy();
    return '';
  }
  if (path === '/control/rotate') {
    provider = start();
    answer = provider.callback();
    return '';
  }
  throw new Error(`there is no ${path}`);
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

const server = createServer((request, response) => {
  if (!request.url.startsWith('/control/')) {
    answer(request, response);
    return;
  }
  body(request).then((asked) => control(request.url, asked)).then(
    (text) => response.end(text),
    (error) => {
      response.statusCode = 500;
      response.end(error.stack);
    },
  );
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  provider = start();
  answer = provider.callback();
  process.stdout.write(`${issuer}\n`);
});
