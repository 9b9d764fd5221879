//! Which resources a client is granted tokens for (RFC 8707), and what its tokens say of the client, at every endpoint that takes part in it.

use oidc::jose::UnverifiedJwt;
use serde_json::{Value, json};

use crate::logout::testing::{Bench, Browser, EINSTEIN, Reply};
use crate::model::{Code, seconds};
use crate::seal::Purpose;

const BACK: &str = "https://app.example/back";
const LISTED: &str = "https://photos.example/";
const OTHER: &str = "https://gateway.example/";

/// A provider with clients that may target nothing, and one resource server.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let plain = json!({ "pkce": "optional", "grant_types": ["authorization_code", "refresh_token", device] });
    let mut listing = plain.clone();
    listing["resources"] = json!([LISTED]);
    bench.add("plain", &plain).await;
    bench.add("listing", &listing).await;
    bench
}

async fn authorize(bench: &Bench, client: &str, resource: &str) -> Reply {
    let query = [
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("state", "s"),
        ("resource", resource),
    ];
    bench.get(&mut Browser::default(), bench.site().paths.authorization, &query).await
}

/// Redeems a code of a grant of these resources.
async fn redeem(bench: &Bench, client: &str, granted: &[&str], named: &[&str]) -> Reply {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut grant = bench.grant(&session, client, bench.site(), "openid offline_access").await;
    grant.resources = granted.iter().map(|&resource| resource.to_owned()).collect();
    let code = Code {
        grant,
        redirect_uri: BACK.to_owned(),
        redirect_was_named: true,
        nonce: None,
        challenge: None,
        dpop_jkt: None,
        expires: seconds(bench.clock.now()) + 60,
    };
    let code = bench.provider.sealer.seal(Purpose::Code, &code);
    let mut form =
        vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("client_id", client)];
    form.extend(named.iter().map(|&resource| ("resource", resource)));
    bench.post_with(&mut Browser::default(), bench.site().paths.token, &form, &[]).await
}

fn claims(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let token = answer["access_token"].as_str().expect("a token");
    Value::Object(UnverifiedJwt::parse(token).expect("a JWT").into_claims())
}

#[tokio::test]
async fn authorization_request_for_a_resource_outside_the_clients_list_is_invalid_target() {
    let bench = bench().await;
    for (client, resource) in
        [("plain", LISTED), ("plain", OTHER), ("listing", OTHER), ("listing", "https://photos.example")]
    {
        let refused = authorize(&bench, client, resource).await;
        assert!(
            refused.location().unwrap_or_default().contains("error=invalid_target"),
            "{client} {resource}: {refused:?}"
        );
    }
    let waiting = authorize(&bench, "listing", LISTED).await;
    assert!(waiting.location().is_some_and(|location| !location.contains("error=")), "{waiting:?}");
}

#[tokio::test]
async fn device_request_for_a_resource_outside_the_clients_list_is_invalid_target() {
    let bench = bench().await;
    for (client, resource, status) in [("plain", LISTED, 400), ("listing", OTHER, 400), ("listing", LISTED, 200)] {
        let form = [("client_id", client), ("scope", "openid"), ("resource", resource)];
        let answer = bench.post_with(&mut Browser::default(), bench.site().paths.device, &form, &[]).await;
        assert_eq!(answer.status, status, "{client} {resource}: {answer:?}");
        if status == 400 {
            assert_eq!(answer.json()["error"], "invalid_target");
        }
    }
}

#[tokio::test]
async fn resource_that_the_list_does_not_hold_any_more_is_left_out_at_redemption() {
    let bench = bench().await;
    let token = claims(&redeem(&bench, "listing", &[LISTED, OTHER], &[]).await);
    assert_eq!(token["aud"], json!(["listing", LISTED]));
    assert_eq!(claims(&redeem(&bench, "plain", &[LISTED], &[]).await)["aud"], json!(["plain"]));
    let refused = redeem(&bench, "listing", &[LISTED, OTHER], &[OTHER]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (400, &json!("invalid_target")));

    let answer = redeem(&bench, "plain", &[OTHER], &[]).await.json();
    let refresh = answer["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "plain")];
    let renewed = bench.post_with(&mut Browser::default(), bench.site().paths.token, &form, &[]).await;
    assert_eq!(claims(&renewed)["aud"], json!(["plain"]), "also of a grant from before");
}

#[tokio::test]
async fn access_token_says_whether_its_client_is_the_installations_own() {
    let bench = bench().await;
    bench.add("house", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    for (client, own) in [("plain", false), ("house", true), ("web", true), ("OpenCloudDesktop", true)] {
        let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
        let grant = bench.grant(&session, client, bench.site(), "openid").await;
        let (_, token) = bench.tokens(&grant).await;
        let claims = UnverifiedJwt::parse(&token).expect("a JWT").into_claims();
        assert_eq!(claims["first_party"], own, "{client}");
    }
}

#[tokio::test]
async fn introspection_says_whether_the_client_is_the_installations_own() {
    let bench = bench().await;
    let secret = bench
        .add("resource", &json!({ "token_endpoint_auth_method": "client_secret_post", "introspects_all": true }))
        .await;
    for (client, own) in [("plain", false), ("web", true)] {
        let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
        let grant = bench.grant(&session, client, bench.site(), "openid").await;
        let (_, token) = bench.tokens(&grant).await;
        let form = [("token", token.as_str()), ("client_id", "resource"), ("client_secret", &secret)];
        let answer = bench.post_with(&mut Browser::default(), bench.site().paths.introspection, &form, &[]).await;
        assert_eq!((&answer.json()["active"], &answer.json()["first_party"]), (&json!(true), &json!(own)), "{client}");
    }
}
