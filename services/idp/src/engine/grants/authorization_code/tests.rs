use std::time::Duration;

use authn::Caller;
use serde_json::json;

use crate::engine::sessions;
use crate::engine::termination::end_everywhere;
use crate::engine::tokens::access_token::PresentedToken;
use crate::model::{Code, Grant, SignIn, seconds};
use crate::revocations::{self, Of};
use crate::seal::Purpose;
use crate::testing::{Bench, Browser, EINSTEIN, Reply, with_password};

const BACK: &str = "https://app.example/back";
const LIFE: Duration = Duration::from_mins(1);

/// A provider with a client, and a code for it.
async fn with_code(scope: &str) -> (Bench, Grant, String) {
    let bench = Bench::new().await;
    let grants = json!({ "pkce": "optional", "grant_types": ["authorization_code", "refresh_token"] });
    bench.add("app", &grants).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), scope).await;
    let code = sealed(&bench, &grant, LIFE);
    (bench, grant, code)
}

/// A code for this grant that is issued now for this long.
fn sealed(bench: &Bench, grant: &Grant, life: Duration) -> String {
    let now = bench.clock.now();
    let code = Code {
        grant: grant.clone(),
        redirect_uri: BACK.to_owned(),
        redirect_was_named: true,
        nonce: None,
        challenge: None,
        dpop_jkt: None,
        issued: Some(seconds(now)),
        expires: seconds(now + life),
    };
    bench.provider.sealer.seal(Purpose::Code, &code)
}

async fn redeem(bench: &Bench, code: &str) -> Reply {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("client_id", "app")];
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await
}

#[tokio::test]
async fn i7_a_code_that_comes_again_after_its_end_revokes_what_it_has_brought() {
    for scope in ["openid", "openid offline_access"] {
        let (bench, grant, code) = with_code(scope).await;
        let answer = redeem(&bench, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        bench.advance(LIFE + Duration::from_secs(1));
        let is_good = || PresentedToken::verify(&bench.provider, bench.endpoints(), &token).is_some();
        assert!(is_good());
        let again = redeem(&bench, &code).await;
        assert_eq!((again.status.as_u16(), &again.json()["error"]), (400, &json!("invalid_grant")));
        assert!(!is_good(), "{scope}");
        let family = bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads");
        assert!(family.is_none(), "{scope}");
    }
}

#[tokio::test]
async fn i7_a_refresh_token_is_revoked_however_late_its_code_comes_again() {
    let (bench, grant, code) = with_code("openid offline_access").await;
    assert_eq!(redeem(&bench, &code).await.status, 200);
    bench.advance(Duration::from_hours(100));
    while bench.provider.store.prune(bench.clock.now(), 100).await.expect("prunes") > 0 {}
    assert_eq!(redeem(&bench, &code).await.status, 400);
    assert!(bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads").is_none());
}

#[tokio::test]
async fn i7_a_code_that_comes_too_late_for_the_first_time_revokes_nothing() {
    let (bench, grant, code) = with_code("openid").await;
    // as of the answer `code token`
    let token = bench.tokens(&grant).await.1;
    bench.advance(LIFE);
    assert_eq!(redeem(&bench, &code).await.status, 400);
    assert!(PresentedToken::verify(&bench.provider, bench.endpoints(), &token).is_some());
}

#[tokio::test]
async fn i38_a_code_that_is_under_way_ends_with_the_consent() {
    let (bench, _, code) = with_code("openid").await;
    let second = seconds(bench.clock.now()) + 1;
    bench.provider.revocations.add([revocations::before(Of::Consent { person: EINSTEIN, client: "app" }, second)]);
    bench.advance(Duration::from_secs(5));
    let answer = redeem(&bench, &code).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn code_that_is_under_way_ends_as_its_user_signs_out_everywhere() {
    for scope in ["openid", "openid offline_access"] {
        let (bench, _, code) = with_code(scope).await;
        end_everywhere(&bench.provider, EINSTEIN).await.expect("ends");
        bench.advance(Duration::from_secs(5));
        let answer = redeem(&bench, &code).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")), "{scope}");
    }
}

/// Row [I73](../../../../../../docs/security-requirements.md#i73): issued for ten minutes, before its client got the profile.
#[tokio::test]
async fn code_ends_with_the_lifetime_that_its_client_has_by_now() {
    let (long, second) = (Duration::from_mins(10), Duration::from_secs(1));
    for (age, status) in [(LIFE.saturating_sub(second), 200), (LIFE, 400), (long.saturating_sub(second), 400)] {
        let (bench, grant, _) = with_code("openid").await;
        let code = sealed(&bench, &grant, long);
        bench.advance(age);
        assert_eq!(redeem(&bench, &code).await.status, status, "{age:?}");
    }
    // and is of the time when it was issued
    let (bench, grant, _) = with_code("openid").await;
    let code = sealed(&bench, &grant, long);
    bench.advance(Duration::from_secs(5));
    end_everywhere(&bench.provider, EINSTEIN).await.expect("ends");
    bench.advance(Duration::from_secs(5));
    assert_eq!(redeem(&bench, &code).await.status, 400);
}

#[tokio::test]
async fn code_is_refused_where_it_was_not_heard_yet_that_another_replica_has_ended_it() {
    for of in [Of::Person(EINSTEIN), Of::Consent { person: EINSTEIN, client: "app" }] {
        let (bench, grant, code) = with_code("openid offline_access").await;
        let ended = revocations::before(of, seconds(bench.clock.now()) + 1);
        let other = bench.other_store().await;
        other.revoke_token(ended.id, ended.until, bench.clock.now()).await.expect("is written");
        bench.advance(Duration::from_secs(5));
        let answer = redeem(&bench, &code).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")), "{of:?}");
        assert!(bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads").is_none());
    }
}

#[tokio::test]
async fn refresh_token_that_began_while_everything_was_ended_is_refused() {
    let (bench, grant, code) = with_code("openid offline_access").await;
    let more = json!({ "token_endpoint_auth_method": "client_secret_post", "introspects_all": true });
    let secret = bench.add("resource", &more).await;
    let answer = redeem(&bench, &code).await;
    let token = answer.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    // its row was written after those of before were removed
    let second = seconds(bench.clock.now()) + 1;
    bench.provider.revocations.add([revocations::before(Of::Person(EINSTEIN), second)]);
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("client_id", "app")];
    let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
    assert!(bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads").is_some());
    let form = [("token", token.as_str()), ("client_id", "resource"), ("client_secret", &secret)];
    let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.introspection, &form, &[]).await;
    assert_eq!(answer.json(), json!({ "active": false }));
}

#[tokio::test]
async fn access_token_from_before_the_user_signed_in_again_ends_with_signing_out_everywhere() {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    let before = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let begun = sessions::begin(&bench.provider, Some(&before), with_password(EINSTEIN), &Caller::default())
        .await
        .expect("begins");
    let grant = bench.grant(&begun.session, "app", bench.endpoints(), "openid").await;
    let sign_in = grant.sign_in.clone().map(|sign_in| SignIn { session: Some(before.id), ..sign_in });
    let token = bench.tokens(&Grant { sign_in, ..grant }).await.1;
    let is_good = || PresentedToken::verify(&bench.provider, bench.endpoints(), &token).is_some();
    assert!(is_good());
    end_everywhere(&bench.provider, EINSTEIN).await.expect("ends");
    assert!(!is_good());
}
