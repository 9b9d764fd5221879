// A page with oidc-client-ts, and what it tells the test.
import { readFileSync } from 'node:fs';

/** Where the library is. */
export const LIBRARY = '/oidc-client-ts.min.js';

const file = new URL('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js', import.meta.url);
/** The library as a server answers it. */
export const library = { 'content-type': 'text/javascript', body: readFileSync(file) };

/**
 * The script that every page of an application begins with. `replies` has what the provider's frame said about the session,
 * `events` what the client made of it, and `done` is what came of a sign-in.
 */
export const manager = (settings) => `
  window.replies = [];
  addEventListener('message', ({ data, source }) => {
    if (typeof data === 'string' && source !== window) window.replies.push(data);
  });
  const manager = new oidc.UserManager(${JSON.stringify({
    monitorSession: true, checkSessionIntervalInSeconds: 1, automaticSilentRenew: false, ...settings,
  })});
  window.events = [];
  manager.events.addUserSignedOut(() => window.events.push('signed out'));
  const arrived = (user) => { window.done = user; };`;

/** A page with these scripts. */
export const html = (...scripts) => ({
  'content-type': 'text/html',
  body: `<!doctype html><title>application</title><script src="${LIBRARY}"></script><script>${scripts.join('\n')}</script>`,
});

/** Answers with a page or the library. */
export function answer(response, { body, ...headers }) {
  response.writeHead(200, headers).end(body);
}
