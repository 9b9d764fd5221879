
(() => {
  "use strict";
  const prefix = "COOKIE_NAME=";

  function browserState() {
    const found = document.cookie.split("; ").filter((pair) => pair.startsWith(prefix));
    return found.length === 1 ? found[0].slice(prefix.length) : "none";
  }

  // a browser that keeps cookies from frames of other sites shows this one none, whoever is signed in
  async function seesCookies() {
    return (await document.hasStorageAccess?.()) ?? true;
  }

  async function answer(message, origin) {
    // a client's identifier may have spaces; what follows the last one is hash.salt
    const parts = typeof message === "string" && /^(.+) ([0-9a-f]{64})\.([^ .]+)$/s.exec(message);
    if (!parts || !crypto.subtle || !(await seesCookies())) {
      return "error";
    }
    const [, client, known, salt] = parts;
    const text = new TextEncoder().encode([client, origin, browserState(), salt].join(" "));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex === known ? "unchanged" : "changed";
  }

  // the origin of the page that holds this frame; a browser that does not tell it has the referrer
  function holder() {
    const [nearest] = location.ancestorOrigins ?? [];
    return nearest ?? (URL.canParse(document.referrer) ? new URL(document.referrer).origin : undefined);
  }

  addEventListener("message", async (event) => {
    // whichever window of the page's origin asks is answered, such as a sibling iframe of the client, and only where it can be
    // named
    const isHolder = event.source === parent || event.origin === holder();
    if (!isHolder || parent === window || event.source === window || event.origin === "null") {
      return;
    }
    const reply = await answer(event.data, event.origin).catch(() => "error");
    event.source.postMessage(reply, event.origin);
  });
})();
