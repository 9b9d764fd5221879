use std::time::SystemTime;

use oidc::jose::{Algorithm, SigningKey};
use runtime::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use workload::testing::{Issuer, SpiffeAuthority};

use super::*;
use crate::engine::clients::GrantType;
use crate::testing::{ACCOUNT, Bench, Browser, Reply};

const BEARER: &str = oidc::assertion::CLIENT_ASSERTION_TYPE;
const MINUTES: Duration = Duration::from_mins(10);

/// A provider with the client `billing`, which workloads of a trust domain are, and the client `deployer`, for which an issuer vouches.
struct World {
    bench: Bench,
    authority: SpiffeAuthority,
    issuer: Issuer,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let (authority, issuer) = (SpiffeAuthority::new("example.org"), Issuer::start().await);
        let folder = tempfile::tempdir().expect("a folder");
        let (bundle, policy) = (folder.path().join("bundle.json"), folder.path().join("policy.yaml"));
        std::fs::write(&bundle, authority.bundle()).expect("writes");
        let entry = "audience: ['https://cloud.example', doorward], identity: 'repo:acme/site:*', client: deployer";
        let text = format!("callers:\n  - {{ issuer: '{}', {entry} }}\n", issuer.name());
        std::fs::write(&policy, text).expect("writes");
        let bench = Bench::at(Clock::system().now(), |config| {
            config.spiffe.trust_domains = vec![format!("example.org={}", bundle.display())];
            config.workload_policy.policy_file = Some(policy);
        });
        let bench = bench.await;
        let client = |method: &str| {
            json!({
                "token_endpoint_auth_method": method,
                "grant_types": [GrantType::ClientCredentials.name(), GrantType::JwtBearer.name()],
                "response_types": [],
                "redirect_uris": [],
            })
        };
        let mut billing = client("spiffe_jwt");
        billing["spiffe_id"] = json!("spiffe://example.org/billing/*");
        bench.add("billing", &billing).await;
        bench.add("deployer", &client("workload_jwt")).await;
        Self { bench, authority, issuer, _folder: folder }
    }

    fn now(&self) -> SystemTime {
        self.bench.clock.now()
    }

    fn here(&self) -> &str {
        &self.bench.endpoints().issuer
    }

    /// A JWT-SVID.
    fn svid(&self, path: &str, audience: &str) -> String {
        self.authority.svid(path, audience, MINUTES, self.now())
    }

    /// A token of the issuer.
    fn token(&self, subject: &str, audience: &str) -> String {
        self.issuer.token(&self.issuer.claims(subject, audience, MINUTES, self.now()))
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Reply {
        self.bench.post_with(&mut Browser::default(), self.bench.endpoints().paths.token, form, &[]).await
    }

    /// Asks with an assertion of a client.
    async fn assert(&self, kind: &str, client: &str, assertion: &str) -> Reply {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
            ("client_id", client),
        ];
        self.ask(&form).await
    }
}

fn subject_of(body: &Value) -> String {
    subject(body["access_token"].as_str().expect("a token")).expect("a subject")
}

/// Row [I80](../../../../../../docs/security-requirements.md#i80).
#[tokio::test]
async fn workload_is_the_client_whose_spiffe_id_it_has() {
    let world = World::new().await;
    let svid = world.svid("/billing/worker", world.here());
    for _ in 0..2 {
        let body = world.assert(JWT_SPIFFE, "billing", &svid).await.is(200);
        assert_eq!(subject_of(&body), "billing", "it may be used until it ends");
    }
    let mut other = SpiffeAuthority::new("example.org");
    other.add_key();
    // SPIRE may add the name of its issuer
    let mut claims = world.issuer.claims("spiffe://example.org/billing/worker", world.here(), MINUTES, world.now());
    claims.insert("iss".to_owned(), json!("https://spire.example.org"));
    let with_issuer = world.authority.sign(&claims);
    world.assert(JWT_SPIFFE, "billing", &with_issuer).await.is(200);
    let long = world.authority.svid("/billing/worker", world.here(), Duration::from_hours(2), world.now());
    for (kind, client, token) in [
        (JWT_SPIFFE, "billing", world.svid("/billing/worker", "doorward")),
        (JWT_SPIFFE, "billing", world.svid("/billing/worker", &format!("{}/", world.here()))),
        (JWT_SPIFFE, "billing", world.svid("/other/worker", world.here())),
        (JWT_SPIFFE, "billing", world.svid("/billing", world.here())),
        (JWT_SPIFFE, "billing", other.svid("/billing/worker", world.here(), MINUTES, world.now())),
        (
            JWT_SPIFFE,
            "billing",
            SpiffeAuthority::new("partner.org").svid("/billing/x", world.here(), MINUTES, world.now()),
        ),
        (JWT_SPIFFE, "billing", long),
        (JWT_SPIFFE, "billing", world.token("spiffe://example.org/billing/worker", world.here())),
        (JWT_SPIFFE, "deployer", svid.clone()),
        (JWT_SPIFFE, "unknown", svid.clone()),
        (JWT_SPIFFE, "deployer", world.token("repo:acme/site:main", world.here())),
        (BEARER, "billing", svid.clone()),
        (BEARER, "billing", with_issuer),
        ("urn:other", "billing", svid.clone()),
    ] {
        let reply = world.assert(kind, client, &token).await;
        assert_eq!(reply.is(401)["error"], "invalid_client", "{kind} {client}");
    }
    let form = [("grant_type", "client_credentials"), ("client_id", "billing"), ("client_secret", svid.as_str())];
    world.ask(&form).await.is(401);
    world.ask(&[("grant_type", "client_credentials"), ("client_id", "billing")]).await.is(401);
}

/// Row [I80](../../../../../../docs/security-requirements.md#i80).
#[tokio::test]
async fn workload_is_the_client_of_its_entry() {
    let world = World::new().await;
    let main = "repo:acme/site:main";
    let token = world.token(main, world.here());
    let body = world.assert(BEARER, "deployer", &token).await.is(200);
    assert_eq!(subject_of(&body), "deployer");
    for (client, token) in [
        ("deployer", world.token(main, "doorward")),
        ("deployer", world.token("repo:acme/other:main", world.here())),
        ("billing", token.clone()),
        ("unknown", token.clone()),
    ] {
        let reply = world.assert(BEARER, client, &token).await;
        assert_eq!(reply.is(401)["error"], "invalid_client", "{client}");
    }
    let unnamed =
        [("grant_type", "client_credentials"), ("client_assertion_type", BEARER), ("client_assertion", &token)];
    world.ask(&unnamed).await.is(401);
    // by a key of the client's own choice, under the issuer's name
    let key = SigningKey::generate(Algorithm::Es256, "key-1").expect("a key");
    let forged = key.jwt("JWT", &world.issuer.claims(main, world.here(), MINUTES, world.now()));
    world.assert(BEARER, "deployer", &forged).await.is(401);
}

/// Row [I80](../../../../../../docs/security-requirements.md#i80): keys that cannot be had are no verdict.
#[tokio::test]
async fn issuer_that_is_away_is_no_refusal() {
    let world = World::new().await;
    world.issuer.documents().set_down(true);
    let token = world.token("repo:acme/site:main", world.here());
    let reply = world.assert(BEARER, "deployer", &token).await;
    assert_eq!(reply.is(503)["error"], "temporarily_unavailable");
}

/// Row [I80](../../../../../../docs/security-requirements.md#i80).
#[tokio::test]
async fn token_of_a_workload_is_proof_and_grant() {
    let world = World::new().await;
    let grant = ("grant_type", GrantType::JwtBearer.name());
    let (svid, token) = (world.svid("/billing/worker", world.here()), world.token("repo:acme/site:main", world.here()));
    for (client, assertion) in [("billing", &svid), ("deployer", &token)] {
        let body = world.ask(&[grant, ("assertion", assertion), ("client_id", client)]).await.is(200);
        assert_eq!(subject_of(&body), client);
        assert_eq!((body.get("refresh_token"), body.get("id_token")), (None, None), "{body}");
    }
    let elsewhere = world.svid("/billing/worker", "doorward");
    for (client, assertion) in [("billing", &elsewhere), ("billing", &token), ("deployer", &svid)] {
        let reply = world.ask(&[grant, ("assertion", assertion), ("client_id", client)]).await;
        assert_eq!(reply.is(400)["error"], "invalid_grant", "{client}");
    }
    world.ask(&[grant, ("assertion", &svid)]).await.is(401);
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81): only a token for this issuer is passed on.
#[tokio::test]
async fn workload_is_the_service_account_that_auth_service_says() {
    let world = World::new().await;
    let token = world.token("repo:acme/site:main", world.here());
    let elsewhere = world.token("repo:acme/site:main", "doorward");
    let state = || world.bench.service_accounts.state();
    state().token = Some(token.clone());
    let grant = ("grant_type", GrantType::JwtBearer.name());
    let by_grant = [grant, ("assertion", token.as_str()), ("client_id", ACCOUNT)];
    for reply in [world.assert(BEARER, ACCOUNT, &token).await, world.ask(&by_grant).await] {
        let body = reply.is(200);
        assert_eq!((subject_of(&body).as_str(), &body["expires_in"]), (ACCOUNT, &json!(300)), "{body}");
    }
    let asked = state().callers.len();
    state().token = Some(elsewhere.clone());
    world.assert(BEARER, ACCOUNT, &elsewhere).await.is(401);
    world.ask(&[grant, ("assertion", &elsewhere), ("client_id", ACCOUNT)]).await.is(401);
    let secret = [("grant_type", "client_credentials"), ("client_id", ACCOUNT), ("client_secret", elsewhere.as_str())];
    world.ask(&secret).await.is(401);
    assert_eq!(state().callers.len(), asked, "auth-service would have accepted it");
    let long = world.issuer.claims("repo:acme/site:main", world.here(), Duration::from_hours(2), world.now());
    let mut endless = long.clone();
    endless.remove("exp");
    for token in [long, endless].map(|claims| world.issuer.token(&claims)) {
        state().token = Some(token.clone());
        world.assert(BEARER, ACCOUNT, &token).await.is(401);
        world.ask(&[grant, ("assertion", &token), ("client_id", ACCOUNT)]).await.is(401);
    }
    assert_eq!(state().callers.len(), asked, "it could be used again for too long");
}

/// Row [I81](../../../../../../docs/security-requirements.md#i81): as for registered clients.
#[tokio::test]
async fn service_account_has_an_assertion_type_for_each_kind_of_token() {
    let world = World::new().await;
    let state = || world.bench.service_accounts.state();
    let token = world.token("repo:acme/site:main", world.here());
    let claims = world.issuer.claims("spiffe://example.org/backup", world.here(), MINUTES, world.now());
    let (svid, with_issuer) = (world.svid("/backup", world.here()), world.authority.sign(&claims));
    for (kind, text, asks) in [
        (JWT_SPIFFE, &svid, true),
        (JWT_SPIFFE, &with_issuer, true),
        (BEARER, &token, true),
        (JWT_SPIFFE, &token, false),
        (BEARER, &svid, false),
        (BEARER, &with_issuer, false),
    ] {
        state().token = Some(text.clone());
        let before = state().callers.len();
        world.assert(kind, ACCOUNT, text).await.is(if asks { 200 } else { 401 });
        assert_eq!(state().callers.len() > before, asks, "{kind} {text}");
    }
}

#[tokio::test]
async fn methods_of_workloads_are_offered_where_they_are_accepted() {
    let methods = async |bench: &Bench| {
        let document = bench.get(&mut Browser::default(), "/.well-known/openid-configuration", &[]).await.is(200);
        let methods = document["token_endpoint_auth_methods_supported"].as_array().expect("a list").clone();
        ["spiffe_jwt", "workload_jwt"].map(|method| methods.contains(&json!(method)))
    };
    assert_eq!(methods(&World::new().await.bench).await, [true, true]);
    assert_eq!(methods(&Bench::new().await).await, [false, false]);
}
