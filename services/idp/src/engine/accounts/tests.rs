//! What ends when a password changes, an account is closed, or another user signs in
//! (`docs/security-requirements.md#i38`).

use std::time::{Duration, SystemTime};

use authn::{Caller, UserStatus};
use axum::http::header::AUTHORIZATION;
use oidc::jose::UnverifiedJwt;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::engine::account_monitor::Round;
use crate::engine::backchannel::deliver_due;
use crate::engine::sessions;
use crate::engine::termination::end;
use crate::engine::tokens::access_token::PresentedToken;
use crate::engine::tokens::refresh_token::RefreshToken;
use crate::model::{Family, Grant, Session};
use crate::store::EventFilter;
use crate::testing::{Bench, Browser, EINSTEIN, Listener, Reply, with_password};

const SECOND: Duration = Duration::from_secs(1);

/// A signed-in user, with everything that clients can hold in consequence.
struct SignedIn {
    bench: Bench,
    browser: Browser,
    session: Session,
    listener: Listener,
    /// The grant of the client `robot`.
    secret: String,
    /// An access token that ends with the session, one of an `offline_access` grant with a refresh token, and one of such a
    /// grant without.
    tokens: [String; 3],
    refresh: String,
}

async fn signed_in() -> SignedIn {
    let (bench, listener) = (Bench::new().await, Listener::default());
    let grants = json!(["authorization_code", "refresh_token"]);
    let metadata = json!({ "backchannel_logout_uri": listener.listen().await, "grant_types": grants });
    bench.add("app", &metadata).await;
    let robot = json!({ "token_endpoint_auth_method": "client_secret_basic", "introspects_all": true });
    let secret = bench.add("robot", &robot).await;
    let mut browser = Browser::default();
    let session = bench.sign_in(&mut browser, EINSTEIN).await;
    let mut tokens = Vec::new();
    let mut families = Vec::new();
    for scope in ["openid", "openid offline_access", "openid offline_access"] {
        let grant = bench.grant(&session, "app", bench.endpoints(), scope).await;
        tokens.push(bench.tokens(&grant).await.1);
        families.push(grant);
    }
    let refresh = begin_family(&bench, families.swap_remove(1)).await;
    let tokens = tokens.try_into().expect("three");
    SignedIn { bench, browser, session, listener, secret, tokens, refresh }
}

async fn begin_family(bench: &Bench, grant: Grant) -> String {
    let (now, id) = (bench.clock.now(), grant.id);
    let end = now + Duration::from_hours(24);
    let family = Family { grant, binding: None, generation: 0, rotated: now, created: now, idle_end: end, end };
    bench.provider.store.begin_family(&family).await.expect("begins");
    RefreshToken { grant: id, generation: 0 }.write(&bench.provider.sealer)
}

impl SignedIn {
    async fn userinfo(&self, token: &str) -> Reply {
        let authorization = format!("Bearer {token}");
        let path = self.bench.endpoints().paths.userinfo;
        self.bench.post_with(&mut Browser::default(), path, &[], &[(AUTHORIZATION.as_str(), &authorization)]).await
    }

    async fn introspect(&self, token: &str) -> Value {
        use base64::Engine;
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("robot:{}", self.secret));
        let authorization = format!("Basic {credentials}");
        let (path, form) = (self.bench.endpoints().paths.introspection, [("token", token)]);
        let with = [(AUTHORIZATION.as_str(), authorization.as_str())];
        self.bench.post_with(&mut Browser::default(), path, &form, &with).await.json()
    }

    async fn renew(&self) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*self.refresh), ("client_id", "app")];
        self.bench.post_with(&mut Browser::default(), self.bench.endpoints().paths.token, &form, &[]).await
    }

    /// The result of an authorization request with `prompt=none`.
    async fn authorize(&mut self) -> String {
        let query = [
            ("client_id", "app"),
            ("redirect_uri", "https://app.example/back"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("prompt", "none"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ];
        let path = self.bench.endpoints().paths.authorization;
        self.bench.get(&mut self.browser, path, &query).await.location().expect("goes back").to_owned()
    }

    fn is_good(&self, token: &str) -> bool {
        PresentedToken::verify(&self.bench.provider, self.bench.endpoints(), token).is_some()
    }

    /// Asserts that token, session, token family and client see the end.
    async fn assert_ended(&mut self, why: &str) {
        for token in &self.tokens {
            assert!(!self.is_good(token), "{why}: a stateless token is revoked");
            assert_eq!(self.userinfo(token).await.status, 401, "{why}");
            assert_eq!(self.introspect(token).await, json!({ "active": false }), "{why}");
        }
        let renewed = self.renew().await;
        assert_eq!((renewed.status.as_u16(), &renewed.json()["error"]), (400, &json!("invalid_grant")), "{why}");
        assert!(!self.bench.is_signed_in(self.session.id).await, "{why}");
        let location = self.authorize().await;
        assert!(location.contains("error=login_required"), "{why}: {location}");
        assert_eq!(deliver_due(&self.bench.provider).await.expect("delivers"), 1, "{why}");
        let token = self.listener.token();
        let jwt = UnverifiedJwt::parse(&token).expect("a JWT");
        let seconds = |name: &str| jwt.claims()[name].as_u64().expect("a number");
        assert_eq!(
            (jwt.typ(), jwt.claims()["sid"].as_str()),
            (Some("logout+jwt"), Some(&*self.session.id.to_string()))
        );
        assert!(seconds("exp") - seconds("iat") <= 120, "{why}");
    }
}

fn changed_at(at: SystemTime) -> impl FnOnce(&mut Option<authn::User>) {
    move |user| user.as_mut().expect("is there").password_changed = Some(at)
}

#[tokio::test]
async fn i38_until_then_everything_is_good() {
    let mut one = Box::pin(signed_in()).await;
    one.bench.advance(10 * SECOND);
    Round::default().advance(&one.bench.provider).await.expect("looks");
    for token in one.tokens.clone() {
        assert!(one.is_good(&token));
        assert_eq!(one.userinfo(&token).await.status, 200);
        assert_eq!(one.introspect(&token).await["active"], json!(true));
    }
    assert_eq!(one.renew().await.status, 200);
    assert!(one.bench.is_signed_in(one.session.id).await);
    let location = one.authorize().await;
    assert!(location.contains("error=consent_required"), "signed in, and not asked yet: {location}");
    assert_eq!(deliver_due(&one.bench.provider).await.expect("delivers"), 0);
}

/// Each use is enough, whichever it is.
#[tokio::test]
async fn i38_the_first_use_after_a_password_change_ends_everything_from_before() {
    for used in ["userinfo", "introspection", "refresh", "authorization"] {
        let mut one = Box::pin(signed_in()).await;
        one.bench.advance(10 * SECOND);
        one.bench.change(changed_at(one.bench.clock.now()));
        let token = one.tokens[0].clone();
        match used {
            "userinfo" => drop(one.userinfo(&token).await),
            "introspection" => drop(one.introspect(&token).await),
            "refresh" => drop(one.renew().await),
            _ => drop(one.authorize().await),
        }
        one.assert_ended(used).await;
    }
}

#[tokio::test]
async fn i38_a_change_is_noticed_without_any_use() {
    for what in ["password", "disabled", "deleted"] {
        let mut one = Box::pin(signed_in()).await;
        one.bench.advance(10 * SECOND);
        let now = one.bench.clock.now();
        one.bench.change(|user| match what {
            "password" => changed_at(now)(user),
            "disabled" => user.as_mut().expect("is there").status = UserStatus::Blocked,
            _ => *user = None,
        });
        Round::default().advance(&one.bench.provider).await.expect("looks");
        one.assert_ended(what).await;
    }
}

/// Two rounds that overlap, as those of two replicas of which one waits for the directory.
#[tokio::test]
async fn sign_out_that_is_noticed_twice_is_recorded_once() {
    for what in ["password", "deleted"] {
        let one = Box::pin(signed_in()).await;
        one.bench.advance(10 * SECOND);
        let now = one.bench.clock.now();
        one.bench.change(|user| if what == "password" { changed_at(now)(user) } else { *user = None });
        let provider = &one.bench.provider;
        let (mut first, mut second) = (Round::default(), Round::default());
        let (first, second) = tokio::join!(first.advance(provider), second.advance(provider));
        first.and(second).expect("look");
        provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
        let filter = EventFilter { event: Some("sign_out".to_owned()), ..EventFilter::default() };
        let events = provider.store.events(&filter, None, 10).await.expect("reads");
        assert_eq!(events.len(), 1, "{what}: {events:?}");
    }
}

#[tokio::test]
async fn i38_what_is_begun_with_the_new_password_stays() {
    let mut one = Box::pin(signed_in()).await;
    one.bench.advance(10 * SECOND);
    one.bench.change(changed_at(one.bench.clock.now()));
    one.bench.advance(SECOND);
    let session = one.bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = one.bench.grant(&session, "app", one.bench.endpoints(), "openid offline_access").await;
    let token = one.bench.tokens(&grant).await.1;
    begin_family(&one.bench, grant.clone()).await;
    let mut round = Round::default();
    for _ in 0..12 {
        round.advance(&one.bench.provider).await.expect("looks");
    }
    assert!(one.is_good(&token) && one.bench.is_signed_in(session.id).await);
    assert!(one.bench.provider.store.family(grant.id, one.bench.clock.now()).await.expect("reads").is_some());
    one.assert_ended("before").await;
}

#[tokio::test]
async fn i38_taking_back_a_consent_ends_every_token_of_that_client_and_no_other() {
    let mut one = Box::pin(signed_in()).await;
    let other = one.bench.grant(&one.session, "robot", one.bench.endpoints(), "openid").await;
    let other = one.bench.tokens(&other).await.1;
    let scope = "openid offline_access";
    one.bench.provider.store.give_consent(EINSTEIN, "app", scope, one.bench.clock.now()).await.expect("writes");
    let page = one.bench.get(&mut one.browser, crate::endpoints::page::CONSENTS, &[]).await;
    let form = [("csrf", page.csrf()), ("client", "app".to_owned())];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = one.bench.post(&mut one.browser, crate::endpoints::page::CONSENTS, &form).await;
    assert_eq!(reply.status, 303, "{reply:?}");
    for token in &one.tokens {
        assert!(!one.is_good(token), "also without a refresh token, also of this very second");
        assert_eq!(one.userinfo(token).await.status, 401);
    }
    assert_eq!(one.renew().await.status, 400);
    assert!(one.is_good(&other) && one.bench.is_signed_in(one.session.id).await);
    one.bench.advance(SECOND);
    let again = one.bench.grant(&one.session, "app", one.bench.endpoints(), "openid").await;
    let again = one.bench.tokens(&again).await.1;
    assert!(one.is_good(&again), "who agrees again is not cut off");
}

/// The identifiers of sessions of whose end the client was notified.
fn notified(listener: &Listener) -> Vec<Uuid> {
    let sid = |body: &String| {
        let jwt = UnverifiedJwt::parse(body.strip_prefix("logout_token=")?).ok()?;
        jwt.claims()["sid"].as_str()?.parse().ok()
    };
    listener.heard().iter().filter_map(sid).collect()
}

#[tokio::test]
async fn i38_a_client_is_notified_by_the_identifier_that_it_knows() {
    let one = Box::pin(signed_in()).await;
    let provider = &one.bench.provider;
    let again = sessions::begin(provider, Some(&one.session), with_password(EINSTEIN), &Caller::default())
        .await
        .expect("begins")
        .session;
    assert_ne!(again.id, one.session.id, "row I19");
    assert!(one.is_good(&one.tokens[0]), "signing in again ends no grant");
    end(provider, again.id).await.expect("ends");
    assert!(!one.is_good(&one.tokens[0]), "it rests on the session by the identifier of before");
    assert_eq!(deliver_due(provider).await.expect("delivers"), 1);
    assert_eq!(notified(&one.listener), [one.session.id]);

    let one = Box::pin(signed_in()).await;
    let (provider, endpoints) = (&one.bench.provider, one.bench.endpoints());
    let again = sessions::begin(provider, Some(&one.session), with_password(EINSTEIN), &Caller::default())
        .await
        .expect("begins")
        .session;
    one.bench.grant(&again, "app", endpoints, "openid").await;
    end(provider, again.id).await.expect("ends");
    assert_eq!(deliver_due(provider).await.expect("delivers"), 1);
    assert_eq!(notified(&one.listener), [again.id], "it has asked since");
}

#[tokio::test]
async fn i38_another_user_who_signs_in_ends_the_former_session() {
    let one = Box::pin(signed_in()).await;
    let provider = &one.bench.provider;
    sessions::begin(provider, Some(&one.session), with_password("u-curie"), &Caller::default()).await.expect("begins");
    assert!(!one.is_good(&one.tokens[0]) && !one.bench.is_signed_in(one.session.id).await);
    assert!(one.is_good(&one.tokens[1]), "what was granted for good stays");
    assert_eq!(deliver_due(provider).await.expect("delivers"), 1);
    assert_eq!(notified(&one.listener), [one.session.id]);
}
