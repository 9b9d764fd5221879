use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::{Map, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::store::ClientChange;
use crate::testing::Bench;

/// A provider with this file of clients.
pub(super) async fn bench(file: Option<PathBuf>) -> Bench {
    Bench::with(|config| config.clients_file = file).await
}

pub(super) async fn add(bench: &Bench, metadata: Value) -> Result<Made, ChangeError> {
    let metadata = Metadata::parse(metadata.to_string().as_bytes()).expect("metadata");
    bench.provider.clients.add(metadata, Addition::ByOperator).await
}

pub(super) async fn find(bench: &Bench, id: &str) -> Option<Arc<Client>> {
    bench.provider.clients.find(id).await.expect("the store answers")
}

pub(super) fn wiki() -> Value {
    json!({ "client_id": "wiki", "redirect_uris": ["https://wiki.example/cb"] })
}

#[tokio::test]
async fn a_client_is_added_found_changed_and_removed() {
    let bench = bench(None).await;
    assert!(find(&bench, "wiki").await.is_none());
    let made = add(&bench, wiki()).await.expect("is added");
    let told = made.secret.expect("has a secret");
    let found = find(&bench, "wiki").await.expect("is found, though it was not a moment ago");
    assert_eq!((found.source, found.secrets[0].digest), (Source::Added, secret::digest(told.expose_secret())));
    assert!(matches!(add(&bench, wiki()).await, Err(ChangeError::Taken)));

    let public = json!({ "redirect_uris": ["https://wiki.example/cb"], "token_endpoint_auth_method": "none" });
    let metadata = Metadata::parse(public.to_string().as_bytes()).expect("metadata");
    let changed = bench.provider.clients.change("wiki", None, |_| Ok(metadata.clone())).await.expect("is changed");
    assert!(changed.secret.is_none());
    assert!(find(&bench, "wiki").await.expect("is found").secrets.is_empty());

    bench.provider.clients.remove("wiki").await.expect("is removed");
    assert!(find(&bench, "wiki").await.is_none());
    assert!(matches!(bench.provider.clients.remove("wiki").await, Err(ChangeError::Unknown)));
}

#[tokio::test]
async fn update_changes_only_the_named_members() {
    let bench = bench(None).await;
    let made = add(
        &bench,
        json!({ "client_id": "wiki", "client_name": "Wiki", "scope": "openid groups",
        "redirect_uris": ["https://wiki.example/cb"] }),
    );
    let secret = made.await.expect("is added").secret.expect("has a secret");
    let update = async |changes: Value| {
        let Value::Object(changes) = changes else { panic!("is an object") };
        bench.provider.clients.update("wiki", &changes, |_| Ok(())).await
    };
    let changed = update(json!({ "id_token_claims": ["groups"], "scope": null })).await.expect("is changed");
    assert!(changed.secret.is_none(), "keeps the one it has");
    let found = find(&bench, "wiki").await.expect("is found");
    assert_eq!(
        (found.presentation.name.as_str(), found.id_token_claims.as_slice()),
        ("Wiki", &["groups".to_owned()][..])
    );
    assert!(found.scopes.is_none(), "the list of scopes is removed");
    assert_eq!(found.secrets[0].digest, secret::digest(secret.expose_secret()));

    for (changes, member) in [
        (json!({ "client_id": "other" }), "client_id"),
        (json!({ "redirect_uris": ["http://wiki.example/cb"] }), "redirect_uris"),
        (json!({ "colour": "red" }), "colour"),
        (json!({ "scope": 5 }), "scope"),
    ] {
        let error = update(changes).await.expect_err(member).to_string();
        assert!(error.starts_with(member), "{error}");
    }
    assert!(update(json!({ "token_endpoint_auth_method": "none" })).await.expect("is changed").secret.is_none());
    assert!(find(&bench, "wiki").await.expect("is found").secrets.is_empty());
    let secret = update(json!({ "token_endpoint_auth_method": null })).await.expect("is changed").secret;
    assert!(secret.is_some(), "needs one again");
    let none = Map::new();
    let of = |id: &'static str| bench.provider.clients.update(id, &none, |_| Ok(()));
    assert!(matches!(of("web").await, Err(ChangeError::Fixed("built in"))));
    assert!(matches!(of("unknown").await, Err(ChangeError::Unknown)));
}

/// Row [N48](../../../../../../docs/security-requirements.md#n48).
#[tokio::test]
async fn changes_of_a_client_at_the_same_time_undo_none_of_each_other() {
    let bench = bench(None).await;
    add(&bench, wiki()).await.expect("is added");
    let clients = &bench.provider.clients;
    let update = async |member: &str, value: &str| {
        let changes = Map::from_iter([(member.to_owned(), json!(value))]);
        clients.update("wiki", &changes, |_| Ok(())).await.expect("is changed");
    };
    let (first, second, (), ()) = tokio::join!(
        clients.rotate("wiki", Duration::from_mins(5)),
        clients.rotate("wiki", Duration::from_mins(5)),
        update("client_name", "Wiki"),
        update("client_uri", "https://wiki.example"),
    );
    let described = clients.describe("wiki").await.expect("answers").expect("is there");
    let digests: Vec<_> = described.client.secrets.iter().map(|secret| secret.digest).collect();
    for secret in [first, second] {
        let secret = secret.expect("is rotated");
        assert!(digests.contains(&secret::digest(secret.expose_secret())), "a secret that was shown is valid");
    }
    assert_eq!(digests.len(), 3, "the first one too");
    let members = described.metadata.to_members();
    assert_eq!((&members["client_name"], &members["client_uri"]), (&json!("Wiki"), &json!("https://wiki.example")));
}

#[tokio::test]
async fn change_of_a_client_that_was_changed_since_it_was_read_is_not_written() {
    let bench = bench(None).await;
    add(&bench, wiki()).await.expect("is added");
    let store = &bench.provider.store;
    let read = store.client("wiki").await.expect("answers").expect("is there");
    bench.provider.clients.rotate("wiki", Duration::ZERO).await.expect("is rotated");
    let changed = StoredClient { metadata: "{}".to_owned(), ..read.clone() };
    assert_eq!(store.change_client(&read, &changed).await.expect("answers"), ClientChange::Concurrent);
    let now = store.client("wiki").await.expect("answers").expect("is there");
    assert_eq!(now.metadata, read.metadata);
    assert_ne!(now.secrets, read.secrets, "the rotation stays");
    bench.provider.clients.remove("wiki").await.expect("is removed");
    assert_eq!(store.change_client(&now, &changed).await.expect("answers"), ClientChange::Gone);
}

#[tokio::test]
async fn built_in_clients_are_neither_replaced_nor_removed() {
    let bench = bench(None).await;
    let mut web = wiki();
    web["client_id"] = "web".into();
    assert!(matches!(add(&bench, web).await, Err(ChangeError::Taken)));
    assert!(matches!(bench.provider.clients.remove("web").await, Err(ChangeError::Fixed("built in"))));
    assert!(matches!(bench.provider.clients.rotate("web", Duration::ZERO).await, Err(ChangeError::Fixed(_))));
}

#[tokio::test]
async fn the_secret_before_stays_good_for_the_grace() {
    let bench = bench(None).await;
    let first = add(&bench, wiki()).await.expect("is added").secret.expect("has a secret");
    let second = bench.provider.clients.rotate("wiki", Duration::from_mins(5)).await.expect("is rotated");
    let found = find(&bench, "wiki").await.expect("is found");
    let digests: Vec<_> = found.secrets.iter().map(|secret| secret.digest).collect();
    assert_eq!(digests, [secret::digest(second.expose_secret()), secret::digest(first.expose_secret())]);
    assert_eq!(found.secrets[1].expires, Some(bench.clock.now() + Duration::from_mins(5)));
    bench.provider.clients.rotate("wiki", Duration::ZERO).await.expect("is rotated");
    assert_eq!(find(&bench, "wiki").await.expect("is found").secrets.len(), 1);
}

#[tokio::test]
async fn the_secret_is_sealed_only_where_it_has_to_be_known() {
    let bench = bench(None).await;
    add(&bench, wiki()).await.expect("is added");
    assert!(find(&bench, "wiki").await.expect("is found").sealed_secret.is_none());
    let mut signing = wiki();
    signing["client_id"] = "signing".into();
    signing["token_endpoint_auth_method"] = "client_secret_jwt".into();
    let told = add(&bench, signing).await.expect("is added").secret.expect("has a secret");
    let found = find(&bench, "signing").await.expect("is found");
    let sealed = found.sealed_secret.as_deref().expect("is sealed");
    let opened = bench.provider.sealer.open_bytes(crate::seal::Purpose::ClientSecret, sealed).expect("is opened");
    assert_eq!(opened, told.expose_secret().as_bytes());
    let kept = bench.provider.store.client("signing").await.expect("answers").expect("is kept");
    assert!(!kept.metadata.contains(told.expose_secret()));
}

#[tokio::test]
async fn client_added_by_another_replica_is_found_after_its_notification() {
    let (bench, elsewhere) = (bench(None).await, "elsewhere");
    assert!(find(&bench, elsewhere).await.is_none());
    let stored = StoredClient {
        id: elsewhere.to_owned(),
        registered: false,
        metadata: json!({ "client_id": elsewhere, "redirect_uris": ["https://wiki.example/cb"] }).to_string(),
        secrets: Vec::new(),
        sealed_secret: None,
        management: None,
        created: bench.clock.now(),
    };
    bench.provider.store.add_client(&stored).await.expect("is added");
    assert!(find(&bench, elsewhere).await.is_none(), "that there is none is cached for a while");
    bench.provider.clients.forget();
    assert!(find(&bench, elsewhere).await.is_some());
}

#[tokio::test]
async fn clients_with_a_back_channel_are_told_of_the_end() {
    let bench = bench(None).await;
    assert!(bench.provider.clients.with_backchannel().await.expect("answers").is_empty());
    let mut told = wiki();
    told["backchannel_logout_uri"] = "http://127.0.0.1:1/logout".into();
    add(&bench, told).await.expect("is added");
    assert_eq!(bench.provider.clients.with_backchannel().await.expect("answers"), ["wiki"]);
}

/// A server of key sets that counts its calls; the set is that of the number in `kid`.
async fn key_server(kid: Arc<AtomicU64>) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::AcqRel);
            let _ = stream.read(&mut [0; 4096]).await;
            let kid = kid.load(Ordering::Acquire);
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            let body =
                json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid.to_string() }] }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let status =
                if kid == 0 { "HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" } else { &head };
            let _ = stream.write_all(status.as_bytes()).await;
            let _ = stream.write_all(if kid == 0 { b"" } else { body.as_bytes() }).await;
        }
    });
    (url, calls)
}

#[tokio::test]
async fn key_set_is_kept_a_minute_and_fetched_again_five_times_a_minute_for_what_it_does_not_verify() {
    let bench = bench(None).await;
    let kid = Arc::new(AtomicU64::new(1));
    let (url, calls) = key_server(Arc::clone(&kid)).await;
    let mut metadata = wiki();
    metadata["jwks_uri"] = url.into();
    let client = Arc::clone(&add(&bench, metadata).await.expect("is added").described.client);
    let has = |kid: &'static str| {
        let (clients, client) = (bench.provider.clients.clone(), Arc::clone(&client));
        async move { clients.verifies(&client, |keys| keys.has_kid(kid)).await.expect("has keys") }
    };
    let calls = || calls.load(Ordering::Acquire);
    let together = futures_util::future::join_all((0..20).map(|_| has("1"))).await;
    assert!(together.into_iter().all(|found| found));
    assert_eq!(calls(), 1, "of many callers one fetches");

    for (number, name) in [(2, "2"), (3, "3"), (4, "4"), (5, "5")] {
        kid.store(number, Ordering::Release);
        assert!(has(name).await, "a client may change its keys and use them at once");
        assert_eq!(calls(), number);
    }
    kid.store(6, Ordering::Release);
    assert!(!has("6").await && !has("junk").await);
    assert_eq!(calls(), 5, "no more within a minute");
    bench.clock.advance(Duration::from_mins(1));
    assert!(has("6").await);
    bench.clock.advance(Duration::from_secs(59));
    assert!(has("6").await);
    assert_eq!(calls(), 6, "it is kept");

    kid.store(0, Ordering::Release);
    bench.clock.advance(Duration::from_secs(1));
    let stale = bench.provider.clients.verifies(&client, |keys| keys.has_kid("6")).await;
    assert_eq!((stale, calls()), (Ok(true), 7), "the one before is used while there is no other");
    bench.clock.advance(Duration::from_hours(1));
    let gone = bench.provider.clients.verifies(&client, |_| true).await.expect_err("is too old");
    assert_eq!(gone, ClientKeysError::Unreachable);
    let web = find(&bench, "web").await.expect("is built in");
    assert_eq!(bench.provider.clients.verifies(&web, |_| true).await.expect_err("has none"), ClientKeysError::None);
}

#[tokio::test]
async fn fetched_key_set_is_forgotten_as_the_registration_changes() {
    let bench = bench(None).await;
    let kid = Arc::new(AtomicU64::new(1));
    let (url, calls) = key_server(Arc::clone(&kid)).await;
    let mut metadata = wiki();
    metadata["jwks_uri"] = url.into();
    add(&bench, metadata.clone()).await.expect("is added");
    let has = async |name: &str| {
        let client = find(&bench, "wiki").await.expect("is found");
        bench.provider.clients.verifies(&client, |keys| keys.has_kid(name)).await.expect("has keys")
    };
    assert!(has("1").await);
    kid.store(2, Ordering::Release);
    assert!(has("1").await, "it is kept");
    metadata["client_name"] = "Wiki".into();
    let metadata = Metadata::parse(metadata.to_string().as_bytes()).expect("metadata");
    bench.provider.clients.change("wiki", None, |_| Ok(metadata.clone())).await.expect("is changed");
    assert!(!has("1").await && has("2").await);
    assert!(calls.load(Ordering::Acquire) <= 3);
}

#[tokio::test]
async fn request_object_is_kept_a_minute_and_fetched_again_for_another_fragment() {
    let bench = bench(None).await;
    let content = Arc::new(AtomicU64::new(1));
    let (url, calls) = key_server(Arc::clone(&content)).await;
    let calls = || calls.load(Ordering::Acquire);
    let at = async |uri: &str| bench.provider.clients.request_object(uri).await.expect("is fetched");
    let first = at(&url).await;
    content.store(2, Ordering::Release);
    assert_eq!((at(&url).await, calls()), (Arc::clone(&first), 1));
    let second = at(&format!("{url}#2")).await;
    assert!(second != first && calls() == 2);
    for fragment in 3..20 {
        at(&format!("{url}#{fragment}")).await;
    }
    assert_eq!(calls(), 5, "five fetches a minute");
    bench.clock.advance(Duration::from_mins(1));
    at(&url).await;
    assert_eq!(calls(), 6);
}

#[tokio::test]
async fn client_is_not_registered_for_what_no_setting_offers() {
    let bench = bench(None).await;
    for (member, value, setting) in [
        ("id_token_signed_response_alg", "EdDSA", "IDP_SIGNING_ALGORITHMS"),
        ("userinfo_signed_response_alg", "EdDSA", "IDP_SIGNING_ALGORITHMS"),
        ("access_token_signed_response_alg", "EdDSA", "IDP_SIGNING_ALGORITHMS"),
        ("authorization_signed_response_alg", "EdDSA", "IDP_SIGNING_ALGORITHMS"),
        ("id_token_signed_response_alg", "none", "IDP_ALLOW_UNSIGNED_ID_TOKENS"),
    ] {
        let mut metadata = wiki();
        metadata[member] = value.into();
        let error = add(&bench, metadata).await.expect_err("is refused").to_string();
        assert!(error.contains(member) && error.contains(setting), "{error}");
    }
    let mut metadata = wiki();
    metadata["id_token_signed_response_alg"] = "ES256".into();
    add(&bench, metadata).await.expect("is added");
}

/// Row [I70](../../../../../../docs/security-requirements.md#i70).
#[tokio::test]
async fn stored_fapi2_client_is_read_again_with_its_algorithm() {
    let bench = bench(None).await;
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1" });
    let mut metadata = wiki();
    metadata["profile"] = "fapi2".into();
    metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
    metadata["jwks"] = json!({ "keys": [key] });
    let made = add(&bench, metadata).await.expect("is added");
    assert_eq!(made.described.metadata.to_members()["id_token_signed_response_alg"], "PS256");
    let found = find(&bench, "wiki").await.expect("is found");
    assert!(found.is_fapi2() && found.signatures.id_token == Some(Algorithm::Ps256));
    let weaker = Map::from_iter([("id_token_signed_response_alg".to_owned(), json!("RS256"))]);
    let error = bench.provider.clients.update("wiki", &weaker, |_| Ok(())).await.expect_err("is refused").to_string();
    assert!(error.starts_with("id_token_signed_response_alg") && error.contains("fapi2"), "{error}");
}

#[test]
fn client_that_every_issuer_refuses_is_named_in_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    let layouts = Config::default().layouts;
    let strict = Config { url: SITE.to_owned(), strict_layouts: layouts.clone(), ..Config::default() };
    let mixed = Config { strict_layouts: layouts[..1].to_vec(), ..strict.clone() };
    let secret = "secret: k8Zr0wVqT2yN5mXc1bLd7hGf4jPs6aUe";
    for (rest, is_named) in [
        ("pkce: required", false),
        ("pkce: optional", true),
        ("pkce: plain", true),
        (secret, false),
        ("response_types: [id_token]\n    grant_types: [implicit]", true),
        ("response_types: [code, code id_token]\n    pkce: required", true),
    ] {
        let text = format!("clients:\n  - id: app\n    redirect_uris: ['https://other.example/']\n    {rest}\n");
        std::fs::write(&file, text).expect("writes");
        let warnings = |config: &Config| warnings_of_file(config, &file, &sealer()).expect("is read").join("\n");
        let told = warnings(&strict);
        assert_eq!(told.contains("client app") && told.contains("IDP_STRICT_LAYOUTS"), is_named, "{rest}: {told}");
        assert!(!warnings(&mixed).contains("IDP_STRICT_LAYOUTS"), "{rest}");
    }
}

#[tokio::test]
async fn algorithm_of_a_client_keeps_its_key_and_a_warning_names_the_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    let write = |id: &str, rest: &str| {
        let text = format!("clients:\n  - id: {id}\n    redirect_uris: [https://other.example/]\n    {rest}\n");
        std::fs::write(&file, text).expect("writes");
    };
    write("signing", "id_token_signed_response_alg: EdDSA");
    let signing = vec!["ES256".to_owned(), "RS256".to_owned()];
    let config = Config { url: SITE.to_owned(), signing_algorithms: signing, ..Config::default() };
    let warnings = |config: &Config| warnings_of_file(config, &file, &sealer()).expect("is read").join("\n");
    let told = warnings(&config);
    assert!(told.contains("signing") && told.contains("EdDSA") && told.contains("IDP_SIGNING_ALGORITHMS"), "{told}");
    let bench = bench(Some(file.clone())).await;
    let with_key = bench.provider.clients.signing_algorithms().await.expect("answers");
    assert_eq!(with_key, [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]);

    write("unsigned", "id_token_signed_response_alg: none\n    pkce: required");
    assert!(warnings(&config).contains("IDP_ALLOW_UNSIGNED_ID_TOKENS"));
    assert_eq!(warnings(&Config { unsigned_id_tokens: true, ..config.clone() }), "");
    write(
        "machine",
        "grant_types: [client_credentials]\n    response_types: []\n    token_endpoint_auth_method: private_key_jwt\n    jwks_uri: https://other.example/jwks",
    );
    assert!(warnings(&config).contains("scope"));
}

#[test]
fn web_client_of_the_file_that_says_nothing_of_pkce_is_named_in_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clients.yaml");
    let config = Config { url: SITE.to_owned(), ..Config::default() };
    let secret = "secret: k8Zr0wVqT2yN5mXc1bLd7hGf4jPs6aUe";
    for (rest, is_named) in [
        ("trusted: true", true),
        ("application_type: web", true),
        ("pkce: required", false),
        ("pkce: optional", false),
        (secret, false),
        ("application_type: native", false),
        ("response_types: [token]\n    grant_types: [implicit]", false),
    ] {
        let text = format!("clients:\n  - id: web\n    redirect_uris: ['https://other.example/']\n    {rest}\n");
        std::fs::write(&file, text).expect("writes");
        let told = warnings_of_file(&config, &file, &sealer()).expect("is read").join("\n");
        assert_eq!(told.contains("the web client web") && told.contains("pkce: optional"), is_named, "{rest}: {told}");
    }
}
