// What a client of the Model Context Protocol keeps, and the document that describes it.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { listening } from './browser.mjs';

const DESCRIPTION = {
  client_name: 'Notes Assistant',
  // it listens at a port that the system gives it
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
};

/** Serves the document by https, without which the SDK takes no URL of one. */
export async function document() {
  const [cert, key] = [process.env.CERTIFICATE, process.env.CERTIFICATE_KEY].map((path) => readFileSync(path));
  let text = '';
  const server = createServer({ cert, key }, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  });
  await listening(server);
  const id = `https://localhost:${server.address().port}/client.json`;
  text = JSON.stringify({ client_id: id, ...DESCRIPTION });
  return { id, close: () => server.close() };
}

/** The `OAuthClientProvider` of a program, which both versions of the SDK ask. */
export class Assistant {
  #client;
  #tokens;
  #verifier;
  #discovered;
  /** Where the user was to be sent last. */
  authorization;

  constructor(clientMetadataUrl, redirectUrl) {
    Object.assign(this, { clientMetadataUrl, redirectUrl, clientMetadata: { ...DESCRIPTION, redirect_uris: [redirectUrl] } });
  }

  state() { return randomUUID(); }
  clientInformation() { return this.#client; }
  saveClientInformation(client) { this.#client = client; }
  tokens() { return this.#tokens; }
  saveTokens(tokens) { this.#tokens = tokens; }
  codeVerifier() { return this.#verifier; }
  saveCodeVerifier(verifier) { this.#verifier = verifier; }
  discoveryState() { return this.#discovered; }
  saveDiscoveryState(discovered) { this.#discovered = discovered; }
  redirectToAuthorization(url) { this.authorization = url; }

  /** Puts an access token in place of its own that is not accepted, as if that had expired. */
  spoilToken() { this.#tokens = { ...this.#tokens, access_token: 'made-up' }; }
}
