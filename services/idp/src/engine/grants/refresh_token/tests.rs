use std::time::Duration;

use oidc::error::ErrorCode;
use serde_json::json;

use crate::engine::error::OAuthError;
use crate::engine::grants::token_response::TokenResponse;
use crate::engine::tokens::refresh_token::RefreshToken;
use crate::model::{Binding, Family, Grant};
use crate::testing::{Bench, Browser, EINSTEIN, FapiClient};

/// A family of refresh tokens of the public client `app`, and its first token.
async fn with_family(scope: &str) -> (Bench, Grant, String) {
    let bench = Bench::new().await;
    let grants = json!({ "grant_types": ["authorization_code", "refresh_token"] });
    bench.add("app", &grants).await;
    bench.add("other", &grants).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), scope).await;
    let now = bench.clock.now();
    let end = now + Duration::from_hours(24);
    let family =
        Family { grant: grant.clone(), binding: None, generation: 0, rotated: now, created: now, idle_end: end, end };
    bench.provider.store.begin_family(&family).await.expect("begins");
    let token = RefreshToken { grant: grant.id, generation: 0 }.write(&bench.provider.sealer);
    (bench, grant, token)
}

async fn refresh(bench: &Bench, client: &str, token: &str, more: &[(&str, &str)]) -> Result<TokenResponse, OAuthError> {
    let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
    bench.issue(&[form.as_slice(), more].concat()).await
}

fn code(outcome: Result<TokenResponse, OAuthError>) -> ErrorCode {
    outcome.err().expect("is refused").code
}

#[tokio::test]
async fn refresh_token_is_replaced_and_a_lost_response_is_repeated() {
    let (bench, _, first) = with_family("openid offline_access").await;
    let second = refresh(&bench, "app", &first, &[]).await.expect("is issued").refresh_token.expect("a token");
    assert_ne!(first, second);
    let again = refresh(&bench, "app", &first, &[]).await.expect("is issued").refresh_token;
    assert_eq!(again.as_ref(), Some(&second), "within the grace time");
    assert!(refresh(&bench, "app", &second, &[]).await.is_ok());
}

/// Several calls of a client renew its tokens at once: one of them has the successor already when another one's request arrives.
///
/// Rows [I10](../../../../../../docs/security-requirements.md#i10) and [I11](../../../../../../docs/security-requirements.md#i11).
#[tokio::test]
async fn successor_stays_the_current_one_as_long_as_its_predecessor_is_repeated() {
    let (bench, grant, first) = with_family("openid offline_access").await;
    let next = async |token: &str| refresh(&bench, "app", token, &[]).await.map(|response| response.refresh_token);
    let second = next(&first).await.expect("is issued").expect("a token");
    for token in [&second, &first, &second] {
        assert_eq!(
            next(token).await.expect("is issued").as_ref(),
            Some(&second),
            "one successor, and no family is lost"
        );
    }
    bench.advance(bench.provider.config.lifetimes.refresh_grace);
    let third = next(&second).await.expect("is issued").expect("a token");
    assert_ne!(second, third);
    assert!(!bench.provider.revocations.contains(grant.id));
    let reused = next(&first).await.expect_err("is refused");
    assert_eq!(reused.code, ErrorCode::InvalidGrant, "two generations back");
    assert!(bench.provider.revocations.contains(grant.id));
    assert!(next(&third).await.is_err());
}

#[tokio::test]
async fn replayed_refresh_token_revokes_its_family() {
    let (bench, grant, first) = with_family("openid offline_access").await;
    let second = refresh(&bench, "app", &first, &[]).await.expect("is issued").refresh_token.expect("a token");
    bench.advance(bench.provider.config.lifetimes.refresh_grace + Duration::from_secs(1));
    let error = refresh(&bench, "app", &first, &[]).await.err().expect("is refused");
    assert_eq!(error.code, ErrorCode::InvalidGrant);
    let audit = error.audit.expect("is audited");
    assert_eq!((audit.event, audit.client.as_str()), ("refresh", "app"));
    assert_eq!(code(refresh(&bench, "app", &second, &[]).await), ErrorCode::InvalidGrant);
    assert!(bench.provider.revocations.contains(grant.id));
}

#[tokio::test]
async fn refresh_token_of_another_client_is_rejected_and_not_used_up() {
    let (bench, _, first) = with_family("openid offline_access").await;
    assert_eq!(code(refresh(&bench, "other", &first, &[]).await), ErrorCode::InvalidGrant);
    assert_eq!(code(refresh(&bench, "app", "dwr_junk", &[]).await), ErrorCode::InvalidGrant);
    assert!(refresh(&bench, "app", &first, &[]).await.is_ok());
}

/// Row I13.
#[tokio::test]
async fn scope_can_be_narrowed_and_not_widened() {
    let (bench, _, first) = with_family("email offline_access openid").await;
    let wider = refresh(&bench, "app", &first, &[("scope", "openid profile")]).await;
    assert_eq!(code(wider), ErrorCode::InvalidScope);
    let narrowed = refresh(&bench, "app", &first, &[("scope", "openid")]).await.expect("is issued");
    assert_eq!(narrowed.scope.as_deref(), Some("openid"));
    let next = narrowed.refresh_token.expect("a token");
    let whole = refresh(&bench, "app", &next, &[]).await.expect("is issued");
    assert_eq!(whole.scope.as_deref(), Some("email offline_access openid"), "the family keeps what was granted");
}

#[tokio::test]
async fn family_of_a_disabled_user_is_revoked() {
    let (bench, grant, first) = with_family("openid offline_access").await;
    bench.advance(Duration::from_secs(5));
    bench.change(|user| *user = None);
    assert_eq!(code(refresh(&bench, "app", &first, &[]).await), ErrorCode::InvalidGrant);
    let family = bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads");
    assert!(family.is_none());
}

/// Row [I74](../../../../../../docs/security-requirements.md#i74).
#[tokio::test]
async fn refresh_token_of_fapi2_client_is_good_again() {
    let bench = Bench::new().await;
    let app = FapiClient::add(&bench, "app", &json!({})).await;
    let other = FapiClient::add(&bench, "other", &json!({})).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), "openid offline_access").await;
    let now = bench.clock.now();
    let end = now + Duration::from_hours(24);
    let binding = Some(Binding::Dpop(app.thumbprint()));
    let family =
        Family { grant: grant.clone(), binding, generation: 0, rotated: now, created: now, idle_end: end, end };
    bench.provider.store.begin_family(&family).await.expect("begins");
    let token = RefreshToken { grant: grant.id, generation: 0 }.write(&bench.provider.sealer);
    let url = bench.endpoints().url(bench.endpoints().paths.token);
    let refresh = async |client: &FapiClient| {
        let form = [("grant_type", "refresh_token"), ("client_id", &client.id), ("refresh_token", &token)];
        client.issue(&bench, &form, Some(&client.proof(&bench, "POST", &url, &json!({})))).await
    };
    let (first, second) = tokio::join!(refresh(&app), refresh(&app));
    for response in [first, second] {
        let response = response.expect("is issued");
        assert_eq!((response.refresh_token.as_deref(), response.token_type), (Some(token.as_str()), "DPoP"));
    }
    bench.advance(Duration::from_secs(31));
    assert!(refresh(&app).await.is_ok(), "long after the grace time");
    assert_eq!(code(refresh(&other).await), ErrorCode::InvalidGrant);
    let bare = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &token)];
    assert_eq!(code(app.issue(&bench, &bare, None).await), ErrorCode::InvalidRequest, "without a proof");
    let kept = bench.provider.store.family(grant.id, bench.clock.now()).await.expect("reads").expect("is there");
    assert_eq!((kept.generation, kept.rotated), (0, bench.clock.now()));
    bench.advance(Duration::from_hours(24));
    assert_eq!(code(refresh(&app).await), ErrorCode::InvalidGrant, "however much it is used");
}
