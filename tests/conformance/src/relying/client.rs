//! Clients: registered dynamically, or of the provider's configuration.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::form_urlencoded::byte_serialize;

use super::keys::SigningKey;
use crate::{
    context::Context,
    outcome::{Needed, Verdict, ensure, skipped},
    provider::{Call, Reply},
    random::random,
    target::{CALLBACK, LOGGED_OUT, StaticClient},
};

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    Basic,
    Post,
    PrivateKey,
}

impl Authentication {
    fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKey => "private_key_jwt",
        }
    }
}

/// A client of the provider.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    secret: Option<SecretString>,
    authentication: Authentication,
    pub(crate) key: Option<SigningKey>,
    pub(crate) redirect_uri: String,
    /// `None` when it registered without; RS256 is the default then.
    pub(crate) id_token_algorithm: Option<String>,
    /// What the provider answered the registration with; `Null` for a static client.
    pub(crate) registered: Value,
}

/// What a client registers.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) metadata: Map<String, Value>,
    authentication: Authentication,
    key: Option<SigningKey>,
}

impl Wanted {
    /// The common metadata of a plan.
    pub(crate) fn of(context: &Context<'_>) -> Self {
        let plan = context.plan;
        let metadata = json!({
            "client_name": "conformance",
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [LOGGED_OUT],
            "response_types": [plan.response_type.as_str()],
            "grant_types": plan.response_type.grant_types(),
            "contacts": ["conformance@rp.conformance.test"],
        });
        let Value::Object(metadata) = metadata else { unreachable!("an object is written above") };
        Self { metadata, authentication: Authentication::Basic, key: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn by_post(mut self) -> Self {
        self.authentication = Authentication::Post;
        self
    }

    /// By `private_key_jwt`, with the public key in the registration itself.
    pub(crate) fn by_key(self) -> Verdict<Self> {
        let key = SigningKey::generate()?;
        let set = key.set()?;
        Ok(self.by_key_at(key).with("jwks", set))
    }

    /// By `private_key_jwt`, with the public key wherever the metadata says.
    pub(crate) fn by_key_at(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self.authentication = Authentication::PrivateKey;
        self
    }

    /// Sends it, whatever comes back.
    pub(crate) async fn send(&self, context: &Context<'_>) -> Verdict<Reply> {
        let endpoint = context.discovery.get("registration_endpoint");
        let endpoint = endpoint.ok_or_else(|| skipped("the provider has no registration_endpoint"))?;
        let mut metadata = self.metadata.clone();
        metadata.insert("token_endpoint_auth_method".to_owned(), json!(self.authentication.as_str()));
        let token = context.target.registration_token.as_ref().map(ExposeSecret::expose_secret);
        let call = Call::new(&context.http, Method::POST, endpoint).json(&Value::Object(metadata));
        call.bearer(token).send().await
    }

    /// Registers (RFC 7591 3.2.1).
    pub(crate) async fn register(self, context: &Context<'_>) -> Verdict<Client> {
        let reply = self.send(context).await?;
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        ensure(reply.status == StatusCode::CREATED, format!("registration: {}", reply.described()))?;
        ensure(reply.is_a("application/json"), "a registration is not answered by application/json")?;
        reply.ensure_not_stored("the answer to a registration")?;
        let registered = reply.json();
        let secret = text(&registered, "client_secret");
        if secret.is_some() {
            let expires = registered.get("client_secret_expires_at").is_some_and(Value::is_u64);
            ensure(expires, "a registration with a secret lacks client_secret_expires_at")?;
        }
        let uris = self.metadata.get("redirect_uris").and_then(Value::as_array);
        let redirect_uri = uris.and_then(|uris| uris.first()?.as_str()).unwrap_or(CALLBACK).to_owned();
        Ok(Client {
            id: text(&registered, "client_id").needed("client_id in the answer to a registration")?,
            secret: secret.map(Into::into),
            authentication: self.authentication,
            key: self.key,
            redirect_uri,
            id_token_algorithm: self
                .metadata
                .get("id_token_signed_response_alg")
                .and_then(Value::as_str)
                .map(str::to_owned),
            registered,
        })
    }

    /// Sends it and expects a refusal with this error.
    pub(crate) async fn refused(&self, context: &Context<'_>, errors: &[&str]) -> Verdict {
        let reply = self.send(context).await?;
        let description = reply.described();
        ensure(
            reply.status == StatusCode::BAD_REQUEST,
            format!("registered, or refused without status 400: {description}"),
        )?;
        ensure(errors.contains(&reply.error().as_str()), format!("the error is none of {errors:?}: {description}"))
    }
}

impl Client {
    /// A client of the provider's configuration.
    pub(crate) fn of_configuration(given: &StaticClient, authentication: Authentication) -> Self {
        Self {
            id: given.id.clone(),
            secret: Some(given.secret.clone()),
            authentication,
            key: None,
            redirect_uri: CALLBACK.to_owned(),
            id_token_algorithm: None,
            registered: Value::Null,
        }
    }

    pub(crate) fn key(&self) -> Verdict<&SigningKey> {
        self.key.as_ref().needed("the client's key")
    }

    /// The same client after it changed its key.
    pub(crate) fn with_key(&self, key: SigningKey) -> Self {
        Self { key: Some(key), ..self.clone() }
    }

    /// Shows the token endpoint who this is, and asks it for tokens.
    pub(crate) async fn ask(&self, context: &Context<'_>, fields: &[(&str, &str)]) -> Verdict<Reply> {
        self.ask_as(context, fields, context.discovery.endpoint("token_endpoint")?).await
    }

    /// As [`Client::ask`], with an assertion that is addressed to this audience.
    pub(crate) async fn ask_as(
        &self,
        context: &Context<'_>,
        fields: &[(&str, &str)],
        audience: &str,
    ) -> Verdict<Reply> {
        let url = context.discovery.endpoint("token_endpoint")?;
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut call = Call::new(&context.http, Method::POST, url);
        let secret = || self.secret.as_ref().map(ExposeSecret::expose_secret).needed("the client's secret");
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
        match self.authentication {
            Authentication::Basic => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                call = call.basic(STANDARD.encode(format!("{}:{}", encoded(&self.id), encoded(secret()?))));
            }
            Authentication::Post => {
                add("client_id", self.id.clone());
                add("client_secret", secret()?.to_owned());
            }
            Authentication::PrivateKey => {
                add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned());
                add("client_assertion", self.assertion(audience)?);
            }
        }
        call.form(&fields).send().await
    }

    /// RFC 7523 3
    fn assertion(&self, audience: &str) -> Verdict<String> {
        let now = jsonwebtoken::get_current_timestamp();
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": audience, "jti": random(16), "iat": now, "exp": now + 120,
        });
        self.key()?.sign(&claims)
    }
}

/// The client of a check, with nothing special about it.
pub(crate) async fn usual(context: &Context<'_>) -> Verdict<Client> {
    nth(context, 0).await
}

/// Another client, to which nothing of the first belongs.
pub(crate) async fn other(context: &Context<'_>) -> Verdict<Client> {
    nth(context, 1).await
}

async fn nth(context: &Context<'_>, index: usize) -> Verdict<Client> {
    if !context.plan.static_client {
        return usual_wanted(context)?.register(context).await;
    }
    let given = context.target.static_clients.get(index);
    let given = given.ok_or_else(|| skipped(format!("{} static clients are needed", index + 1)))?;
    Ok(Client::of_configuration(given, Authentication::Basic))
}

/// What [`usual`] registers: the plan for dynamic registration authenticates by keys.
pub(crate) fn usual_wanted(context: &Context<'_>) -> Verdict<Wanted> {
    let wanted = Wanted::of(context);
    if context.plan.profile == crate::plan::Profile::Dynamic { wanted.by_key() } else { Ok(wanted) }
}

/// A client that authenticates by `client_secret_post`.
pub(crate) async fn posting(context: &Context<'_>) -> Verdict<Client> {
    if !context.plan.static_client {
        return Wanted::of(context).by_post().register(context).await;
    }
    let given = context.target.static_post_client.as_ref();
    let given = given.ok_or_else(|| skipped("no static client for client_secret_post is given"))?;
    Ok(Client::of_configuration(given, Authentication::Post))
}
