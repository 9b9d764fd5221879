use serde_json::json;

use super::*;
use crate::model::{Family, Grant};
use crate::testing::{Bench, Browser, EINSTEIN, encoded};

/// A provider with two public clients, and a grant of one of them.
async fn granted() -> (Bench, Grant) {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    bench.add("other", &json!({})).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), "openid offline_access").await;
    (bench, grant)
}

async fn revoke(bench: &Bench, client: &str, token: &str) -> Option<String> {
    let (provider, endpoints) = (&bench.provider, bench.endpoints());
    let form = encoded(&[("client_id", client), ("token", token)]);
    let request = bench.authenticated(&form, endpoints.paths.revocation).await.expect("is authenticated");
    super::revoke(provider, endpoints, &request).await.expect("is answered")
}

/// Row I24.
#[tokio::test]
async fn access_token_is_revoked_by_its_own_client_only() {
    let (bench, grant) = granted().await;
    let (_, token) = bench.tokens(&grant).await;
    let presented = PresentedToken::read(&bench.provider, bench.endpoints(), &token).expect("is read");
    let is_revoked = || bench.provider.revocations.contains(presented.token);
    assert_eq!(revoke(&bench, "other", &token).await, None);
    assert!(!is_revoked());
    assert_eq!(revoke(&bench, "app", &token).await.as_deref(), Some(EINSTEIN));
    assert!(is_revoked() && !bench.provider.revocations.contains(grant.id), "the grant stays");
}

/// Row I24.
#[tokio::test]
async fn refresh_token_revokes_its_whole_grant() {
    let (bench, grant) = granted().await;
    let now = bench.clock.now();
    let end = now + std::time::Duration::from_hours(24);
    let family =
        Family { grant: grant.clone(), binding: None, generation: 0, rotated: now, created: now, idle_end: end, end };
    bench.provider.store.begin_family(&family).await.expect("begins");
    let token = RefreshToken { grant: grant.id, generation: 0 }.write(&bench.provider.sealer);
    assert_eq!(revoke(&bench, "other", &token).await, None);
    assert!(!bench.provider.revocations.contains(grant.id));
    assert_eq!(revoke(&bench, "app", &token).await.as_deref(), Some(""));
    assert!(bench.provider.revocations.contains(grant.id));
    assert_eq!(revoke(&bench, "app", &token).await, None, "there is no such family any more");
}

#[tokio::test]
async fn unknown_token_is_not_an_error() {
    let (bench, _) = granted().await;
    for token in ["junk", "dwr_junk", "a.b.c"] {
        assert_eq!(revoke(&bench, "app", token).await, None, "{token}");
    }
}
