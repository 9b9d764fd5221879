// The peer of the load tool: oidc-provider with the same clients and the same work, everything in memory.
// Its environment: ADDRESS (host:port), ISSUER, CLIENT_SECRET and REDIRECT_URI.

import { generateKeyPair, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

import { Provider } from 'oidc-provider';

const { ADDRESS, ISSUER, CLIENT_SECRET, REDIRECT_URI } = process.env;

// What the access tokens of each client look like.
const ALGORITHMS = { 'bench-es256': 'ES256', 'bench-eddsa': 'EdDSA', 'bench-rs256': 'RS256' };
const RESOURCE = 'urn:bench:resource';
const HOUR = 3600;

async function key(alg, type, options) {
  const { privateKey } = await promisify(generateKeyPair)(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg };
}

const keys = await Promise.all([
  key('RS256', 'rsa', { modulusLength: 2048 }),
  key('ES256', 'ec', { namedCurve: 'P-256' }),
  key('EdDSA', 'ed25519'),
]);

function machine(client_id) {
  return {
    client_id,
    client_secret: CLIENT_SECRET,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  };
}

const provider = new Provider(ISSUER, {
  clients: [
    machine('bench-opaque'),
    ...Object.keys(ALGORITHMS).map(machine),
    {
      client_id: 'bench-code',
      client_secret: CLIENT_SECRET,
      grant_types: ['authorization_code'],
      response_types: ['code'],
      redirect_uris: [REDIRECT_URI],
    },
  ],
  jwks: { keys },
  cookies: { keys: [randomUUID()] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // Without a resource an access token is opaque.
      defaultResource: (_ctx, client) => (client.clientId in ALGORITHMS ? RESOURCE : undefined),
      getResourceServerInfo: (_ctx, resource, client) => ({
        scope: '',
        audience: resource,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: ALGORITHMS[client.clientId] } },
      }),
    },
  },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  ttl: {
    AccessToken: HOUR,
    AuthorizationCode: 60,
    ClientCredentials: HOUR,
    Grant: HOUR,
    IdToken: HOUR,
    Interaction: HOUR,
    Session: HOUR,
  },
});

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

// Who posts a login name is that person, and agrees to everything.
async function interact(request, response) {
  const form = await body(request);
  const { params } = await provider.interactionDetails(request, response);
  const accountId = form.get('username');
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

const answer = provider.callback();

const server = createServer((request, response) => {
  if (request.method !== 'POST' || !request.url.startsWith('/interaction/')) {
    answer(request, response);
    return;
  }
  interact(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(error.message);
  });
});
// A server waits for its turn longer than a connection is usually kept.
server.keepAliveTimeout = 0;

const [host, port] = ADDRESS.split(':');
server.listen(Number(port), host);
process.on('SIGTERM', () => process.exit(0));
