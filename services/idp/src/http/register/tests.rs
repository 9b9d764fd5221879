//! RFC 7591 and RFC 7592, and row I33.

mod sector;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::engine::clients::{ConsentPolicy, Source};
use crate::testing::{Bench, REGISTER, Reply, SITE, text};

/// A provider where clients register with an initial access token.
async fn guarded() -> Bench {
    Bench::with(|config| {
        config.registration = true;
        config.allow_private_addresses = false;
    })
    .await
}

/// A provider where clients register without an initial access token.
async fn open() -> Bench {
    Bench::with(|config| {
        config.open_registration = true;
        config.allow_private_addresses = false;
    })
    .await
}

fn wiki() -> Value {
    json!({ "client_name": "Wiki", "redirect_uris": ["https://wiki.example/cb"] })
}

/// The path of a registration, and the token that manages it.
fn managed(registered: &Value) -> (String, String) {
    let uri = text(registered, "registration_client_uri");
    let path = uri.strip_prefix(SITE).expect("is here").to_owned();
    (path, text(registered, "registration_access_token"))
}

#[tokio::test]
async fn registration_is_off_unless_it_is_configured() {
    let bench = Bench::new().await;
    for path in [REGISTER, "/oidc/oauth2/register", "/konnect/v1/register/web"] {
        for method in ["POST", "GET", "PUT", "DELETE"] {
            bench.send_json(method, path, Some("token"), Some(&wiki())).await.is(404);
        }
    }
}

#[tokio::test]
async fn registration_needs_an_initial_access_token_unless_it_is_open() {
    let bench = guarded().await;
    let anonymous = bench.register(None, &wiki()).await;
    assert_eq!(anonymous.header("www-authenticate"), r#"Bearer realm="idp""#);
    assert_eq!(anonymous.header("cache-control"), "no-store");
    assert_eq!(anonymous.is(401)["error"], "invalid_token");
    let guessed = bench.register(Some("guessed"), &wiki()).await;
    assert_eq!(guessed.header("www-authenticate"), r#"Bearer realm="idp", error="invalid_token""#);
    guessed.is(401);
    open().await.register(None, &wiki()).await.is(201);
}

#[tokio::test]
async fn registration_response_has_secret_and_registration_token() {
    let bench = open().await;
    let answer = bench.register(None, &wiki()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.is(201);
    let id = text(&told, "client_id");
    assert_eq!(text(&told, "client_secret").len(), 43);
    assert_eq!(text(&told, "registration_access_token").len(), 43);
    assert_eq!(told["client_secret_expires_at"], 0);
    assert_eq!(told["client_id_issued_at"], 1_800_000_000);
    assert_eq!(told["registration_client_uri"], format!("{SITE}{REGISTER}/{id}"));
    assert_eq!(told["client_name"], "Wiki");
    assert_eq!(told["redirect_uris"], json!(["https://wiki.example/cb"]));
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["response_types"], json!(["code"]));
    assert_eq!(told["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(told["id_token_signed_response_alg"], "RS256");
    let found = bench.provider.clients.find(&id).await.expect("answers").expect("is known");
    assert_eq!((found.source, found.consent), (Source::Registered, ConsentPolicy::Remembered));
}

#[tokio::test]
async fn a_public_client_has_no_secret() {
    let bench = open().await;
    let desktop = json!({
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1"],
        "token_endpoint_auth_method": "none",
    });
    let told = bench.register(None, &desktop).await.is(201);
    assert!(told.get("client_secret").is_none() && told.get("client_secret_expires_at").is_none(), "{told}");
    let found = bench.provider.clients.find(&text(&told, "client_id")).await.expect("answers").expect("is known");
    assert_eq!(found.consent, ConsentPolicy::Always);
    assert!(found.redirects.find("http://127.0.0.1:51004").is_some());
}

#[tokio::test]
async fn each_layout_names_its_own_address() {
    let bench = open().await;
    let told = bench.send_json("POST", "/oidc/oauth2/register", None, Some(&wiki())).await.is(201);
    let uri = text(&told, "registration_client_uri");
    assert_eq!(uri, format!("{SITE}/oidc/oauth2/register/{}", text(&told, "client_id")));
    let (path, token) = managed(&told);
    bench.send_json("GET", &path, Some(&token), None).await.is(200);
}

#[tokio::test]
async fn registered_metadata_is_returned_by_both_endpoints() {
    let bench = open().await;
    let mut metadata = wiki();
    for (name, value) in [
        ("initiate_login_uri", json!("https://wiki.example/login")),
        ("client_name#de", json!("Das Wiki")),
        ("contacts", json!(["admin@wiki.example"])),
        ("default_max_age", json!(60)),
        ("require_auth_time", json!(true)),
        ("userinfo_signed_response_alg", json!("RS256")),
    ] {
        metadata[name] = value;
    }
    let told = bench.register(None, &metadata).await.is(201);
    let (path, token) = managed(&told);
    let answer = bench.send_json("GET", &path, Some(&token), None).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let shown = answer.is(200);
    for (name, value) in metadata.as_object().expect("an object") {
        assert_eq!((&told[name], &shown[name]), (value, value), "{name}");
    }
    assert!(shown.get("client_secret").is_none(), "only a digest of it is kept");
    assert!(shown.get("registration_access_token").is_none());
}

#[tokio::test]
async fn only_the_registration_token_of_a_client_manages_it() {
    let bench = open().await;
    let (path, token) = managed(&bench.register(None, &wiki()).await.is(201));
    let (other_path, other_token) = managed(&bench.register(None, &wiki()).await.is(201));
    let basic = Request::get(&path).header("authorization", format!("Basic {token}"));
    bench.raw(basic.body(Body::empty()).expect("a request")).await.is(401);
    for method in ["GET", "PUT", "DELETE"] {
        for (path, token) in [
            (path.as_str(), None),
            (&path, Some(other_token.as_str())),
            (&other_path, Some(&token)),
            (&path, Some("")),
            (&format!("{REGISTER}/web"), Some(&token)),
            (&format!("{REGISTER}/unknown"), Some(&token)),
        ] {
            let refused = bench.send_json(method, path, token, Some(&wiki())).await;
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
            refused.is(401);
        }
    }
    bench.send_json("GET", &path, Some(&token), None).await.is(200);
}

#[tokio::test]
async fn client_update_keeps_operator_settings() {
    let bench = open().await;
    let told = bench.register(None, &wiki()).await.is(201);
    let ((path, token), id) = (managed(&told), text(&told, "client_id"));
    let change = |more: Value| {
        let mut metadata = wiki();
        metadata["client_id"] = id.clone().into();
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            metadata[name] = value;
        }
        metadata
    };
    let put = async |body: Value| bench.send_json("PUT", &path, Some(&token), Some(&body)).await;
    let secret = told["client_secret"].clone();
    let more =
        json!({ "client_name": "New", "consent": "trusted", "implicit_scopes": ["roles"], "client_secret": secret });
    let changed = put(change(more)).await.is(200);
    assert_eq!((&changed["client_name"], &changed["redirect_uris"]), (&json!("New"), &wiki()["redirect_uris"]));
    assert!(changed.get("consent").is_none() && changed.get("client_secret").is_none(), "{changed}");
    let found = bench.provider.clients.find(&id).await.expect("answers").expect("is known");
    assert_eq!((found.consent, found.implicit_scopes.is_empty()), (ConsentPolicy::Remembered, true));
    assert_eq!(found.secrets.len(), 1, "its secret stays");
    for more in [
        json!({ "client_id": "web" }),
        json!({ "client_id": null }),
        json!({ "client_secret": "another" }),
        json!({ "registration_access_token": token }),
        json!({ "client_id_issued_at": 1 }),
        json!({ "logo_uri": "http://wiki.example/logo" }),
    ] {
        assert_eq!(put(change(more.clone())).await.is(400)["error"], "invalid_client_metadata", "{more}");
    }
    assert_eq!(put(change(json!({ "redirect_uris": [] }))).await.is(400)["error"], "invalid_redirect_uri");
    put(change(json!({ "token_endpoint_auth_method": "none" }))).await.is(200);
    let back = put(change(json!({ "token_endpoint_auth_method": "client_secret_post" }))).await.is(200);
    assert_eq!(text(&back, "client_secret").len(), 43, "it needs one again");
}

#[tokio::test]
async fn a_client_removes_itself() {
    let bench = open().await;
    let told = bench.register(None, &wiki()).await.is(201);
    let ((path, token), id) = (managed(&told), text(&told, "client_id"));
    assert!(bench.provider.clients.find(&id).await.expect("answers").is_some());
    bench.send_json("DELETE", &path, Some(&token), None).await.is(204);
    assert!(bench.provider.clients.find(&id).await.expect("answers").is_none());
    bench.send_json("GET", &path, Some(&token), None).await.is(401);
}

#[tokio::test]
async fn client_cannot_make_itself_trusted() {
    let bench = open().await;
    let mut metadata = wiki();
    for (name, value) in [
        ("client_id", json!("web")),
        ("consent", json!("trusted")),
        ("trusted", json!(true)),
        ("insecure", json!(true)),
        ("allowed_groups", json!(["admins"])),
        ("exchange", json!({ "impersonate": true })),
        ("introspects_all", json!(true)),
        ("implicit_scopes", json!(["roles"])),
    ] {
        metadata[name] = value;
    }
    let told = bench.register(None, &metadata).await.is(201);
    let id = text(&told, "client_id");
    assert_ne!(id, "web");
    for name in ["consent", "trusted", "insecure", "allowed_groups", "exchange", "introspects_all", "implicit_scopes"] {
        assert!(told.get(name).is_none(), "{name} in {told}");
    }
    let found = bench.provider.clients.find(&id).await.expect("answers").expect("is known");
    assert_eq!(found.consent, ConsentPolicy::Remembered);
    assert!(!found.introspects_all && !found.exchange.impersonate && found.groups.is_empty());
    for uri in ["#default_bind#/cb", "#binds...#/oauth2/oob", "http://wiki.example/cb"] {
        metadata["redirect_uris"] = json!([uri]);
        assert_eq!(bench.register(None, &metadata).await.is(400)["error"], "invalid_redirect_uri", "{uri}");
    }
}

#[tokio::test]
async fn a_redirect_uri_with_a_fragment_is_refused() {
    let bench = open().await;
    let refused = bench.register(None, &json!({ "redirect_uris": ["https://wiki.example/cb#x"] })).await.is(400);
    assert_eq!(refused["error"], "invalid_redirect_uri");
    assert!(text(&refused, "error_description").starts_with("redirect_uris: "), "{refused}");
}

#[tokio::test]
async fn an_address_without_https_is_refused() {
    let bench = open().await;
    for member in ["initiate_login_uri", "logo_uri", "jwks_uri", "policy_uri", "tos_uri", "backchannel_logout_uri"] {
        let mut metadata = wiki();
        metadata[member] = "http://wiki.example/x".into();
        let refused = bench.register(None, &metadata).await.is(400);
        assert_eq!(refused["error"], "invalid_client_metadata", "{member}");
        // one source may try so often in a minute
        bench.clock.advance(std::time::Duration::from_secs(6));
    }
}

#[tokio::test]
async fn body_that_is_not_a_json_object_is_refused() {
    let bench = open().await;
    let send = async |kind: &str, body: Vec<u8>| -> Reply {
        let request = Request::post(REGISTER).header("content-type", kind).body(Body::from(body));
        bench.raw(request.expect("a request")).await
    };
    assert_eq!(send("text/plain", b"{}".to_vec()).await.is(400)["error"], "invalid_client_metadata");
    assert_eq!(send("application/json", b"[]".to_vec()).await.is(400)["error"], "invalid_client_metadata");
    assert_eq!(send("application/json", b"{".to_vec()).await.is(400)["error"], "invalid_client_metadata");
    send("application/json", vec![b' '; 65 * 1024]).await.is(413);
    let good = wiki().to_string().into_bytes();
    send("application/json; charset=utf-8", good).await.is(201);
}

#[tokio::test]
async fn one_source_registers_ten_clients_a_minute() {
    let bench = open().await;
    for _ in 0..10 {
        bench.register(None, &wiki()).await.is(201);
    }
    let refused = bench.register(None, &wiki()).await;
    assert_eq!(refused.header("retry-after"), "6");
    refused.is(429);
    bench.clock.advance(std::time::Duration::from_secs(6));
    bench.register(None, &wiki()).await.is(201);
}

#[tokio::test]
async fn secrets_end_where_it_is_configured() {
    let bench = Bench::with(|config| {
        config.open_registration = true;
        config.lifetimes.dynamic_client_secret = std::time::Duration::from_hours(1);
    })
    .await;
    let told = bench.register(None, &wiki()).await.is(201);
    assert_eq!(told["client_secret_expires_at"], 1_800_003_600);
    let found = bench.provider.clients.find(&text(&told, "client_id")).await.expect("answers").expect("is known");
    assert_eq!(found.secrets[0].expires, Some(bench.clock.now() + std::time::Duration::from_hours(1)));
}
