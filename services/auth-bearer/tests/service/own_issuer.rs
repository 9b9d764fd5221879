//! Our own provider, which is called at its internal address and may be in the same process.

use std::sync::{Arc, Mutex};

use auth_bearer::{AuthProviders, Config, Oidc};
use authn::testing::refusal_reason;
use authn::{AuthError, Authenticator, Credentials, EndedSessions, Reason};
use config::Environment;
use oidc::jose::Algorithm;
use runtime::Context;
use serde_json::json;

use crate::support::{Provider, Service, directory, key, no_users, sign, with};

/// The name of the issuer; nothing can be called there (RFC 6761 6.4).
const NAME: &str = "https://cloud.invalid";

/// What the provider says of its session `s1`.
struct Sessions(Mutex<Option<bool>>);

impl EndedSessions for Sessions {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        assert_eq!(issuer, NAME);
        if sid == "s1" { *self.0.lock().expect("is not poisoned") } else { Some(false) }
    }
}

/// `docs/security-requirements.md#r9`
#[tokio::test]
async fn token_of_own_issuer_ends_with_its_session() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    provider.announce("issuer", json!(NAME));
    provider.announce("jwks_uri", json!(format!("{NAME}/keys")));
    let oidc = Oidc { issuer: NAME.to_owned(), own_issuers: vec![NAME.to_owned()], ..Oidc::default() };
    let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
    let config = Config { auth_providers, idp_backend: provider.url.clone(), ..Config::default() };
    let service = Service::of_config(&config, directory(), no_users());
    let sessions = Arc::new(Sessions(Mutex::new(Some(false))));
    let context = Context { clock: service.clock.clone(), ..Context::new(Environment::default()) };
    let ended: Arc<dyn EndedSessions> = sessions.clone();
    let bearer = auth_bearer::open(&config, directory(), no_users(), Some(ended), &context).expect("is opened");
    let authenticate = async |token: &str| bearer.authenticate(&Credentials::new("", token.to_owned())).await;

    let claims = with(with(service.claims(NAME), "sid", "s1"), "first_party", true);
    let token = sign(&signer, &claims);
    let other = sign(&signer, &with(claims.clone(), "sid", "s2"));
    let offline = sign(&signer, &with(claims, "scope", "openid offline_access"));
    authenticate(&token).await.expect("is good, by the keys at the internal address");

    *sessions.0.lock().expect("is not poisoned") = None;
    assert!(matches!(authenticate(&token).await, Err(AuthError::Unavailable { .. })));
    *sessions.0.lock().expect("is not poisoned") = Some(true);
    assert_eq!(refusal_reason(authenticate(&token).await), Reason::Revoked);
    for token in [&other, &offline] {
        authenticate(token).await.expect("is of another session, or survives it");
    }
}

/// `docs/security-requirements.md#r8`
#[tokio::test]
async fn foreign_issuer_is_not_called_at_the_internal_address() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    provider.announce("issuer", json!(NAME));
    provider.announce("jwks_uri", json!(format!("{NAME}/keys")));
    let oidc = Oidc { issuer: NAME.to_owned(), ..Oidc::default() };
    let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
    let config = Config { auth_providers, idp_backend: provider.url.clone(), ..Config::default() };
    let service = Service::of_config(&config, directory(), no_users());
    let answer = service.authenticate(&sign(&signer, &service.claims(NAME))).await;
    assert!(matches!(answer, Err(AuthError::Unavailable { .. })), "its keys are not known");
    assert_eq!(provider.fetches(), 0);
}
