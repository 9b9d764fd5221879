// Asks the provider's frame for the session as OpenID Connect Session Management 3.2 has it: by an iframe of the client's page,
// so that who asks is a sibling of the frame, and not its parent. The frame's scripts run against a document with the cookies
// that they can read. Standard input has the page, its URL, the cookies, the client's origin and the question.
import { text } from 'node:stream/consumers';
import { createContext, runInContext } from 'node:vm';

const { page, url, cookies, client, foreign, question } = JSON.parse(await text(process.stdin));
const listeners = [];
const { origin, href, protocol, host } = new URL(url);
const window = {
  document: { cookie: cookies, referrer: `${client}/`, hasStorageAccess: async () => true, addEventListener() {} },
  location: { origin, href, protocol, host, ancestorOrigins: [client] },
  parent: { postMessage() {} },
  addEventListener: (type, listener) => { if (type === 'message') listeners.push(listener); },
  postMessage() {},
  crypto, TextEncoder, URL, URLSearchParams, setTimeout, clearTimeout, btoa, atob, console, navigator: { userAgent: '' },
};
window.window = window.self = window;
window.top = window.parent;
createContext(window);
for (const [, script] of page.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)) runInContext(script, window);

/** How long the frame may take to answer on a busy machine, in milliseconds. */
const PATIENCE = 20_000;
/** How long an answer to the other origin may come behind that to the client's, in milliseconds. */
const BEHIND = 200;
const after = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds, null); });

/** What an iframe of this origin that is a sibling of the frame is answered. */
function ask(by) {
  return new Promise((resolve) => {
    const source = { postMessage: (reply) => resolve(reply) };
    const event = { type: 'message', data: question, origin: by, source };
    for (const listener of listeners) listener.call(window, event);
    window.onmessage?.(event);
  });
}

// the foreign one asks first, so that it would be answered first too
const asked = ask(foreign);
const own = await Promise.race([ask(client), after(PATIENCE)]);
const answers = { own, foreign: await Promise.race([asked, after(BEHIND)]) };
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
