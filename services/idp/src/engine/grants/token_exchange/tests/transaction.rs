//! Transaction tokens for access tokens, assertions and other transaction tokens.

use std::time::Duration;

use authn::{Actor, UserStatus, UserType};
use oidc::jose::{Algorithm, SigningKey};
use oidc::scope::Scopes;
use runtime::{CapturedLog, Random};
use token::transaction::names::{SELF_SIGNED_TYPE, TOKEN_TYPE, UNSIGNED_JSON_TYPE};
use token::transaction::{
    KeySource, MAX_REQUESTERS, ReplacementRequest, SubjectType, TransactionClaims, TransactionMinter,
    TransactionVerifier, WorkloadPolicy,
};

use super::*;
use crate::engine::grants::token_exchange::token_type::JWT;
use crate::model::seconds;
use crate::testing::{TRUST_DOMAIN, transaction_keys};

/// What the backend may request in most tests.
fn policy() -> Value {
    json!({
        "transaction_tokens":
            { "scopes": ["files.read", "files.write"], "details": ["path"], "context": ["req_ip"], "replace": true },
    })
}

/// The answer to the backend's request for a transaction token. Of `changes` each replaces a parameter, or leaves it out if it
/// is empty.
pub(super) async fn request(
    bench: &Bench,
    secret: &str,
    (kind, token): (&str, &str),
    changes: &[(&str, &str)],
) -> Reply {
    let mut form = vec![
        ("grant_type", GrantType::TokenExchange.name()),
        ("client_id", "backend"),
        ("client_secret", secret),
        ("requested_token_type", TOKEN_TYPE),
        ("audience", TRUST_DOMAIN),
        ("scope", "files.read"),
        ("subject_token", token),
        ("subject_token_type", kind),
    ];
    form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await
}

/// The claims of a transaction token, as another process with the same secret verifies it.
fn verified(bench: &Bench, token: &str) -> TransactionClaims {
    let verifier = TransactionVerifier::new(TRUST_DOMAIN, KeySource::Derived(transaction_keys()));
    verifier.verify(bench.clock.now(), token).expect("is valid")
}

/// The error of a refusal.
fn error(reply: &Reply) -> String {
    assert_eq!(reply.status, 400, "{reply:?}");
    reply.json()["error"].as_str().expect("an error").to_owned()
}

#[tokio::test]
async fn access_token_is_exchanged_for_a_transaction_token_of_its_user() {
    let (bench, secret) = bench(policy()).await;
    let (_, token) = issued(&bench, "house", "openid profile").await;
    for kind in [ACCESS_TOKEN, JWT] {
        let more =
            [("request_details", r#"{"path":"/report.pdf"}"#), ("request_context", r#"{"req_ip":"203.0.113.9"}"#)];
        let reply = request(&bench, &secret, (kind, &token), &more).await;
        assert_eq!(reply.header("cache-control"), "no-store");
        let body = reply.is(200);
        let mut members: Vec<_> = body.as_object().expect("members").keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["access_token", "expires_in", "issued_token_type", "scope", "token_type"]);
        assert_eq!((&body["token_type"], &body["issued_token_type"]), (&json!("N_A"), &json!(TOKEN_TYPE)));
        assert_eq!((&body["expires_in"], &body["scope"]), (&json!(60), &json!("files.read")));
        let claims = verified(&bench, body["access_token"].as_str().expect("a token"));
        assert_eq!((claims.subject.as_str(), claims.subject_type), (EINSTEIN, SubjectType::User));
        assert_eq!((claims.issuer.as_str(), claims.audience.as_str()), (TRUST_DOMAIN, TRUST_DOMAIN));
        assert_eq!(
            (claims.scope.to_string().as_str(), claims.requesters.to_string().as_str()),
            ("files.read", "backend")
        );
        assert_eq!(
            (&claims.details["path"], &claims.context["req_ip"]),
            (&json!("/report.pdf"), &json!("203.0.113.9"))
        );
        assert_eq!(claims.actor, None);
    }
}

/// `docs/security-requirements.md#x12`
#[tokio::test]
async fn guest_is_the_subject_as_a_guest() {
    let (bench, secret) = bench(policy()).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    bench.change(|user| user.as_mut().expect("a user").id.kind = UserType::Guest);
    let claims = verified(&bench, &token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await));
    assert_eq!((claims.subject.as_str(), claims.subject_type), (EINSTEIN, SubjectType::Guest));
}

/// `docs/security-requirements.md#x4`
#[tokio::test]
async fn scope_is_never_wider_than_the_subject_token_and_the_registration() {
    let (bench, secret) = bench(policy()).await;
    for (client, granted, wanted, expected) in [
        ("house", "openid", "files.read files.write", None),
        ("house", "openid", "files.delete", Some("invalid_scope")),
        ("house", "openid", "files.read files.delete", Some("invalid_scope")),
        ("house", "openid path:/photos:r", "files.read", Some("invalid_scope")),
        ("third", "openid", "files.read", Some("invalid_scope")),
        ("third", "openid files.read", "files.read", None),
        ("third", "openid files.read", "files.read files.write", Some("invalid_scope")),
        ("third", "openid files.delete", "files.delete", Some("invalid_scope")),
    ] {
        let (_, token) = issued(&bench, client, granted).await;
        let reply = request(&bench, &secret, (ACCESS_TOKEN, &token), &[("scope", wanted)]).await;
        match expected {
            Some(expected) => assert_eq!(error(&reply), expected, "{client} {granted} {wanted}"),
            None => assert_eq!(verified(&bench, &token_of(&reply)).scope.to_string(), wanted),
        }
    }
    // an exchanged token of a third party does not become the whole user on the way either
    let (_, token) = issued(&bench, "third", "openid").await;
    let exchanged = token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await);
    assert_eq!(error(&request(&bench, &secret, (ACCESS_TOKEN, &exchanged), &[]).await), "invalid_scope");
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn actor_of_the_subject_token_is_that_of_the_transaction() {
    let delegate = json!({ "exchange": { "delegate": true } });
    let mut more = policy();
    more.as_object_mut().expect("members").extend(delegate.as_object().expect("members").clone());
    let (bench, secret) = bench(more).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let log = CapturedLog::start(tracing::Level::INFO);
    let exchanged = token_of(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await);
    let reply = request(&bench, &secret, (ACCESS_TOKEN, &exchanged), &[]).await;
    assert_eq!(verified(&bench, &token_of(&reply)).actor, Some(Actor::from("backend")));
    let events = log.audit_events();
    for name in ["token-exchange", "transaction_token"] {
        let event = events.iter().find(|event| event["event"] == name);
        let event = event.unwrap_or_else(|| panic!("no {name} in {events:?}"));
        assert_eq!((&event["act"], &event["subject"]), (&json!("backend"), &json!(EINSTEIN)), "{name}");
    }
}

/// `docs/security-requirements.md#x6`
#[tokio::test]
async fn transaction_ends_with_its_lifetime_or_its_subject_token() {
    let mut short = policy();
    short["transaction_tokens"]["lifetime"] = json!("20s");
    let (bench, secret) = bench(short).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let reply = request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await.is(200);
    assert_eq!(reply["expires_in"], json!(20));
    let end = claims(&token)["exp"].as_u64().expect("a time");
    bench.advance(Duration::from_secs(end - seconds(bench.clock.now()) - 5));
    let reply = request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await.is(200);
    assert_eq!(reply["expires_in"], json!(5));
    bench.advance(Duration::from_secs(5));
    assert_eq!(error(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await), "invalid_request");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let (bench, secret) = bench(policy()).await;
    let (id_token, token) = issued(&bench, "house", "openid").await;
    let jwt_with_space = r#"{"path":"eyJhbGciOiJub25lIn0.e30.x"}"#;
    for (changes, expected) in [
        (&[("audience", "")][..], "invalid_request"),
        (&[("audience", "other.example")], "invalid_target"),
        (&[("audience", TRUST_DOMAIN), ("audience", TRUST_DOMAIN)], "invalid_target"),
        (&[("audience", TRUST_DOMAIN), ("audience", "backend")], "invalid_target"),
        (&[("resource", "https://api.example")], "invalid_target"),
        (&[("scope", "")], "invalid_request"),
        (&[("scope", "  ")], "invalid_scope"),
        (&[("scope", "a\\b")], "invalid_scope"),
        (&[("actor_token", "x"), ("actor_token_type", ACCESS_TOKEN)], "invalid_request"),
        (&[("subject_token", "")], "invalid_request"),
        (&[("subject_token", "x")], "invalid_request"),
        (&[("subject_token_type", "")], "invalid_request"),
        (&[("subject_token", id_token.as_str()), ("subject_token_type", ID_TOKEN)], "invalid_request"),
        (&[("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token")], "invalid_request"),
        (
            &[("subject_token", r#"{"sub":"u-einstein"}"#), ("subject_token_type", UNSIGNED_JSON_TYPE)],
            "invalid_request",
        ),
        (&[("request_details", "[]")], "invalid_request"),
        (&[("request_details", r#"{"size":1}"#)], "invalid_request"),
        (&[("request_details", r#"{"sub_type":"workload"}"#)], "invalid_request"),
        (&[("request_details", jwt_with_space)], "invalid_request"),
        (&[("request_context", r#"{"path":"/"}"#)], "invalid_request"),
    ] {
        let reply = request(&bench, &secret, (ACCESS_TOKEN, &token), changes).await;
        assert_eq!(error(&reply), expected, "{changes:?} {reply:?}");
    }
    bench.change(|user| user.as_mut().expect("a user").status = UserStatus::Blocked);
    assert_eq!(error(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await), "invalid_grant");
}

/// `docs/security-requirements.md#x7`
#[tokio::test]
async fn client_without_a_policy_gets_no_transaction_token() {
    let (bench, secret) = bench(json!({})).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    assert_eq!(error(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await), "unauthorized_client");
    let off = Bench::with(|config| config.transactions = config::Transactions::default()).await;
    let metadata = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": [GrantType::TokenExchange.name()],
        "response_types": [],
        "redirect_uris": [],
        "exchange": { "impersonate": true },
        "transaction_tokens": policy()["transaction_tokens"],
    });
    let secret = off.add("backend", &metadata).await;
    off.add("house", &json!({ "consent": "trusted" })).await;
    let (_, token) = issued(&off, "house", "openid").await;
    assert_eq!(error(&request(&off, &secret, (ACCESS_TOKEN, &token), &[]).await), "invalid_request");
}

#[tokio::test]
async fn client_that_acts_for_itself_is_the_subject_as_a_workload() {
    let (bench, secret) = bench(json!({
        "grant_types": [GrantType::TokenExchange.name(), GrantType::ClientCredentials.name()],
        "scope": "files.read",
        "transaction_tokens": policy()["transaction_tokens"],
    }))
    .await;
    let form = [
        ("grant_type", GrantType::ClientCredentials.name()),
        ("client_id", "backend"),
        ("client_secret", &secret),
        ("scope", "files.read"),
    ];
    let token = bench.issue(&form).await.expect("is issued").access_token;
    let claims = verified(&bench, &token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await));
    assert_eq!((claims.subject.as_str(), claims.subject_type), ("backend", SubjectType::Workload));
    let wider = request(&bench, &secret, (ACCESS_TOKEN, &token), &[("scope", "files.read files.write")]).await;
    assert_eq!(error(&wider), "invalid_scope");
    // and gets no access token, as before
    assert_eq!(error(&exchange(&bench, &secret, (ACCESS_TOKEN, &token), None).await), "invalid_request");
}

/// `docs/security-requirements.md#x14`
#[tokio::test]
async fn token_of_a_client_that_is_gone_is_no_subject() {
    let (bench, secret) = bench(policy()).await;
    let worker = json!({
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": [GrantType::ClientCredentials.name()],
        "response_types": [],
        "redirect_uris": [],
        "scope": "files.read",
        "resources": ["backend"],
    });
    let of_worker = bench.add("worker", &worker).await;
    let form = [
        ("grant_type", GrantType::ClientCredentials.name()),
        ("client_id", "worker"),
        ("client_secret", of_worker.as_str()),
        ("audience", "backend"),
        ("scope", "files.read"),
    ];
    let token = bench.issue(&form).await.expect("is issued").access_token;
    let claims = verified(&bench, &token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await));
    assert_eq!((claims.subject.as_str(), claims.subject_type), ("worker", SubjectType::Workload));
    bench.provider.clients.remove("worker").await.expect("is removed");
    assert_eq!(error(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await), "invalid_grant");
}

/// `docs/security-requirements.md#x4`
#[tokio::test]
async fn assertion_of_a_client_is_a_subject_within_its_own_scopes() {
    let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
    let metadata = |more: Value| {
        let mut metadata = json!({
            "grant_types": [GrantType::TokenExchange.name(), GrantType::JwtBearer.name()],
            "jwks": { "keys": [key.jwk()] },
            "transaction_tokens": policy()["transaction_tokens"],
        });
        metadata.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
        metadata
    };
    let (bench, secret) = bench(metadata(json!({ "scope": "files.read" }))).await;
    let now = seconds(bench.clock.now());
    let assertion = |changes: Value| {
        let mut claims = json!({
            "iss": "backend", "sub": EINSTEIN, "aud": bench.endpoints().issuer, "iat": now, "exp": now + 30,
        });
        claims.as_object_mut().expect("members").extend(changes.as_object().expect("members").clone());
        claims.as_object_mut().expect("members").retain(|_, value| !value.is_null());
        key.jwt("JWT", &claims)
    };
    let first = assertion(json!({ "jti": "1" }));
    let reply = request(&bench, &secret, (SELF_SIGNED_TYPE, &first), &[]).await;
    let claims = verified(&bench, &token_of(&reply));
    assert_eq!((claims.subject.as_str(), claims.subject_type), (EINSTEIN, SubjectType::User));
    assert_eq!((claims.actor, reply.json()["expires_in"].as_u64()), (Some(Actor::from("backend")), Some(30)));
    let wider = [("scope", "files.write")];
    for (changes, more, expected) in [
        (json!({ "jti": "1" }), &[][..], "invalid_grant"),
        (json!({ "jti": "2" }), &wider, "invalid_scope"),
        (json!({ "jti": null }), &[], "invalid_grant"),
        (json!({ "jti": "3", "iat": null }), &[], "invalid_request"),
        (json!({ "jti": "4", "iss": "other" }), &[], "invalid_request"),
        (json!({ "jti": "5", "aud": TRUST_DOMAIN }), &[], "invalid_grant"),
        (json!({ "jti": "6", "exp": now - 600 }), &[], "invalid_grant"),
        (json!({ "jti": "7", "sub": "u-unknown" }), &[], "invalid_grant"),
    ] {
        let reply = request(&bench, &secret, (SELF_SIGNED_TYPE, &assertion(changes.clone())), more).await;
        assert_eq!(error(&reply), expected, "{changes}");
    }
    bench.change(|user| user.as_mut().expect("a user").id.kind = UserType::Guest);
    let of_guest = request(&bench, &secret, (SELF_SIGNED_TYPE, &assertion(json!({ "jti": "8" }))), &[]).await;
    assert_eq!(verified(&bench, &token_of(&of_guest)).subject_type, SubjectType::Guest);
    // nothing says how far an assertion reaches of a client without a list of scopes
    let (bench, secret) = self::bench(metadata(json!({}))).await;
    let unlimited = request(&bench, &secret, (SELF_SIGNED_TYPE, &first), &[]).await;
    assert_eq!(error(&unlimited), "invalid_request");
}

/// `docs/security-requirements.md#x14`, `#g23`
#[tokio::test]
async fn user_without_a_tenant_is_no_subject_where_every_user_has_one() {
    let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
    let backend = json!({
        "grant_types": [GrantType::TokenExchange.name(), GrantType::JwtBearer.name()],
        "jwks": { "keys": [key.jwk()] },
        "scope": "files.read",
        "transaction_tokens": policy()["transaction_tokens"],
    });
    let bench = Bench::with(|config| config.multi_tenant_enabled = true).await;
    let (bench, secret) = with_clients(bench, backend).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let now = seconds(bench.clock.now());
    let ask = async |jti: &str| {
        let assertion = json!({
            "iss": "backend", "sub": EINSTEIN, "aud": bench.endpoints().issuer, "iat": now, "exp": now + 30, "jti": jti,
        });
        let by_token = request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await;
        [by_token, request(&bench, &secret, (SELF_SIGNED_TYPE, &key.jwt("JWT", &assertion)), &[]).await]
    };
    for refused in ask("1").await {
        assert_eq!(error(&refused), "invalid_grant");
    }
    bench.change(|user| user.as_mut().expect("a user").id.tenant_id = "physics".to_owned());
    for issued in ask("2").await {
        assert_eq!(verified(&bench, &token_of(&issued)).subject, EINSTEIN);
    }
}

/// `docs/security-requirements.md#x5`: with the gateway, which has the same keys, the provider is one service.
#[tokio::test]
async fn replacements_by_idp_and_gateway_never_widen_a_transaction() {
    let (bench, secret) = bench(policy()).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let gateway = TransactionMinter::new(transaction_keys(), TRUST_DOMAIN);
    let workload = WorkloadPolicy {
        scopes: ["files.read", "files.write"].map(str::to_owned).into(),
        may_replace: true,
        ..WorkloadPolicy::default()
    };
    let random = Random::seeded(17);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..50 {
        let scope = [("scope", "files.read files.write")];
        let mut text = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &scope).await);
        let first = verified(&bench, &text);
        let mut last = first.clone();
        for _ in 0..MAX_REQUESTERS {
            let [door, choice] = random.bytes();
            let wanted =
                ["files.read", "files.write", "files.read files.write", "files.delete"][usize::from(choice % 4)];
            let next = if door % 2 == 0 {
                let reply = request(&bench, &secret, (TOKEN_TYPE, &text), &[("scope", wanted)]).await;
                (reply.status == 200).then(|| token_of(&reply))
            } else {
                let wanted = ReplacementRequest::new(wanted, "", "").expect("a request");
                let minted = gateway.replace(bench.clock.now(), &last, &wanted, "spiffe://cloud.example/b", &workload);
                minted.ok().map(|minted| minted.token)
            };
            let wanted: Scopes = wanted.parse().expect("a scope");
            let has_room = last.requesters.iter().count() < MAX_REQUESTERS;
            assert_eq!(next.is_some(), has_room && wanted.is_subset(&last.scope), "{wanted} of {}", last.scope);
            let Some(next) = next else {
                refused += 1;
                continue;
            };
            accepted += 1;
            let claims = verified(&bench, &next);
            let by = if door % 2 == 0 { "backend" } else { "spiffe://cloud.example/b" };
            assert_eq!(claims.requesters.to_string(), format!("{},{by}", last.requesters));
            assert!(claims.scope.is_subset(&last.scope) && claims.expires_at <= last.expires_at);
            let same = TransactionClaims {
                scope: first.scope.clone(),
                requesters: first.requesters.clone(),
                issued_at: first.issued_at,
                expires_at: first.expires_at,
                ..claims.clone()
            };
            assert_eq!(same, first, "everything else is unchanged");
            (text, last) = (next, claims);
        }
    }
    assert!(accepted > 50 && refused > 50, "{accepted} {refused}");
    // details belong to the transaction
    let text = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await);
    let details = [("request_details", r#"{"path":"/"}"#)];
    assert_eq!(error(&request(&bench, &secret, (TOKEN_TYPE, &text), &details).await), "invalid_request");
    bench.advance(Duration::from_mins(1));
    assert_eq!(error(&request(&bench, &secret, (TOKEN_TYPE, &text), &[]).await), "invalid_request");
}

/// `docs/security-requirements.md#x5`
#[tokio::test]
async fn only_a_client_that_may_replaces_a_transaction_token() {
    let mut more = policy();
    more["transaction_tokens"]["replace"] = json!(false);
    let (bench, secret) = bench(more).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let text = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await);
    assert_eq!(error(&request(&bench, &secret, (TOKEN_TYPE, &text), &[]).await), "invalid_request");
}

/// `docs/security-requirements.md#x10`
#[tokio::test]
async fn audit_log_has_the_transaction_and_no_token() {
    let (bench, secret) = bench(policy()).await;
    let (_, token) = issued(&bench, "house", "openid").await;
    let log = CapturedLog::start(tracing::Level::DEBUG);
    let first = token_of(&request(&bench, &secret, (ACCESS_TOKEN, &token), &[]).await);
    let second = token_of(&request(&bench, &secret, (TOKEN_TYPE, &first), &[]).await);
    request(&bench, &secret, (TOKEN_TYPE, &second), &[("scope", "files.write")]).await.is(400);
    request(&bench, &secret, (TOKEN_TYPE, &token), &[]).await.is(400);
    let events: Vec<_> = log.audit_events().into_iter().filter(|line| line["event"] == "transaction_token").collect();
    let fields = |name: &str| events.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(fields("outcome"), ["minted", "replaced", "refused", "refused"]);
    assert_eq!(fields("client"), ["backend"; 4]);
    assert_eq!(fields("subject")[..2], [EINSTEIN; 2]);
    assert_eq!(fields("scope")[..2], ["files.read"; 2]);
    assert_eq!(fields("reason")[2..], ["scope", "transaction_token_type"]);
    let transaction = verified(&bench, &first).transaction;
    assert_eq!(fields("txn")[..2], [transaction.as_str(); 2]);
    for token in [&token, &first, &second] {
        let signature = token.rsplit('.').next().expect("a signature");
        assert!(!log.text().contains(signature));
    }
}
