//! Which resources a client is granted tokens for (RFC 8707), and what its tokens say of the client, at every endpoint that takes part in it.

use oidc::jose::UnverifiedJwt;
use serde_json::{Value, json};

use crate::model::{Code, Grant, seconds};
use crate::seal::Purpose;
use crate::testing::{Bench, Browser, EINSTEIN, Reply};

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
    bench.get(&mut Browser::default(), bench.endpoints().paths.authorization, &query).await
}

/// Redeems a code of a grant of these resources.
async fn redeem(bench: &Bench, client: &str, granted: &[&str], named: &[&str]) -> Reply {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let mut grant = bench.grant(&session, client, bench.endpoints(), "openid offline_access").await;
    grant.resources = granted.iter().map(|&resource| resource.to_owned()).collect();
    redeem_grant(bench, client, grant, named).await
}

/// Redeems a code of a grant of this scope.
async fn redeem_scope(bench: &Bench, client: &str, scope: &str) -> Reply {
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let grant = bench.grant(&session, client, bench.endpoints(), scope).await;
    redeem_grant(bench, client, grant, &[]).await
}

async fn redeem_grant(bench: &Bench, client: &str, grant: Grant, named: &[&str]) -> Reply {
    let code = Code {
        grant,
        redirect_uri: BACK.to_owned(),
        redirect_was_named: true,
        nonce: None,
        challenge: None,
        dpop_jkt: None,
        issued: None,
        expires: seconds(bench.clock.now()) + 60,
    };
    let code = bench.provider.sealer.seal(Purpose::Code, &code);
    let mut form =
        vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("client_id", client)];
    form.extend(named.iter().map(|&resource| ("resource", resource)));
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await
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
        let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.device, &form, &[]).await;
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
    let renewed = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await;
    assert_eq!(claims(&renewed)["aud"], json!(["plain"]), "also of a grant from before");
}

#[tokio::test]
async fn access_token_says_whether_its_client_is_the_installations_own() {
    let bench = bench().await;
    bench.add("house", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    for (client, own) in [("plain", false), ("house", true), ("web", true), ("OpenCloudDesktop", true)] {
        let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
        let grant = bench.grant(&session, client, bench.endpoints(), "openid").await;
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
        let grant = bench.grant(&session, client, bench.endpoints(), "openid").await;
        let (_, token) = bench.tokens(&grant).await;
        let form = [("token", token.as_str()), ("client_id", "resource"), ("client_secret", &secret)];
        let answer = bench.post_with(&mut Browser::default(), bench.endpoints().paths.introspection, &form, &[]).await;
        assert_eq!((&answer.json()["active"], &answer.json()["first_party"]), (&json!(true), &json!(own)), "{client}");
    }
}

/// Row I13: scopes of the API narrow what the tokens of the installation's own clients do.
#[tokio::test]
async fn refresh_without_the_granted_api_scopes_does_not_act_as_the_whole_user() {
    let bench = bench().await;
    let more =
        json!({ "pkce": "optional", "consent": "trusted", "grant_types": ["authorization_code", "refresh_token"] });
    bench.add("house", &more).await;
    let redeemed = redeem_scope(&bench, "house", "openid offline_access path:/photos:r").await;
    assert_eq!(claims(&redeemed)["first_party"], true);
    let mut refresh = redeemed.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    for (scope, is_whole) in [(None, true), (Some("openid"), false), (Some("openid path:/photos:r"), true)] {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", "house")];
        form.extend(scope.map(|scope| ("scope", scope)));
        let renewed = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await;
        assert_eq!(claims(&renewed)["first_party"], is_whole, "{scope:?}");
        refresh = renewed.json()["refresh_token"].as_str().expect("the next one").to_owned();
    }
}

#[tokio::test]
async fn scope_that_the_registration_does_not_list_any_more_is_left_out_at_redemption_and_refresh() {
    let bench = bench().await;
    let redeemed = redeem_scope(&bench, "plain", "openid offline_access user").await;
    assert_eq!(claims(&redeemed)["scope"], "offline_access openid");
    let refresh = redeemed.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", "plain")];
    let renewed = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await;
    assert_eq!(claims(&renewed)["scope"], "offline_access openid", "also of a grant from before");
}

#[tokio::test]
async fn trusted_client_that_asks_for_api_scopes_in_vain_does_not_act_as_the_whole_user() {
    let bench = bench().await;
    bench.add("house", &json!({ "pkce": "optional", "consent": "trusted", "scope": "openid profile" })).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    for (scope, is_whole) in [("openid profile", true), ("openid path:/photos:r", false)] {
        let query = [
            ("client_id", "house"),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("scope", scope),
            ("state", "s"),
        ];
        let answer = bench.get(&mut browser, bench.endpoints().paths.authorization, &query).await;
        let location = answer.location().unwrap_or_default().to_owned();
        let (_, query) = location.split_once('?').unwrap_or_else(|| panic!("no query: {answer:?}"));
        let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code");
        let code = code.unwrap_or_else(|| panic!("no code: {answer:?}")).1.into_owned();
        let form =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("client_id", "house")];
        let redeemed = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await;
        assert_eq!(claims(&redeemed)["first_party"], is_whole, "{scope}");
    }
}
