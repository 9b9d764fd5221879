//! Our own provider, which is called at its internal address and may be in the same process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth_bearer::{AuthProviders, Bearer, Config, Oidc};
use authn::ended_sessions::{Cutoff, Issuance, REMEMBERED};
use authn::testing::{MemoryDirectory, refusal_reason, user};
use authn::{AuthError, Authenticated, Authenticator, Credentials, EndedSessions, Reason, User, UserId, UserType, amr};
use config::Environment;
use oidc::jose::{Algorithm, SigningKey};
use runtime::Context;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Provider, Service, directory, key, no_logouts, no_users, sign, with};

/// The name of the issuer; nothing can be called there (RFC 6761 6.4).
const NAME: &str = "https://cloud.invalid";

/// What the provider says: of `s1`, and until when ends of everything are remembered, if it knows.
struct Sessions(Mutex<Option<bool>>, Mutex<Option<HashMap<Uuid, SystemTime>>>);

impl EndedSessions for Sessions {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        assert_eq!(issuer, NAME);
        if sid == "s1" { *self.0.lock().expect("is not poisoned") } else { Some(false) }
    }

    fn cuts_off(&self, issuer: &str, token: &Issuance<'_>) -> Option<bool> {
        assert_eq!(issuer, NAME);
        let ends = self.1.lock().expect("is not poisoned");
        ends.as_ref().map(|ends| token.is_cut_off(|id| ends.get(&id).copied()))
    }
}

/// The service with our own provider as its issuer.
struct Own {
    signer: SigningKey,
    sessions: Arc<Sessions>,
    service: Service,
    bearer: Arc<Bearer>,
    _provider: Provider,
}

impl Own {
    async fn new() -> Self {
        let signer = key("k", Algorithm::Es256);
        let provider = Provider::start(&[&signer]).await;
        provider.announce("issuer", json!(NAME));
        provider.announce("jwks_uri", json!(format!("{NAME}/keys")));
        let oidc = Oidc { issuer: NAME.to_owned(), own_issuers: vec![NAME.to_owned()], ..Oidc::default() };
        let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
        let config = Config { auth_providers, idp_backend: provider.url.clone(), ..Config::default() };
        let service = Service::of_config(&config, directory(), no_users());
        let sessions = Arc::new(Sessions(Mutex::new(Some(false)), Mutex::new(Some(HashMap::new()))));
        let context = Context { clock: service.clock.clone(), ..Context::new(Environment::default()) };
        let ended: Arc<dyn EndedSessions> = sessions.clone();
        let bearer = auth_bearer::open(&config, directory(), no_users(), (no_logouts(), Some(ended)), &context);
        Self { signer, sessions, service, bearer: bearer.expect("is opened"), _provider: provider }
    }

    /// Has the provider say this of `s1`.
    fn say(&self, has_ended: Option<bool>) {
        *self.sessions.0.lock().expect("is not poisoned") = has_ended;
    }

    /// Has the provider end everything of this alone before a second.
    fn cut_off(&self, of: Cutoff<'_>, second: u64) {
        let until = UNIX_EPOCH + Duration::from_secs(second) + REMEMBERED;
        *self.sessions.1.lock().expect("is not poisoned") = Some(HashMap::from([(of.id(), until)]));
    }

    /// Whether a token is accepted, and not revoked.
    async fn accepts(&self, token: &str) -> bool {
        let answer = self.authenticate(token).await;
        answer.is_ok() || {
            assert_eq!(refusal_reason(answer), Reason::Revoked);
            false
        }
    }

    fn sign(&self, claims: &Value) -> String {
        sign(&self.signer, claims)
    }

    async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthError> {
        self.bearer.authenticate(&Credentials::new("", token.to_owned())).await
    }
}

/// `docs/security-requirements.md#r9`
#[tokio::test]
async fn token_of_own_issuer_ends_with_its_session() {
    let own = Own::new().await;
    let claims = with(with(own.service.claims(NAME), "sid", "s1"), "first_party", true);
    let token = own.sign(&claims);
    let other = own.sign(&with(claims.clone(), "sid", "s2"));
    let offline = own.sign(&with(claims, "scope", "openid offline_access"));
    own.authenticate(&token).await.expect("is good, by the keys at the internal address");

    own.say(None);
    assert!(matches!(own.authenticate(&token).await, Err(AuthError::Unavailable { .. })));
    own.say(Some(true));
    assert_eq!(refusal_reason(own.authenticate(&token).await), Reason::Revoked);
    for token in [&other, &offline] {
        own.authenticate(token).await.expect("is of another session, or survives it");
    }
}

/// Rows `docs/security-requirements.md#i24`, `#i81`.
#[tokio::test]
async fn token_of_own_issuer_ends_when_it_or_its_grant_is_revoked() {
    let own = Own::new().await;
    let of_user = with(with(own.service.claims(NAME), "first_party", true), "scope", "openid offline_access");
    let now = own.service.now();
    let of_account = json!({
        "iss": NAME, "sub": "backup", "aud": ["backup"], "client_id": "backup", "first_party": false,
        "service_account": true, "scope": "user", "iat": now, "exp": now + 300,
    });
    for claims in [of_user, of_account] {
        for name in ["jti", "gid"] {
            own.say(Some(false));
            let token = own.sign(&with(claims.clone(), name, "s1"));
            own.authenticate(&token).await.expect("is good");
            own.say(None);
            assert!(matches!(own.authenticate(&token).await, Err(AuthError::Unavailable { .. })), "{name}");
            own.say(Some(true));
            assert_eq!(refusal_reason(own.authenticate(&token).await), Reason::Revoked, "{name} {claims}");
            let other = own.sign(&with(claims.clone(), name, "s2"));
            own.authenticate(&other).await.expect("is another one");
        }
    }
}

/// `docs/security-requirements.md#i24`
#[tokio::test]
async fn token_of_own_issuer_ends_when_its_client_is_disconnected() {
    let own = Own::new().await;
    let now = own.service.now();
    let claims = with(with(own.service.claims(NAME), "first_party", true), "client_id", "web");
    // without a refresh token the grant is stored nowhere, and its identifier is never revoked
    let claims = with(with(claims, "auth_time", now - 60), "iat", now - 10);
    let (later, again) = (with(claims.clone(), "iat", now), with(claims.clone(), "auth_time", now));
    let other = with(claims.clone(), "client_id", "other");
    let [token, later, again, other] = [claims, later, again, other].map(|claims| own.sign(&claims));
    let consent = |user, client| Cutoff::Consent { user, client };
    assert!(own.accepts(&token).await);
    own.cut_off(consent("4c51", "web"), now - 5);
    assert!(!own.accepts(&token).await, "although it is in the cache");
    for token in [&later, &again, &other] {
        assert!(own.accepts(token).await, "{token}");
    }
    for of in [consent("4c51", "other"), consent("other", "web"), Cutoff::User("web")] {
        own.cut_off(of, now);
        assert!(own.accepts(&token).await, "{of:?}");
    }
    for all in [Cutoff::User("4c51"), Cutoff::Everyone] {
        own.cut_off(all, now - 5);
        let accepted = [own.accepts(&token).await, own.accepts(&later).await, own.accepts(&again).await];
        assert_eq!(accepted, [false, false, true], "the sign-in counts: {all:?}");
    }
    *own.sessions.1.lock().expect("is not poisoned") = None;
    assert!(matches!(own.authenticate(&token).await, Err(AuthError::Unavailable { .. })));
}

/// Rows `docs/security-requirements.md#i24`, `#i81`.
#[tokio::test]
async fn session_ends_with_its_offline_grants_and_no_user_ends_a_service_account() {
    let own = Own::new().await;
    let (now, session) = (own.service.now(), Uuid::from_u128(1));
    let claims = with(with(own.service.claims(NAME), "first_party", true), "client_id", "web");
    let claims = with(with(claims, "scope", "openid offline_access"), "sid", session.to_string());
    let offline = own.sign(&claims);
    assert!(own.accepts(&offline).await);
    own.cut_off(Cutoff::GrantsOfSession(session), 0);
    assert!(!own.accepts(&offline).await);

    let of_account = own.sign(&json!({
        "iss": NAME, "sub": "backup", "aud": ["backup"], "client_id": "backup", "first_party": false,
        "service_account": true, "scope": "user", "iat": now - 10, "exp": now + 200,
    }));
    own.cut_off(Cutoff::User("backup"), now);
    assert!(own.accepts(&of_account).await, "it is no user");
    own.cut_off(Cutoff::Everyone, now);
    assert!(!own.accepts(&of_account).await);
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

/// `docs/security-requirements.md#i38`
#[tokio::test]
async fn password_change_ends_tokens_of_earlier_sign_ins_at_own_issuer() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let foreign = Oidc { issuer: provider.url.clone(), ..Oidc::default() };
    let own = Oidc { own_issuers: vec![provider.url.clone()], ..foreign.clone() };
    let service_of = |oidc, password_changed| {
        let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
        let einstein = User { password_changed, ..user("einstein") };
        let directory = MemoryDirectory::new([einstein]);
        Service::of_config(&Config { auth_providers, ..Config::default() }, directory, no_users())
    };
    let now = service_of(own.clone(), None).clock.now();
    let service = service_of(own, Some(now + Duration::from_millis(300)));
    let claims = with(with(service.claims(&provider.url), "first_party", true), "amr", json!(["pwd"]));
    let token = |signed_in: u64| sign(&signer, &with(claims.clone(), "auth_time", signed_in));
    service.authenticate(&token(service.now())).await.expect("is of a sign-in in the same second");
    let earlier = token(service.now() - 1);
    assert_eq!(refusal_reason(service.authenticate(&earlier).await), Reason::Revoked);
    assert_eq!(
        refusal_reason(service.authenticate(&sign(&signer, &with(claims.clone(), "iat", service.now() - 1))).await),
        Reason::Revoked
    );

    let elsewhere = service_of(foreign, Some(now));
    elsewhere.authenticate(&earlier).await.expect("the password is not that of the issuer");
}

/// `docs/security-requirements.md#i81`
#[tokio::test]
async fn service_account_of_own_issuer_is_no_user_of_the_directory() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let foreign = Oidc { issuer: provider.url.clone(), ..Oidc::default() };
    let own = Oidc { own_issuers: vec![provider.url.clone()], ..foreign.clone() };
    let service_of = |oidc| {
        let auth_providers = AuthProviders { oidc, ..AuthProviders::default() };
        Service::of_config(&Config { auth_providers, ..Config::default() }, directory(), no_users())
    };
    let service = service_of(own);
    let claims = json!({
        "iss": provider.url, "sub": "backup", "aud": ["backup"], "client_id": "backup", "first_party": false,
        "service_account": true, "scope": "user", "iat": service.now(), "exp": service.now() + 300,
    });
    let token = sign(&signer, &claims);
    // also from the cache
    for _ in 0..2 {
        let answer = service.authenticate(&token).await.expect("is accepted");
        let id = &answer.user.id;
        assert_eq!((id.idp.as_str(), id.opaque_id.as_str(), id.kind), ("none", "backup", UserType::Service));
        assert!(answer.amr == amr::SERVICE && answer.scopes.is_full_user() && answer.not_after.is_some());
    }
    assert_eq!(provider.userinfos(), 0);
    assert_eq!(service.refusal(&sign(&signer, &with(claims, "service_account", false))).await, Reason::UnknownUser);
    assert_eq!(service_of(foreign).refusal(&token).await, Reason::UnknownUser);
}

/// What an access token with this scope says that our own provider issues to a client of the installation: nothing of the user but `sub`.
fn of_scope(service: &Service, issuer: &str, scope: &str) -> Value {
    json!({
        "iss": issuer, "sub": "4c51", "aud": ["web"], "client_id": "web", "first_party": true, "scope": scope,
        "iat": service.now(), "exp": service.now() + 300,
    })
}

/// `docs/security-requirements.md#r24`
#[tokio::test]
async fn subject_of_own_issuer_identifies_the_user_with_any_scope() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let own_issuers = vec![provider.url.clone()];
    let service = Service::new(Oidc { issuer: provider.url.clone(), own_issuers, ..Oidc::default() });
    let token = |scope: &str| sign(&signer, &of_scope(&service, &provider.url, scope));
    let user_of = async |token: &str| service.authenticate(token).await.expect("is accepted").user.username.clone();
    // userinfo refuses tokens without the scope `openid`
    provider.tell(None);
    for scope in ["path:/notes:rw", "profile user", "email"] {
        assert_eq!(user_of(&token(scope)).await, "einstein", "{scope}");
    }
    assert_eq!(provider.userinfos(), 0);
    provider.tell(Some(json!({"sub": "4c51"})));
    for scope in ["openid", "openid offline_access path:/notes:rw"] {
        assert_eq!(user_of(&token(scope)).await, "einstein", "{scope}");
    }
    let third = with(of_scope(&service, &provider.url, "openid path:/notes:rw"), "first_party", false);
    assert_eq!(user_of(&sign(&signer, &third)).await, "einstein");

    let of = |subject: &str| sign(&signer, &with(of_scope(&service, &provider.url, "user"), "sub", subject));
    for subject in ["einstein", "4C51", "4c5"] {
        assert_eq!(service.refusal(&of(subject)).await, Reason::UnknownUser, "{subject}");
    }
    assert_eq!(service.refusal(&of("id-of-ludwig")).await, Reason::Disabled);
    let named = with(of_scope(&service, &provider.url, "openid"), "preferred_username", "ludwig");
    assert_eq!(service.refusal(&sign(&signer, &named)).await, Reason::Disabled, "the login name counts where it is");
    for nothing in [json!(7), json!(""), json!(null)] {
        let unnamed = with(of_scope(&service, &provider.url, "openid"), "preferred_username", nothing.clone());
        assert_eq!(service.refusal(&sign(&signer, &unnamed)).await, Reason::Malformed, "{nothing}");
    }
    assert_eq!(service.refusal(&token("")).await, Reason::Malformed, "it permits nothing");
}

/// `docs/security-requirements.md#r24`
#[tokio::test]
async fn subject_identifies_no_user_of_another_issuer_claim_or_method() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    provider.tell(Some(json!({"sub": "4c51"})));
    let foreign = Oidc { issuer: provider.url.clone(), ..Oidc::default() };
    let own = Oidc { own_issuers: vec![provider.url.clone()], ..foreign.clone() };
    let claim = |id_claim: &str, user_claim: &str| Oidc {
        id_claim: id_claim.to_owned(),
        user_claim: user_claim.to_owned(),
        ..own.clone()
    };
    // the subjects of opaque tokens may be pairwise
    let method = |verify_method: &str| Oidc {
        verify_method: verify_method.to_owned(),
        userinfo_any_client: true,
        client_id: "us".to_owned(),
        client_secret: "introspection-secret".into(),
        ..own.clone()
    };
    let all = [
        foreign,
        claim("preferred_username", "userid"),
        claim("nickname", ""),
        claim("email", "username"),
        method("introspection"),
        method("userinfo"),
    ];
    for oidc in all {
        let what = format!("{oidc:?}");
        let service = Service::new(oidc);
        let claims = of_scope(&service, &provider.url, "openid");
        let token = sign(&signer, &claims);
        provider.say(&token, with(with(claims, "active", true), "token_type", "Bearer"));
        assert_eq!(service.refusal(&token).await, Reason::Malformed, "{what}");
    }
}

/// `docs/security-requirements.md#r24`
#[tokio::test]
async fn subject_of_own_issuer_identifies_no_user_who_came_from_another_issuer() {
    let signer = key("k", Algorithm::Es256);
    let provider = Provider::start(&[&signer]).await;
    let oidc = Oidc { issuer: provider.url.clone(), own_issuers: vec![provider.url.clone()], ..Oidc::default() };
    let derived = "5b71a803-ef21-8d3d-a12c-79fef273535a";
    let guest = User { id: UserId { opaque_id: derived.to_owned(), ..UserId::default() }, ..user("guest") };
    let config = Config { auth_providers: AuthProviders { oidc, ..AuthProviders::default() }, ..Config::default() };
    let service = Service::of_config(&config, MemoryDirectory::new([guest]), no_users());
    let claims = with(of_scope(&service, &provider.url, "user"), "sub", derived);
    assert_eq!(service.refusal(&sign(&signer, &claims)).await, Reason::OwnerMismatch);
}
