use oidc::jose::{Algorithm, UnverifiedJwt};
use serde_json::{Value, json};

use super::*;
use crate::model::Session;
use crate::testing::{Bench, Browser, EINSTEIN, FapiClient, encoded};

struct World {
    bench: Bench,
    session: Session,
    /// By client.
    secrets: [(&'static str, String); 3],
}

/// A client with a session of a user, a resource server, and one that may introspect every token.
async fn world() -> World {
    let bench = Bench::new().await;
    let confidential = json!({ "token_endpoint_auth_method": "client_secret_post", "resources": ["api"] });
    let all = json!({ "token_endpoint_auth_method": "client_secret_post", "introspects_all": true });
    let secrets = [
        ("app", bench.add("app", &confidential).await),
        ("api", bench.add("api", &confidential).await),
        ("gateway", bench.add("gateway", &all).await),
    ];
    bench.add("public", &json!({})).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    World { bench, session, secrets }
}

impl World {
    async fn token(&self, resources: &[&str]) -> String {
        let mut grant = self.bench.grant(&self.session, "app", self.bench.endpoints(), "openid").await;
        grant.resources = resources.iter().map(|&resource| resource.to_owned()).collect();
        self.bench.tokens(&grant).await.1
    }

    async fn ask(&self, client: &str, token: &str, wants_signed: bool) -> Result<Document, OAuthError> {
        let (provider, endpoints) = (&self.bench.provider, self.bench.endpoints());
        let secret = self.secrets.iter().find(|(id, _)| *id == client).map_or("", |(_, secret)| secret);
        let form = encoded(&[("client_id", client), ("client_secret", secret), ("token", token)]);
        let request = self.bench.authenticated(&form, endpoints.paths.introspection).await?;
        introspect(provider, endpoints, &request, wants_signed).await
    }

    async fn claims(&self, client: &str, token: &str) -> Value {
        match self.ask(client, token, false).await.expect("is answered") {
            Document::Json(json) => serde_json::from_slice(&json).expect("JSON"),
            Document::Jwt(jwt) => panic!("signed: {jwt}"),
        }
    }
}

#[tokio::test]
async fn active_token_is_described_to_the_clients_that_it_concerns() {
    let world = world().await;
    let token = world.token(&["api"]).await;
    for client in ["app", "api", "gateway"] {
        let claims = world.claims(client, &token).await;
        assert_eq!((&claims["active"], &claims["sub"]), (&json!(true), &json!(EINSTEIN)), "{client}");
        assert_eq!((&claims["client_id"], &claims["username"]), (&json!("app"), &json!("einstein")), "{client}");
        assert_eq!(claims["aud"], json!(["app", "api"]), "{client}");
    }
}

/// Row I25.
#[tokio::test]
async fn inactive_response_says_nothing_else() {
    let world = world().await;
    let inactive = json!({ "active": false });
    let foreign = world.token(&[]).await;
    assert_eq!(world.claims("api", &foreign).await, inactive, "not meant for this client");
    assert_eq!(world.claims("gateway", "junk").await, inactive);
    let expired = world.token(&[]).await;
    world.bench.advance(world.bench.provider.config.lifetimes.access_token);
    assert_eq!(world.claims("app", &expired).await, inactive);
    let ended = world.token(&[]).await;
    super::super::termination::end(&world.bench.provider, world.session.id).await.expect("ends");
    assert_eq!(world.claims("app", &ended).await, inactive);
}

/// Row I25.
#[tokio::test]
async fn client_that_cannot_prove_who_it_is_may_not_introspect() {
    let world = world().await;
    let token = world.token(&[]).await;
    let error = world.ask("public", &token, false).await.expect_err("is refused");
    assert_eq!(error.code, ErrorCode::InvalidClient);
}

#[tokio::test]
async fn signed_response_is_for_the_client_that_asks() {
    let world = world().await;
    let token = world.token(&[]).await;
    let Document::Jwt(text) = world.ask("gateway", &token, true).await.expect("is answered") else {
        panic!("not signed");
    };
    let jwt = UnverifiedJwt::parse(&text).expect("a JWT");
    assert!(jwt.is_typ(SIGNED) && world.bench.provider.keys.verifies(&jwt));
    assert_eq!(jwt.claims()["aud"], json!("gateway"));
    assert_eq!(jwt.claims()["token_introspection"]["active"], json!(true));
}

/// Row [I70](../../../../../docs/security-requirements.md#i70).
#[tokio::test]
async fn signed_response_to_fapi2_client_is_by_a_strong_algorithm() {
    let World { bench, session, .. } = world().await;
    let path = bench.endpoints().paths.introspection;
    for (id, more, expected) in [
        ("bank", json!({}), Algorithm::Ps256),
        ("other-bank", json!({ "introspection_signed_response_alg": "ES256" }), Algorithm::Es256),
    ] {
        let client = FapiClient::add(&bench, id, &more).await;
        let grant = bench.grant(&session, id, bench.endpoints(), "openid").await;
        let token = bench.tokens(&grant).await.1;
        let assertion = client.assertion(&bench, &json!({}));
        let form = encoded(&FapiClient::form(&assertion, &[("client_id", id), ("token", &token)]));
        let request = bench.authenticated(&form, path).await.expect("proves who it is");
        let response = introspect(&bench.provider, bench.endpoints(), &request, true).await.expect("is answered");
        let Document::Jwt(text) = response else { panic!("not signed") };
        let jwt = UnverifiedJwt::parse(&text).expect("a JWT");
        assert_eq!(jwt.algorithm(), Some(expected), "{id}");
        assert!(bench.provider.keys.verifies(&jwt));
        assert_eq!(jwt.claims()["token_introspection"]["active"], json!(true));
    }
}
