use authn::UserId;
use oidc::jose::UnverifiedJwt;
use serde_json::json;

use super::*;
use crate::testing::{Bench, Browser, EINSTEIN};

/// The claims of the ID token that a client with these claims in its registration gets for these scopes.
async fn claims(registered: &[&str], scope: &str) -> Value {
    let bench = Bench::new().await;
    bench.add("app", &json!({ "id_token_claims": registered })).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), scope).await;
    let client = bench.provider.clients.find("app").await.expect("asks").expect("is known");
    let id = UserId { opaque_id: EINSTEIN.to_owned(), ..UserId::default() };
    let user = User {
        id,
        username: "einstein".to_owned(),
        display_name: "Albert Einstein".to_owned(),
        mail: "einstein@example.org".to_owned(),
        groups: vec!["physicists".to_owned()],
        ..User::default()
    };
    let issue = Issue {
        endpoints: bench.endpoints(),
        client: &client,
        grant: &grant,
        user: Some(&Arc::new(user)),
        profile: &Profile::default(),
        binding: None,
        nonce: None,
        now: bench.clock.now(),
    };
    let token = issue.id_token(&bench.provider, &IdTokenBindings::default());
    Value::Object(UnverifiedJwt::parse(&token).expect("a JWT").claims().clone())
}

/// For programs like kubectl, which read the ID token and do not call userinfo.
#[tokio::test]
async fn id_token_has_the_registered_claims_that_the_granted_scopes_give() {
    let all = ["groups", "email", "preferred_username"];
    let claims_of_all = claims(&all, "openid profile email groups").await;
    assert_eq!(claims_of_all["groups"], json!(["physicists"]));
    assert_eq!(claims_of_all["email"], "einstein@example.org");
    assert_eq!(claims_of_all["preferred_username"], "einstein");
    assert!(claims_of_all.get("name").is_none(), "is not registered: {claims_of_all}");
    let fewer = claims(&all, "openid email").await;
    assert_eq!(fewer["email"], "einstein@example.org");
    assert!(fewer.get("groups").is_none() && fewer.get("preferred_username").is_none(), "{fewer}");
    let none = claims(&[], "openid profile email groups").await;
    assert!(none.get("email").is_none() && none.get("groups").is_none(), "{none}");
}
