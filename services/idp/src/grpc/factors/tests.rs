//! `FactorsAPI`, without a network.

use std::time::Duration;

use proto::doorward::idp::v1::factors_api_client::FactorsApiClient;
use serde_json::json;
use tonic::Code;

use super::*;
use crate::engine::factors::totp::STEP;
use crate::engine::factors::{Method, verify};
use crate::model::Grant;
use crate::testing::authenticator::Authenticator;
use crate::testing::{Bench, Browser, EINSTEIN, totp_code};

fn api(bench: &Bench) -> FactorsApiClient<FactorsApiServer<Api>> {
    FactorsApiClient::new(serve(bench.provider.clone(), None))
}

/// A provider with the client `account` of the installation itself.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.add("account", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    bench
}

/// An access token of a user who has just signed in by these methods.
async fn token(bench: &Bench, client: &str, amr: &[&str]) -> String {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, client, bench.endpoints(), "openid").await;
    let sign_in = grant.sign_in.clone().map(|sign_in| {
        let amr = amr.iter().map(|method| (*method).to_owned()).collect();
        SignIn { amr, ..sign_in }
    });
    bench.tokens(&Grant { sign_in, ..grant }).await.1
}

fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    request
}

/// `docs/security-requirements.md#f11`
#[tokio::test]
async fn user_enrols_and_removes_a_factor() {
    let bench = bench().await;
    let mut api = api(&bench);
    let password = token(&bench, "account", &["pwd"]).await;
    let begun = api.begin_totp(by(&password, BeginTotpRequest {})).await.expect("begins").into_inner();
    let (_, secret) = begun.address.split_once("secret=").expect("a secret");
    let secret = secret.split('&').next().expect("a text").to_owned();
    assert!(!format!("{begun:?}").contains(&secret), "a log may show the message");
    let code = totp_code(&secret, bench.clock.now());
    let confirm = ConfirmTotpRequest { enrolment: begun.enrolment, code };
    let confirmed = api.confirm_totp(by(&password, confirm)).await.expect("is enrolled").into_inner();
    assert_eq!(confirmed.recovery_codes.len(), 10);
    let told = api.get_factors(by(&password, GetFactorsRequest {})).await.expect("answers").into_inner();
    assert_eq!((told.factors.len(), told.recovery_codes_left), (1, 10));
    let refused = api.remove_factors(by(&password, RemoveFactorsRequest {})).await.expect_err("one factor");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let several = token(&bench, "account", &["pwd", "otp", "mfa"]).await;
    let renew = RegenerateRecoveryCodesRequest {};
    let anew = api.regenerate_recovery_codes(by(&several, renew)).await.expect("answers").into_inner();
    let outcome = verify(&bench.provider, EINSTEIN, &anew.recovery_codes[0], &Caller::default()).await;
    assert_eq!(outcome.ok(), Some(Method::RecoveryCode));
    assert!(
        verify(&bench.provider, EINSTEIN, &confirmed.recovery_codes[0], &Caller::default()).await.is_err(),
        "replaced"
    );
    let removed = api.remove_factors(by(&several, RemoveFactorsRequest {})).await.expect("removes").into_inner();
    assert!(removed.removed);
}

/// `docs/security-requirements.md#f8`
#[tokio::test]
async fn passkeys_are_listed_and_removed_with_the_other_factors() {
    let bench = bench().await;
    Authenticator::new().register(&bench).await.expect("is added");
    bench.enrol().await;
    let mut api = api(&bench);
    let token = token(&bench, "account", &["hwk", "user", "mfa"]).await;
    let known = api.get_factors(by(&token, GetFactorsRequest {})).await.expect("answers").into_inner();
    let mut kinds: Vec<_> = known.factors.iter().map(proto::doorward::idp::v1::Factor::kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [FactorKind::Totp, FactorKind::Passkey]);
    let removed = api.remove_factors(by(&token, RemoveFactorsRequest {})).await.expect("removes").into_inner();
    assert!(removed.removed);
    assert_eq!(bench.provider.store.factors(EINSTEIN).await.expect("reads"), []);
}

/// `docs/security-requirements.md#f11`
#[tokio::test]
async fn sign_in_of_the_caller_is_fresh_and_the_client_of_the_installation() {
    let bench = bench().await;
    bench.add("other", &json!({ "pkce": "optional" })).await;
    let mut api = api(&bench);
    let foreign = token(&bench, "other", &["pwd"]).await;
    let exchanged = token(&bench, "account", &[]).await;
    let (id_token, anonymous) = ("x".to_owned(), String::new());
    for token in [&foreign, &exchanged, &id_token, &anonymous] {
        let refused = api.begin_totp(by(token, BeginTotpRequest {})).await.expect_err("is refused");
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.advance(FRESH);
    let grant = bench.grant(&session, "account", bench.endpoints(), "openid").await;
    let old = bench.tokens(&grant).await.1;
    let refused = api.begin_totp(by(&old, BeginTotpRequest {})).await.expect_err("is too old");
    assert_eq!(refused.code(), Code::PermissionDenied);
    api.get_factors(by(&old, GetFactorsRequest {})).await.expect("reading needs no fresh sign-in");
}

/// `docs/security-requirements.md#f31`
#[tokio::test]
async fn required_factor_is_not_removed() {
    let bench = bench().await;
    bench.change(|user| user.as_mut().expect("a user").roles = vec![authn::role::ADMIN.to_owned()]);
    bench.enrol().await;
    let several = token(&bench, "account", &["pwd", "otp", "mfa"]).await;
    let refused = api(&bench).remove_factors(by(&several, RemoveFactorsRequest {})).await.expect_err("is required");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(bench.provider.store.factors(EINSTEIN).await.expect("reads").len(), 1);
}

/// `docs/security-requirements.md#f8` and `docs/security-requirements.md#f33`
#[tokio::test]
async fn only_an_administrator_resets_the_factors_of_a_user() {
    let bench = bench().await;
    let (secret, _) = bench.enrol().await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut api = api(&bench);
    let reset = ResetFactorsRequest { user_id: EINSTEIN.to_owned() };
    let as_internal = |token: &str| {
        let mut request = Request::new(reset.clone());
        request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a token"));
        request
    };
    let refused =
        api.reset_factors(as_internal(&bench.internal_token("marie", &["user"]))).await.expect_err("no admin");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(bench.is_signed_in(session.id).await);
    let removed = api.reset_factors(as_internal(&bench.admin())).await.expect("resets").into_inner();
    assert!(removed.removed);
    assert!(!bench.is_signed_in(session.id).await, "the sessions end too");
    bench.advance(Duration::from_secs(STEP));
    assert!(
        verify(&bench.provider, EINSTEIN, &totp_code(&secret, bench.clock.now()), &Caller::default()).await.is_err()
    );
}
