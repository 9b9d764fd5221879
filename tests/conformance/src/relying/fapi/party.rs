//! The client and its keys.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Form, is_signing};
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, skipped},
    provider::{Call, Reply},
    random::random,
    relying::{jwt::Jwt, keys::SigningKey, request::Request},
    target::CALLBACK,
};

/// The lifetime of JWTs, in seconds.
pub(crate) const LIFETIME: u64 = 60;

/// A registered client, and its keys.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    pub(crate) id: String,
    pub(crate) redirect_uri: String,
    /// Signs assertions and request objects.
    pub(crate) key: SigningKey,
    /// Another registered key, where the check needs one.
    pub(crate) rsa: Option<SigningKey>,
    /// To which its tokens are bound.
    pub(crate) possession: SigningKey,
    /// Of PKCE (RFC 7636).
    pub(crate) verifier: String,
    /// The last nonce that the provider sent (RFC 9449 8).
    nonce: Arc<Mutex<Option<String>>>,
}

impl Party {
    /// The usual client.
    pub(crate) async fn first(context: &Context<'_>) -> Verdict<Self> {
        Self::register(context, CALLBACK, None).await
    }

    /// Another client, to which nothing of the first belongs.
    pub(crate) async fn second(context: &Context<'_>) -> Verdict<Self> {
        Self::register(context, &format!("{CALLBACK}?dummy1=lorem&dummy2=ipsum"), None).await
    }

    /// A client with an RSA key too.
    pub(crate) async fn with_rsa(context: &Context<'_>) -> Verdict<Self> {
        Self::register(context, CALLBACK, Some(SigningKey::generate()?)).await
    }

    async fn register(context: &Context<'_>, redirect_uri: &str, rsa: Option<SigningKey>) -> Verdict<Self> {
        let endpoint = context.discovery.get("registration_endpoint");
        let endpoint = endpoint.ok_or_else(|| skipped("the provider has no registration_endpoint"))?;
        let (key, possession) = (SigningKey::elliptic()?, SigningKey::elliptic()?);
        let keys = [Some(&key), rsa.as_ref()].into_iter().flatten().map(SigningKey::named);
        let mut metadata = json!({
            "client_name": "conformance",
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": "openid profile offline_access",
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": keys.collect::<Verdict<Vec<_>>>()? },
            "dpop_bound_access_tokens": true,
            "id_token_signed_response_alg": "ES256",
            "authorization_signed_response_alg": "ES256",
            // of Doorward; others ignore it (RFC 7591 2)
            "profile": "fapi2",
        });
        let signing = json!({
            "request_object_signing_alg": "ES256",
            "require_signed_request_object": true,
            "response_modes": ["jwt"],
        });
        if let (true, Value::Object(members), Value::Object(more)) = (is_signing(context), &mut metadata, signing) {
            members.extend(more);
        }
        let token = context.target.registration_token.as_ref().map(ExposeSecret::expose_secret);
        let call = Call::new(&context.http, Method::POST, endpoint).json(&metadata);
        let reply = call.bearer(token).send().await?;
        ensure(reply.status == StatusCode::CREATED, format!("registration: {}", reply.described()))?;
        let registered = reply.json();
        let id = registered.get("client_id").and_then(Value::as_str).needed("client_id of a registration")?;
        Ok(Self {
            id: id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            key,
            rsa,
            possession,
            verifier: random(32),
            nonce: Arc::default(),
        })
    }

    /// The same client with another key for its tokens.
    pub(crate) fn with_other_possession(&self) -> Verdict<Self> {
        Ok(self.with_possession(SigningKey::elliptic()?))
    }

    /// The same client with this key for its tokens.
    pub(crate) fn with_possession(&self, possession: SigningKey) -> Self {
        Self { possession, ..self.clone() }
    }

    /// An authorization request for an ID token, an access token and a refresh token.
    pub(crate) fn request(&self, context: &Context<'_>) -> Request {
        let (state, nonce) = (random(12), random(12));
        let request = Request { parameters: Vec::new(), state: Some(state.clone()), nonce: Some(nonce.clone()) };
        let request = request
            .with("client_id", &self.id)
            .with("redirect_uri", &self.redirect_uri)
            .with("response_type", "code")
            .with("scope", "openid offline_access")
            .with("prompt", "consent")
            .with("state", &state)
            .with("nonce", &nonce)
            .with("code_challenge", &hash(&self.verifier))
            .with("code_challenge_method", "S256");
        if is_signing(context) { request.with("response_mode", "jwt") } else { request }
    }

    /// A client assertion for the issuer (FAPI 2.0 Security Profile 5.3.3).
    pub(crate) fn assertion(&self, context: &Context<'_>) -> Jwt {
        let issuer = context.discovery.get("issuer").unwrap_or_default();
        let now = now();
        Jwt::new(&self.key)
            .claim("iss", self.id.clone())
            .claim("sub", self.id.clone())
            .claim("aud", issuer)
            .claim("jti", random(16))
            .claim("iat", now)
            .claim("exp", now + LIFETIME)
    }

    /// A request object (RFC 9101, FAPI 2.0 Message Signing 5.3.2).
    pub(crate) fn object(&self, context: &Context<'_>, request: &Request) -> Jwt {
        let issuer = context.discovery.get("issuer").unwrap_or_default();
        let now = now();
        let object = Jwt::new(&self.key)
            .claim("iss", self.id.clone())
            .claim("aud", issuer)
            .claim("nbf", now)
            .claim("exp", now + 5 * LIFETIME);
        request.parameters.iter().fold(object, |object, (name, value)| object.claim(name, value.clone()))
    }

    /// A proof of possession for a request (RFC 9449 4.2).
    pub(crate) fn proof(&self, method: &str, url: &str) -> Verdict<Jwt> {
        let proof = Jwt::new(&self.possession)
            .without_header("kid")
            .header("typ", "dpop+jwt")
            .header("jwk", self.possession.public()?);
        Ok(proof.claim("htm", method).claim("htu", url).claim("iat", now()).claim("jti", random(16)))
    }

    /// A request to be pushed: its parameters, or a request object with them.
    pub(crate) fn pushing(&self, context: &Context<'_>, request: &Request) -> Verdict<Form<'_>> {
        if is_signing(context) {
            return self.pushing_object(context, &self.object(context, request));
        }
        self.pushing_plain(context, request)
    }

    /// The parameters themselves.
    pub(crate) fn pushing_plain(&self, context: &Context<'_>, request: &Request) -> Verdict<Form<'_>> {
        let form = Form::new(self, context, "pushed_authorization_request_endpoint")?;
        Ok(request.parameters.iter().fold(form, |form, (name, value)| form.with(name, value)))
    }

    /// A request object.
    pub(crate) fn pushing_object(&self, context: &Context<'_>, object: &Jwt) -> Verdict<Form<'_>> {
        let form = Form::new(self, context, "pushed_authorization_request_endpoint")?;
        Ok(form.with("client_id", &self.id).with("request", &object.write()?))
    }

    /// Redeems a code, with a proof.
    pub(crate) fn redeeming(&self, context: &Context<'_>, code: &str) -> Verdict<Form<'_>> {
        let form = Form::new(self, context, "token_endpoint")?.proven()?;
        let form = form.with("grant_type", "authorization_code").with("code", code);
        Ok(form.with("redirect_uri", &self.redirect_uri).with("code_verifier", &self.verifier))
    }

    /// Uses a refresh token, with a proof.
    pub(crate) fn refreshing(&self, context: &Context<'_>, token: &str) -> Verdict<Form<'_>> {
        let form = Form::new(self, context, "token_endpoint")?.proven()?;
        Ok(form.with("grant_type", "refresh_token").with("refresh_token", token))
    }

    /// A proof with the nonce that the provider sent last, unless it has one or there is none.
    pub(crate) fn with_nonce(&self, proof: Jwt) -> Jwt {
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match nonce {
            Some(nonce) if !proof.has("nonce") => proof.claim("nonce", nonce),
            _ => proof,
        }
    }

    /// Notes the nonce of a response; whether it demands one.
    pub(crate) fn takes_nonce(&self, reply: &Reply) -> bool {
        let nonce = reply.headers.get("dpop-nonce").and_then(|value| value.to_str().ok());
        if let Some(nonce) = nonce {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
        let demand = "use_dpop_nonce";
        nonce.is_some() && (reply.error() == demand || reply.header(header::WWW_AUTHENTICATE).contains(demand))
    }

    /// Whether the provider has sent a nonce.
    pub(crate) fn has_nonce(&self) -> bool {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// The present, in seconds.
pub(crate) fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// SHA-256 of a text, in base64url.
pub(crate) fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
