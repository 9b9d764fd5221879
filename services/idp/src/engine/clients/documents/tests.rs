use std::sync::Mutex;

use config::Environment;
use proptest::prelude::*;
use runtime::CapturedLog;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::engine::clients::client::{AuthMethod, ConsentPolicy, GrantType};
use crate::testing::{Bench, Browser};

const JSON: &str = "content-type: application/json\r\n";

/// A server of documents, what it answers, and how often it was asked.
struct Server {
    port: u16,
    hits: Arc<AtomicUsize>,
    answer: Arc<Mutex<String>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("an address").port();
        let (hits, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
        let (counted, current) = (Arc::clone(&hits), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::AcqRel);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let answer = current.lock().expect("not poisoned").clone();
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, hits, answer }
    }

    fn id(&self) -> String {
        format!("http://127.0.0.1:{}/client.json", self.port)
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::Acquire)
    }

    fn answers(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().expect("not poisoned") =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}");
    }

    /// A document of the client, with other members than usual.
    fn document(&self, changes: &Value) -> String {
        let mut document =
            json!({ "client_id": self.id(), "client_name": "Notes", "redirect_uris": ["https://app.example/back"] });
        for (name, value) in changes.as_object().expect("members") {
            document[name] = value.clone();
        }
        document.to_string()
    }

    fn describes(&self, changes: &Value) {
        self.answers("200 OK", JSON, &self.document(changes));
    }
}

async fn bench(change: impl FnOnce(&mut ClientDocuments)) -> Bench {
    Bench::with(|config| {
        config.client_documents.enabled = true;
        change(&mut config.client_documents);
    })
    .await
}

/// The clients of documents at another replica.
async fn replica(bench: &Bench) -> Documents {
    let context = Context { clock: bench.clock.clone(), ..Context::new(Environment::default()) };
    let parts = (bench.other_store().await, bench.provider.fetcher.clone());
    Documents::open(&bench.provider.config, parts, &context).expect("is on")
}

async fn authorized(bench: &Bench, id: &str) -> Option<Arc<Client>> {
    if_available(bench.provider.clients.find_to_authorize(id).await)
}

async fn authenticated(bench: &Bench, id: &str) -> Option<Arc<Client>> {
    if_available(bench.provider.clients.find_to_authenticate(id).await)
}

fn if_available(found: Result<Option<Arc<Client>>, LookupError>) -> Option<Arc<Client>> {
    match found {
        Err(LookupError::Unavailable) => None,
        found => found.expect("the store answers"),
    }
}

async fn found(bench: &Bench, id: &str) -> Option<Arc<Client>> {
    bench.provider.clients.find(id).await.expect("the store answers")
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn document_is_fetched_for_an_authorization_only_and_not_where_documents_are_off() {
    let server = Server::start().await;
    server.describes(&json!({}));
    let id = server.id();
    assert!(authorized(&Bench::new().await, &id).await.is_none(), "they are off by default");
    let bench = bench(|_| ()).await;
    assert!(found(&bench, &id).await.is_none() && authenticated(&bench, &id).await.is_none());
    assert_eq!(server.hits(), 0);

    let client = authorized(&bench, &id).await.expect("it is described");
    assert_eq!((client.id.as_str(), client.source, client.auth), (id.as_str(), Source::Document, AuthMethod::None));
    assert_eq!((client.presentation.name.as_str(), client.consent), ("Notes", ConsentPolicy::Remembered));
    assert!(client.pkce.required && !client.pkce.plain && !client.is_first_party());
    assert_eq!(client.grants, [GrantType::AuthorizationCode].into());
    assert!(authorized(&bench, &id).await.is_some() && found(&bench, &id).await.is_some());
    assert!(authenticated(&bench, &id).await.is_some());
    assert_eq!(server.hits(), 1, "it is fresh for a minute");
    bench.clock.advance(Duration::from_secs(61));
    assert!(found(&bench, &id).await.is_some());
    assert_eq!(server.hits(), 1);
    assert!(authorized(&bench, &id).await.is_some());
    assert_eq!(server.hits(), 2);
    server.answers("200 OK", &format!("{JSON}cache-control: max-age=600\r\n"), &server.document(&json!({})));
    bench.clock.advance(Duration::from_secs(61));
    for minutes in [0, 9] {
        bench.clock.advance(Duration::from_mins(minutes));
        assert!(authorized(&bench, &id).await.is_some());
        assert_eq!(server.hits(), 3, "{minutes}");
    }
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn documents_that_are_not_those_of_the_client_are_refused() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let id = server.id();
    let elsewhere = format!("{JSON}location: {id}\r\n");
    let valid = server.document(&json!({}));
    let long = server.document(&json!({ "client_name": "x".repeat(5 * 1024) }));
    let mut cases = vec![
        ("404 Not Found", JSON, valid.clone()),
        ("201 Created", JSON, valid.clone()),
        ("302 Found", elsewhere.as_str(), valid.clone()),
        ("500 Internal Server Error", JSON, valid.clone()),
        ("200 OK", "content-type: text/html\r\n", valid.clone()),
        ("200 OK", "", valid.clone()),
        ("200 OK", JSON, long),
        ("200 OK", JSON, "[]".to_owned()),
        ("200 OK", JSON, valid.replace("client.json", "other.json")),
    ];
    for changes in [
        json!({ "client_secret": "a" }),
        json!({ "client_secret_expires_at": 0 }),
        json!({ "token_endpoint_auth_method": "client_secret_basic" }),
        json!({ "token_endpoint_auth_method": "private_key_jwt" }),
        json!({ "redirect_uris": [] }),
        json!({ "redirect_uris": ["http://app.example/back"] }),
        json!({ "grant_types": ["client_credentials"] }),
        json!({ "client_id": null }),
    ] {
        cases.push(("200 OK", JSON, server.document(&changes)));
    }
    for (at, (status, headers, body)) in cases.iter().enumerate() {
        server.answers(status, headers, body);
        bench.clock.advance(Duration::from_secs(61));
        assert!(authorized(&bench, &id).await.is_none(), "{status} {headers} {body}");
        assert_eq!(server.hits(), at + 1);
        assert!(authorized(&bench, &id).await.is_none());
        assert_eq!(server.hits(), at + 1, "a failure counts for a minute");
    }
    server.describes(&json!({}));
    bench.clock.advance(Duration::from_secs(61));
    assert!(authorized(&bench, &id).await.is_some());
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn addresses_that_are_no_documents_are_not_called() {
    let (server, bench) = (Server::start().await, bench(|settings| settings.hosts = vec!["127.0.0.1".into()]).await);
    server.describes(&json!({}));
    let port = server.port;
    for id in [
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/a/../client.json"),
        format!("http://127.0.0.1:{port}/%2e%2e/client.json"),
        format!("http://127.0.0.1:{port}/client.json#a"),
        format!("http://a@127.0.0.1:{port}/client.json"),
        format!("http://a:b@127.0.0.1:{port}/client.json"),
        format!("HTTP://127.0.0.1:{port}/client.json"),
        format!("http:\\\\127.0.0.1:{port}\\client.json"),
        format!("http://127.0.0.1:{port}/client.json?a=\\b"),
        format!("http://localhost:{port}/client.json"),
        format!("http://127.0.0.1:{port}/{}", "a".repeat(MAX_ID)),
        "https://app.example/client.json".to_owned(),
    ] {
        assert!(authorized(&bench, &id).await.is_none(), "{id}");
    }
    assert_eq!(server.hits(), 0);
    assert!(authorized(&bench, &server.id()).await.is_some(), "its host is in the list");

    let strict = Bench::with(|config| {
        (config.client_documents.enabled, config.allow_private_addresses) = (true, false);
    });
    let strict = strict.await;
    for id in [server.id(), format!("https://127.0.0.1:{port}/client.json"), format!("https://[::1]:{port}/a")] {
        assert!(authorized(&strict, &id).await.is_none(), "{id}");
    }
    assert_eq!(server.hits(), 1);
}

/// Row [I77](../../../../../../docs/security-requirements.md#i77).
#[test]
fn host_of_a_document_is_one_that_users_are_shown() {
    for host in ["app.example", "a_b.example:8443", "192.0.2.1", "[2606:4700::1]:8443"] {
        assert!(parse(&format!("https://{host}/client.json")).is_some(), "{host}");
    }
    for host in ["a*b.example", "a;b.example", "a(b).example", "a'b.example", "a,b.example", "a=b.example"] {
        assert!(parse(&format!("https://{host}/client.json")).is_none(), "{host}");
    }
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn many_made_up_clients_cause_few_requests() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    server.answers("404 Not Found", "", "");
    for number in 0..300 {
        let id = format!("http://127.0.0.1:{}/{number}", server.port);
        assert!(authorized(&bench, &id).await.is_none());
        assert!(authenticated(&bench, &id).await.is_none() && found(&bench, &id).await.is_none());
    }
    assert_eq!(server.hits(), MOST_FETCHES);
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn documents_that_a_limit_leaves_out_are_counted_and_logged_once_in_a_minute() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    server.answers("404 Not Found", "", "");
    let documents = bench.provider.clients.0.documents.as_ref().expect("is on");
    let log = CapturedLog::start(tracing::Level::WARN);
    for minute in 1..=2_u64 {
        for number in 0..MOST_FETCHES + 5 {
            let id = format!("http://127.0.0.1:{}/{minute}/{number}", server.port);
            assert!(authorized(&bench, &id).await.is_none());
        }
        let lines = log.text().matches("IDP_CLIENT_ID_METADATA_HOSTS").count();
        assert_eq!((documents.limited.get(), lines as u64), (5 * minute, minute));
        bench.clock.advance(Duration::from_secs(61));
    }
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn client_in_use_is_fetched_whatever_strangers_name() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let (id, issuer) = (server.id(), bench.endpoints());
    server.describes(&json!({}));
    let client = authorized(&bench, &id).await.expect("it is described");
    bench.provider.clients.note_grant(&client).await.expect("is stored");
    bench.clock.advance(Duration::from_hours(25));
    let strangers = |number: usize| format!("http://127.0.0.1:{}/{number}", server.port);
    for number in 0..MOST_FETCHES {
        assert!(bench.provider.clients.find_to_authorize(&strangers(number)).await.expect("answers").is_none());
    }
    let one_more = strangers(MOST_FETCHES);
    let found = bench.provider.clients.find_to_authorize(&one_more).await;
    assert!(matches!(found, Err(LookupError::Unavailable)), "it is not known whether there is such a client");
    let query = [("client_id", one_more.as_str()), ("response_type", "code")];
    let page = bench.get(&mut Browser::default(), issuer.paths.authorization, &query).await;
    assert!(page.status == 503 && page.text.contains("temporarily_unavailable"), "{page:?}");
    assert_eq!(server.hits(), 1 + MOST_FETCHES);
    assert!(authenticated(&bench, &id).await.is_some());
    assert_eq!(server.hits(), 2 + MOST_FETCHES);

    // the MCP SDK forgets its tokens at invalid_client
    server.answers("503 Service Unavailable", "", "");
    bench.clock.advance(Duration::from_hours(25));
    let form = [("grant_type", "refresh_token"), ("client_id", id.as_str()), ("refresh_token", "x")];
    let reply = bench.post_with(&mut Browser::default(), issuer.paths.token, &form, &[]).await;
    assert_eq!(reply.is(503)["error"], "temporarily_unavailable");
    server.answers("410 Gone", "", "");
    bench.clock.advance(Duration::from_secs(61));
    let reply = bench.post_with(&mut Browser::default(), issuer.paths.token, &form, &[]).await;
    assert_eq!(reply.is(401)["error"], "invalid_client");
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn old_refusal_of_a_document_is_no_answer() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let (id, clients) = (server.id(), &bench.provider.clients);
    server.describes(&json!({}));
    let client = authorized(&bench, &id).await.expect("it is described");
    clients.note_grant(&client).await.expect("is stored");
    server.answers("404 Not Found", "", "");
    bench.clock.advance(Duration::from_secs(61));
    assert!(clients.find_to_authorize(&id).await.expect("answers").is_none(), "its server says so");

    server.describes(&json!({}));
    bench.clock.advance(Duration::from_secs(61));
    for number in 0..MOST_FETCHES {
        let stranger = format!("http://127.0.0.1:{}/{number}", server.port);
        assert!(clients.find_to_authorize(&stranger).await.expect("answers").is_none());
    }
    let found = clients.find_to_authorize(&id).await;
    assert!(matches!(found, Err(LookupError::Unavailable)), "its server was not asked again");

    let replica = replica(&bench).await;
    assert!(replica.to_authorize(&id).await.expect("answers").is_some());
    replica.keep(&id).await.expect("is stored");
    assert!(clients.find_to_authorize(&id).await.expect("answers").is_some(), "another replica has asked");
}

#[tokio::test]
async fn last_description_is_used_for_a_day_while_the_document_cannot_be_fetched() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let id = server.id();
    server.describes(&json!({}));
    assert!(authorized(&bench, &id).await.is_some());
    server.answers("503 Service Unavailable", "", "");
    bench.clock.advance(Duration::from_hours(23));
    assert!(authorized(&bench, &id).await.is_some() && authenticated(&bench, &id).await.is_some());
    assert_eq!(server.hits(), 2);
    bench.clock.advance(Duration::from_hours(1));
    assert!(authorized(&bench, &id).await.is_none() && authenticated(&bench, &id).await.is_none());

    server.describes(&json!({}));
    bench.clock.advance(Duration::from_secs(61));
    let client = authorized(&bench, &id).await.expect("it is described");
    bench.provider.clients.note_grant(&client).await.expect("is stored");
    server.answers("410 Gone", "", "");
    bench.clock.advance(Duration::from_secs(61));
    assert!(authorized(&bench, &id).await.is_none(), "no user signs in any more");
    assert!(authenticated(&bench, &id).await.is_some(), "what was granted is still refreshed");
    bench.clock.advance(Duration::from_hours(24));
    assert!(authenticated(&bench, &id).await.is_none());
}

/// Row [I76](../../../../../../docs/security-requirements.md#i76).
#[tokio::test]
async fn only_clients_that_were_granted_something_are_stored_and_known_to_other_replicas() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let id = server.id();
    server.describes(&json!({ "client_name": "First" }));
    let client = authorized(&bench, &id).await.expect("it is described");
    assert_eq!(bench.provider.store.client_document(&id).await.expect("reads"), None);
    bench.provider.clients.note_grant(&client).await.expect("is stored");

    let replica = replica(&bench).await;
    let name = |client: Option<Arc<Client>>| client.map(|client| client.presentation.name.clone());
    assert_eq!(name(replica.known(&id).await.expect("reads")).as_deref(), Some("First"));
    assert_eq!(server.hits(), 1);
    bench.clock.advance(Duration::from_hours(25));
    server.describes(&json!({ "client_name": "Second" }));
    assert_eq!(
        name(replica.to_authenticate(&id).await.expect("reads")).as_deref(),
        Some("Second"),
        "it is fetched again"
    );
    assert_eq!(name(found(&bench, &id).await).as_deref(), Some("Second"), "by way of the database");
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn later_copy_is_not_replaced_by_an_earlier_one() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let id = server.id();
    let grant = async |name: &str| {
        server.describes(&json!({ "client_name": name }));
        let client = authorized(&bench, &id).await.expect("it is described");
        bench.provider.clients.note_grant(&client).await.expect("is stored");
    };
    grant("First").await;
    let replica = replica(&bench).await;
    let first = replica.known_description(&id).await.expect("reads").expect("is stored");
    bench.clock.advance(Duration::from_hours(7));
    grant("Second").await;

    server.answers("503 Service Unavailable", "", "");
    bench.clock.advance(Duration::from_hours(18));
    let name = |client: &Client| client.presentation.name.clone();
    let client = replica.to_authorize(&id).await.expect("reads").expect("the copy of the other replica is used");
    assert_eq!(name(&client), "Second");
    // what was read before that
    replica.hold(&id, first).await;
    let held = replica.held.get(&id).await.expect("is held");
    assert_eq!(name(&held.description.load_full().expect("is described").client), "Second");
}

/// Row [I77](../../../../../../docs/security-requirements.md#i77).
#[tokio::test]
async fn document_grants_no_scope_of_the_api_and_no_trust() {
    let server = Server::start().await;
    let trusting = json!({
        "scope": "openid user path:/notes:rw path:/other:r",
        "consent": "trusted",
        "pkce": "optional",
        "insecure": true,
        "introspects_all": true,
        "resources": ["https://api.example"],
        "exchange": { "impersonate": true },
        "request_uris": ["https://app.example/request"],
        "backchannel_logout_uri": "https://app.example/logout",
    });
    server.describes(&trusting);
    let none = authorized(&bench(|_| ()).await, &server.id()).await.expect("it is described");
    assert!(none.may_ask_for("openid") && !none.may_ask_for("user") && !none.may_ask_for("path:/notes:rw"));
    assert!(none.consent == ConsentPolicy::Remembered && none.pkce.required && !none.introspects_all);
    assert!(none.resources.is_empty() && !none.exchange.impersonate && none.request_uris.is_empty());
    assert!(none.logout.backchannel.is_none());

    let offering = async || bench(|settings| settings.scopes = vec!["path:/notes:rw".to_owned()]).await;
    let some = authorized(&offering().await, &server.id()).await.expect("it is described");
    assert!(some.may_ask_for("openid") && some.may_ask_for("path:/notes:rw") && !some.is_first_party());
    assert!(!some.may_ask_for("user") && !some.may_ask_for("path:/other:r"));
    server.describes(&json!({}));
    let unnamed = authorized(&offering().await, &server.id()).await.expect("it is described");
    assert!(unnamed.may_ask_for("profile") && unnamed.may_ask_for("path:/notes:rw") && !unnamed.may_ask_for("user"));
}

#[tokio::test]
async fn program_on_the_users_device_is_asked_for_consent_each_time() {
    let server = Server::start().await;
    for uri in ["http://127.0.0.1/back", "http://localhost:3000/back", "com.example.app:/back"] {
        server.describes(&json!({ "redirect_uris": [uri], "grant_types": ["authorization_code", "refresh_token"] }));
        let client = authorized(&bench(|_| ()).await, &server.id()).await.expect(uri);
        assert!(client.is_native && client.may(GrantType::RefreshToken), "{uri}");
        assert_eq!(client.consent, ConsentPolicy::Always, "{uri}");
    }
}

/// As programs write that sign a user in from a terminal (RFC 8252 7.3).
#[tokio::test]
async fn program_on_the_users_device_listens_at_any_port() {
    let (server, bench) = (Server::start().await, bench(|_| ()).await);
    let id = server.id();
    server.describes(&json!({
        "client_name": "Claude Code",
        "client_uri": "https://claude.ai",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "any_port": "never",
    }));
    let fetched = authorized(&bench, &id).await.expect("it is described");
    bench.provider.clients.note_grant(&fetched).await.expect("is stored");
    let stored = replica(&bench).await.known(&id).await.expect("reads").expect("is stored");
    for client in [fetched, stored] {
        let is_registered = |uri: &str| client.redirects.find(uri).is_some();
        for uri in ["http://localhost:58135/callback", "http://localhost/callback", "http://127.0.0.1:3118/callback"] {
            assert!(is_registered(uri), "{uri}");
        }
        for uri in
            ["http://localhost:58135/", "http://localhost.evil.example:58135/callback", "https://localhost:1/callback"]
        {
            assert!(!is_registered(uri), "{uri}");
        }
        assert!(client.is_native && client.consent == ConsentPolicy::Always);
    }
}

proptest! {
    /// Row [I76](../../../../../../docs/security-requirements.md#i76).
    #[test]
    fn identifiers_of_documents_have_one_form(
        parts in prop::collection::vec(prop::sample::select(vec![
            "/", "a", ".", "..", "%2e", "%2E%2e", "\\", " ", "#", "?", "b=1", "@", ":443", ":8443", "\t", "\u{e4}", "%20", "A", "//",
        ]), 0..8),
    ) {
        let id = format!("https://app.example{}", parts.concat());
        if parse(&id).is_some() {
            let (_, rest) = id.split_once("://").expect("a scheme");
            let (authority, path) = rest.split_once('/').expect("a path");
            let path = path.split('?').next().unwrap_or_default();
            prop_assert!(!path.is_empty() && !id.contains([' ', '\\', '#', '\t', '\u{e4}']), "{}", id);
            prop_assert!(!authority.contains('?') && !authority.ends_with(":443"), "{}", id);
            let dots = ["..", ".", "%2e", "%2e.", ".%2e", "%2e%2e"];
            prop_assert!(!path.split('/').any(|segment| dots.contains(&&*segment.to_ascii_lowercase())), "{}", id);
        }
    }
}
