// Starts oidc-provider with what the checks need: node server.mjs PORT FOLDER
// FOLDER holds certificate.pem and key.pem for localhost. POST /rotate adds a signing key and makes it the first.
// FAPI=1 makes it a provider of FAPI 2.0; with NONCES=1 it demands DPoP nonces then.

import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';

import Provider from 'oidc-provider';

import { faults } from './faults.mjs';

const [port, folder] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
const fault = process.env.FAULT ? faults[process.env.FAULT] : {};
const isFapi = process.env.FAPI === '1';

const address = {
  formatted: '1 Main Street\nAnytown', street_address: '1 Main Street', locality: 'Anytown', postal_code: '12345', country: 'XX',
};

async function findAccount(ctx, id) {
  return {
    accountId: id,
    async claims() {
      return {
        sub: id,
        address,
        birthdate: '1979-03-14',
        email: `${id}@example.org`,
        email_verified: true,
        family_name: 'Einstein',
        gender: 'male',
        given_name: 'Albert',
        locale: 'de-DE',
        middle_name: 'M',
        name: 'Albert Einstein',
        nickname: 'Al',
        phone_number: '+49 000 000000',
        phone_number_verified: false,
        picture: 'https://example.org/einstein.png',
        preferred_username: id,
        profile: 'https://example.org/einstein',
        updated_at: 1454704946,
        website: 'https://example.org',
        zoneinfo: 'Europe/Berlin',
      };
    },
  };
}

// The default store forgets after 1000 entries, and the slow checks outlive those.
const store = new Map();
const members = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    for (const name of fault.dropped?.[this.model] ?? []) delete payload[name];
    store.set(key, { payload, ends: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.uid) store.set(`${this.model}:uid:${payload.uid}`, { link: id });
    if (payload.userCode) store.set(`${this.model}:code:${payload.userCode}`, { link: id });
    if (payload.grantId && this.model !== 'Grant') {
      members.set(payload.grantId, (members.get(payload.grantId) ?? new Set()).add(key));
    }
  }
  async find(id) {
    const found = store.get(this.key(id));
    return found && found.ends > Date.now() ? found.payload : undefined;
  }
  async findByUid(uid) { return this.find(store.get(`${this.model}:uid:${uid}`)?.link); }
  async findByUserCode(code) { return this.find(store.get(`${this.model}:code:${code}`)?.link); }
  async consume(id) {
    if (this.model !== fault.unconsumed) store.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    if (!(fault.keepSessions && ['Session', 'Grant'].includes(this.model))) store.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const key of members.get(grantId) ?? []) store.delete(key);
    members.delete(grantId);
  }
}

function rsa() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' };
}

function ec() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' };
}

const responseTypes = ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token', 'none'];

function fixed(id, authMethod) {
  return {
    client_id: id,
    client_secret: `${id}-secret-of-the-conformance-peer`,
    token_endpoint_auth_method: authMethod,
    redirect_uris: ['https://rp.conformance.test/callback'],
    post_logout_redirect_uris: ['https://rp.conformance.test/logged-out'],
    response_types: responseTypes,
    grant_types: ['authorization_code', 'refresh_token', 'implicit'],
  };
}

// What differs where all clients keep to FAPI 2.0.
function ofFapi({ features, ...common }) {
  const algorithms = ['PS256', 'ES256'];
  return {
    ...common,
    clientAuthMethods: ['private_key_jwt'],
    clients: [],
    enabledJWA: {
      authorizationSigningAlgValues: algorithms,
      clientAuthSigningAlgValues: algorithms,
      dPoPSigningAlgValues: algorithms,
      idTokenSigningAlgValues: algorithms,
      requestObjectSigningAlgValues: algorithms,
      userinfoSigningAlgValues: algorithms,
      ...fault.algorithms,
    },
    features: {
      ...features,
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => process.env.NONCES === '1', ...fault.dPoP },
      fapi: { enabled: true, profile: '2.0' },
      jwtResponseModes: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      ...fault.features,
    },
    pkce: { required: () => true },
    responseTypes: ['code'],
    rotateRefreshToken: false,
    ttl: { ...common.ttl, AuthorizationCode: 60, ...fault.ttl },
    ...fault.configuration,
  };
}

// The cipher suites that BCP 195 recommends.
const ciphers = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'];

const keys = [rsa(), ec()];
const cookieKeys = [randomUUID()];

function start() {
  const configuration = {
    adapter: Memory,
    claims: {
      address: ['address'],
      email: ['email', 'email_verified'],
      phone: ['phone_number', 'phone_number_verified'],
      profile: ['birthdate', 'family_name', 'gender', 'given_name', 'locale', 'middle_name', 'name', 'nickname',
        'picture', 'preferred_username', 'profile', 'updated_at', 'website', 'zoneinfo'],
    },
    clients: [
      fixed('first', 'client_secret_basic'), fixed('second', 'client_secret_basic'), fixed('posting', 'client_secret_post'),
    ],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    // Sessions go along with requests that are posted from elsewhere.
    cookies: { keys: cookieKeys, long: { sameSite: 'none', secure: true } },
    enableHttpPostMethods: true,
    features: {
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      jwtUserinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      requestObjects: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    // The relying party listens on this machine: the guard against addresses of the own network is left out.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    findAccount,
    jwks: { keys: [...keys] },
    pkce: { required: () => false },
    responseTypes,
    scopes: ['openid', 'offline_access'],
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: (ctx, accountId, client) => `${accountId}-${client.sectorIdentifier}`,
    ttl: { AccessToken: 3600, AuthorizationCode: 600, Grant: 7200, IdToken: 3600, Interaction: 3600, RefreshToken: 7200, Session: 7200 },
  };
  const provider = new Provider(issuer, isFapi ? ofFapi(configuration) : configuration);
  fault.provider?.(provider);
  if (fault.use) provider.use(fault.use);
  provider.on('server_error', (ctx, error) => process.stderr.write(`${error.stack}\n`));
  return provider.callback();
}

let answer = start();

const read = (name) => readFileSync(join(folder, name));
const tls = { cert: read('certificate.pem'), key: read('key.pem'), ...(isFapi && !fault.anyCipher && { ciphers: ciphers.join(':') }) };
createServer(tls, (request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    if (fault.dropKeys) keys.length = 0;
    keys.unshift(rsa());
    answer = start();
    response.writeHead(204).end();
    return;
  }
  answer(request, response);
}).listen(Number(port), '127.0.0.1', () => process.stdout.write(`${issuer}\n`));
