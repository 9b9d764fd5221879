//! An authenticator in software with one ES256 key, and the browser around it.

use authn::Caller;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Bench, Reply, SITE};
use crate::engine::factors::passkey::{self, Answer, PasskeyError, RelyingParty, registration};

/// The token of the form that registers.
const FORM: &str = "form";

/// An authenticator. What it says of itself can be changed.
pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    /// The identifier of its credential.
    pub(crate) id: Vec<u8>,
    /// The user, as it has stored that.
    pub(crate) handle: String,
    /// The counter of its last answer.
    pub(crate) counter: u32,
    /// The site that the browser shows.
    pub(crate) origin: String,
    /// Whether it has verified the user, by a PIN for example.
    pub(crate) verifies_user: bool,
    /// Whether its key may be on several devices.
    pub(crate) is_synced: bool,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let id = digest(&SHA256, key.public_key().as_ref()).as_ref()[..16].to_vec();
        let (origin, handle) = (SITE.to_owned(), String::new());
        Self { key, id, handle, counter: 0, origin, verifies_user: true, is_synced: false }
    }

    /// Adds its key as a passkey of the user.
    pub(crate) async fn register(&mut self, bench: &Bench) -> Result<(), PasskeyError> {
        let (provider, user) = (&bench.provider, bench.user());
        let relying_party = RelyingParty::of(provider, bench.endpoints()).expect("there are passkeys");
        let known = passkey::list(provider, &user.id.opaque_id).await?;
        let begun = registration::begin(provider, &relying_party, (&user, &known), FORM)?;
        let credential = self.create(&serde_json::from_str(&begun.options).expect("JSON"));
        let answer = Answer { form: FORM, ceremony: &begun.ceremony, credential: &credential };
        registration::finish(provider, &relying_party, &user, (answer, "phone"), &Caller::default()).await
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let challenge = &options["challenge"];
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false }).to_string()
    }

    /// The data that is signed, with these flags more.
    fn authenticator_data(&self, more: u8) -> Vec<u8> {
        let (user_present, user_verified, backup) = (1, 4, 8 | 16);
        let verified = if self.verifies_user { user_verified } else { 0 };
        let flags = user_present | verified | if self.is_synced { backup } else { 0 } | more;
        [digest(&SHA256, b"cloud.example").as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// `navigator.credentials.create`
    pub(crate) fn create(&mut self, options: &Value) -> String {
        let handle = options["user"]["id"].as_str().expect("a handle");
        handle.clone_into(&mut self.handle);
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        // COSE (RFC 9053 7.1): an EC2 key for ES256 on P-256
        let key = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], x, &[0x22, 0x58, 32], y].concat();
        let length = u16::try_from(self.id.len()).expect("is short").to_be_bytes();
        let data = [self.authenticator_data(64), vec![0; 16], length.to_vec(), self.id.clone(), key].concat();
        let length = u8::try_from(data.len()).expect("is short");
        let attestation = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58", &[length][..], &data].concat();
        let response = json!({
            "clientDataJSON": encoded(self.client_data("webauthn.create", options)),
            "attestationObject": encoded(attestation),
            "transports": ["internal"],
        });
        self.credential(&response)
    }

    /// `navigator.credentials.get`
    pub(crate) fn get(&mut self, options: &Value) -> String {
        self.counter += 1;
        let (data, client_data) = (self.authenticator_data(0), self.client_data("webauthn.get", options));
        let signed = [&data, digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("signs");
        let response = json!({
            "clientDataJSON": encoded(client_data),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": self.handle,
        });
        self.credential(&response)
    }

    fn credential(&self, response: &Value) -> String {
        let id = encoded(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response }).to_string()
    }
}

/// What the browser's API is called with on a page; `None` where it asks for no passkey.
pub(crate) fn options_of(page: &Reply) -> Option<Value> {
    let (_, rest) = page.text.split_once("data-options=\"")?;
    let (text, _) = rest.split_once('"')?;
    let text = text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&");
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
