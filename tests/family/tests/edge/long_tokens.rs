//! Access tokens of users in hundreds of groups.

use reqwest::StatusCode;
use serde_json::json;

use crate::edge::backend::header;
use crate::edge::issuer::Issuer;
use crate::edge::world::{World, client};

#[tokio::test(flavor = "multi_thread")]
async fn access_token_of_a_user_in_hundreds_of_groups_passes_the_edge() {
    let issuer = Issuer::start().await;
    let world = World::start_with("edge-long-tokens", |layout| issuer.settle(layout)).await;
    for groups in [1, 300, 400] {
        let names: Vec<_> = (0..groups).map(|number| format!("group-{number:036}")).collect();
        let token = issuer.token(&json!({ "groups": names }));
        assert!(groups == 1 || (16 * 1024..32 * 1024).contains(&token.len()), "{} bytes", token.len());
        let answer = client().get(world.url("/kept/a")).bearer_auth(&token).send().await.expect("the edge answers");
        assert_eq!(answer.status(), StatusCode::OK, "{groups} groups");
        let seen = world.backend.take();
        assert_eq!(header(&seen[0], "authorization"), [format!("Bearer {token}")], "kept for the backend");
    }
}

/// Behind the edge, too, each service reads headers of that size, and answers what it has to say about the token.
#[tokio::test(flavor = "multi_thread")]
async fn headers_of_that_size_reach_userinfo_and_auth_app() {
    let world = World::start("edge-long-headers").await;
    let token = "a".repeat(24 * 1024);
    let variables = world.family.layout.variables();
    let direct = |name: &str, path: &str| format!("http://{}{path}", variables[name]);
    for url in [
        world.url("/konnect/v1/userinfo"),
        direct("IDP_HTTP_ADDR", "/konnect/v1/userinfo"),
        direct("AUTH_APP_HTTP_ADDR", "/auth-app/tokens"),
    ] {
        let answer = client().get(&url).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{url}");
    }
}
