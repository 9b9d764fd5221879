// Passkeys (Web Authentication). Forms with data-passkey are hidden until this runs in a browser that has passkeys.
"use strict";

const decoded = (text) => {
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
};

const encoded = (buffer) => {
  const bytes = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

// What the API takes: the same as the JSON, with bytes in the place of base64url.
const optionsOf = (form) => {
  const options = JSON.parse(form.dataset.options);
  const withBytes = (credential) => ({ ...credential, id: decoded(credential.id) });
  return {
    ...options,
    challenge: decoded(options.challenge),
    ...(options.user && { user: { ...options.user, id: decoded(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: options.excludeCredentials.map(withBytes) }),
    ...(options.allowCredentials && { allowCredentials: options.allowCredentials.map(withBytes) }),
  };
};

const answerOf = ({ id, rawId, type, response }) => {
  const bytes = (name) => (response[name] ? encoded(response[name]) : null);
  const common = { clientDataJSON: bytes("clientDataJSON") };
  const own = response.attestationObject
    ? { attestationObject: bytes("attestationObject"), transports: response.getTransports?.() ?? null }
    : { authenticatorData: bytes("authenticatorData"), signature: bytes("signature"), userHandle: bytes("userHandle") };
  return JSON.stringify({ id, rawId: encoded(rawId), type, response: { ...common, ...own } });
};

const send = (form, credential) => {
  form.elements.credential.value = answerOf(credential);
  // boxes of the page that concern this form too, such as the one to stay signed in
  for (const box of document.querySelectorAll("input[type=checkbox]:checked")) {
    if (box.form === form) continue;
    const field = document.createElement("input");
    [field.type, field.name, field.value] = ["hidden", box.name, box.value];
    form.append(field);
  }
  form.submit();
};

const setUp = (form) => {
  const failure = form.querySelector("[data-failure]");
  const call = (more) => {
    const publicKey = optionsOf(form);
    const { credentials } = navigator;
    return form.dataset.passkey === "create"
      ? credentials.create({ publicKey, ...more })
      : credentials.get({ publicKey, ...more });
  };
  let waiting;
  const offerInField = async () => {
    if (!("conditional" in form.dataset)) return;
    try {
      if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
      waiting = new AbortController();
      send(form, await call({ mediation: "conditional", signal: waiting.signal }));
    } catch {
      // the user has typed a name instead, or pressed the button
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    waiting?.abort();
    failure.hidden = true;
    try {
      send(form, await call({}));
    } catch {
      failure.hidden = false;
    }
  });
  form.hidden = false;
  offerInField();
};

if (window.PublicKeyCredential && navigator.credentials) {
  document.querySelectorAll("form[data-passkey]").forEach(setUp);
}
