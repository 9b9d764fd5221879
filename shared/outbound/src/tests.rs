use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use config::{Environment, HttpClientTls};
use runtime::{Clock, Context, FileSetting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::issuer::Source;
use crate::issuer::cache::{CacheOptions, IssuerCache, Refresh};

/// A listener that counts who comes, and what it answers.
struct Target {
    port: u16,
    hits: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Answer {
    Text(String),
    /// A body without an end.
    Endless,
    /// A beginning, and then nothing.
    Stuck,
}

impl Target {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("an address").port();
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hits);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::AcqRel);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
                    match answer {
                        Answer::Text(text) => drop(stream.write_all(text.as_bytes()).await),
                        Answer::Endless => {
                            let _ = stream.write_all(head.as_bytes()).await;
                            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                        }
                        Answer::Stuck => {
                            let _ = stream.write_all(format!("{head}{{").as_bytes()).await;
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        });
        Self { port, hits }
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/keys", self.port)
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::Acquire)
    }
}

fn text(status: &str, more: &str, body: &str) -> Answer {
    Answer::Text(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len()))
}

fn fetcher(policy: Policy) -> Fetcher {
    Fetcher::new("test", policy, None).expect("a fetcher")
}

fn strict() -> Fetcher {
    fetcher(Policy::default())
}

fn lenient() -> Fetcher {
    fetcher(Policy { allow_private: true, ..Policy::default() })
}

#[tokio::test]
async fn i32_nothing_private_is_called_however_it_is_written() {
    let target = Target::start(text("200 OK", "", "{}")).await;
    let port = target.port;
    for host in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "0"]
    {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/keys");
            strict().get(&url).await.expect_err(&url);
            strict().post_form(&url, &[("a", "b")]).await.expect_err(&url);
        }
    }
    assert_eq!(target.hits(), 0);
}

#[tokio::test]
async fn i32_a_name_that_stands_for_this_machine_is_refused_when_it_is_resolved() {
    let target = Target::start(text("200 OK", "", "{}")).await;
    let url = format!("https://localhost:{}/keys", target.port);
    strict().check(&url).expect("only resolving tells");
    let error = strict().get(&url).await.expect_err("is private");
    assert_eq!(error.to_string(), "its name stands for no address that is called");
    assert_eq!(target.hits(), 0);
}

#[test]
fn i32_what_is_no_https_address_is_refused_before_anything_else() {
    for bad in [
        "http://keys.example/",
        "http://169.254.169.254/",
        "https://169.254.169.254/latest",
        "https://user:word@keys.example/",
        "https://user@keys.example/",
        "ftp://keys.example/",
        "file:///etc/passwd",
        "keys.example",
        "https://",
        "",
    ] {
        strict().check(bad).expect_err(bad);
    }
    strict().check(&format!("https://keys.example/{}", "x".repeat(MAX_URL))).expect_err("is too long");
    strict().check("https://keys.example/jwks?x=1").expect("is good");
    lenient().check("http://keys.example/").expect_err("http is for this machine");
    lenient().check("http://127.0.0.1:1/").expect("is this machine");
    let insecure = fetcher(Policy { insecure: true, ..Policy::default() });
    insecure.check("http://keys.example/").expect("is what the operator wants");
    insecure.check("http://10.0.0.1/").expect_err("is private all the same");
}

#[tokio::test]
async fn i32_a_redirect_is_not_followed() {
    let target = Target::start(text("200 OK", "", "{}")).await;
    let location = format!("location: {}\r\n", target.url("127.0.0.1"));
    let first = Target::start(text("302 Found", &location, "")).await;
    let error = lenient().get(&first.url("127.0.0.1")).await.expect_err("is a redirect");
    assert_eq!(error.to_string(), "it answers 302");
    assert_eq!((first.hits(), target.hits()), (1, 0));
    assert_eq!(lenient().post_form(&first.url("127.0.0.1"), &[]).await.expect("answers"), 302);
    assert_eq!((first.hits(), target.hits()), (2, 0));
}

#[tokio::test]
async fn i32_a_body_without_an_end_is_not_read_to_its_end() {
    let target = Target::start(Answer::Endless).await;
    let error = lenient().get(&target.url("127.0.0.1")).await.expect_err("is too long");
    assert_eq!(error.to_string(), "its answer is longer than 65536 bytes");
}

#[tokio::test]
async fn i32_a_slow_body_is_not_waited_for() {
    assert_eq!(lenient().timeout, Duration::from_secs(3));
    let target = Target::start(Answer::Stuck).await;
    let hasty = Fetcher { timeout: Duration::from_millis(200), ..lenient() };
    let error = hasty.get(&target.url("127.0.0.1")).await.expect_err("is too slow");
    assert_eq!(error.to_string(), "it does not answer in time");
}

#[tokio::test]
async fn what_is_allowed_is_fetched() {
    let target = Target::start(text("200 OK", "", r#"{"keys":[]}"#)).await;
    let url = target.url("localhost");
    assert_eq!(lenient().get(&url).await.expect("is fetched"), r#"{"keys":[]}"#);
    assert_eq!(lenient().post_form(&url, &[("logout_token", "a b")]).await.expect("is sent"), 200);
}

/// The authorities in a file.
fn authorities(file: &Path, context: &Context) -> Result<Authorities, FetchError> {
    let setting = FileSetting { service: "test", name: "TEST_CACERT", files: vec![file.to_owned()] };
    Authorities::follow(setting, context)
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["keys.example".to_owned()]).expect("a certificate").cert.pem()
}

#[tokio::test]
async fn a_file_without_certificates_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let context = Context::new(Environment::default());
    let place = format!("TEST_CACERT: {}: ", file.display());
    let missing = authorities(&file, &context).expect_err("is not there").to_string();
    std::fs::write(&file, "nothing").expect("writes");
    let empty = authorities(&file, &context).expect_err("holds nothing").to_string();
    assert!(missing.starts_with(&place) && empty.starts_with(&place), "{missing}; {empty}");
    std::fs::write(&file, certificate()).expect("writes");
    let authorities = authorities(&file, &context).expect("holds one");
    Fetcher::new("test", Policy::default(), Some(&authorities)).expect("a fetcher");
}

#[tokio::test]
async fn changed_authorities_are_trusted_from_the_next_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate()).expect("writes");
    let context = Context::new(Environment::default());
    let authorities = authorities(&file, &context).expect("holds one");
    let fetcher = Fetcher::new("test", Policy::default(), Some(&authorities)).expect("a fetcher");
    let trusted = || {
        fetcher.client().expect("a client");
        fetcher.http.load().trusted.clone().expect("authorities")
    };
    let (first, mut readings) = (trusted(), authorities.readings());
    assert!(Arc::ptr_eq(&first, &trusted()), "the client stays");
    for (text, count) in [("nothing".to_owned(), 1), (certificate() + &certificate(), 2)] {
        std::fs::write(&file, text).expect("writes");
        context.reload.announce();
        let changed = tokio::time::timeout(Duration::from_secs(20), readings.changed());
        changed.await.expect("in time").expect("is followed");
        assert_eq!(trusted().certificates.len(), count);
    }
}

/// Writes a certificate and a key, which fits or not.
fn write_pair(folder: &Path, fits: bool) -> HttpClientTls {
    let generate = || rcgen::generate_simple_self_signed(["edge.example".to_owned()]).expect("a certificate");
    let (made, other) = (generate(), generate());
    let (cert, key) = (folder.join("client.pem"), folder.join("client.key"));
    let signing_key = if fits { &made.signing_key } else { &other.signing_key };
    std::fs::write(&cert, made.cert.pem()).expect("writes");
    std::fs::write(&key, signing_key.serialize_pem()).expect("writes");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("sets the mode");
    HttpClientTls { cert: Some(cert), key: Some(key.into()) }
}

#[tokio::test]
async fn client_certificate_is_replaced_by_one_whose_key_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = Context::new(Environment::default());
    let follow = |tls: &HttpClientTls| ClientIdentity::follow("test", tls, &context);
    assert!(follow(&HttpClientTls::default()).expect("is not set").is_none());
    let refused = follow(&write_pair(folder.path(), false)).expect_err("the key is of another certificate");
    assert!(refused.to_string().starts_with("OCIS_HTTP_CLIENT_TLS_CERTIFICATE"), "{refused}");

    let identity = follow(&write_pair(folder.path(), true)).expect("fits").expect("is set");
    let fetcher = Fetcher::with_certificate("test", Policy::default(), None, Some(&identity)).expect("a fetcher");
    let shown = || {
        fetcher.client().expect("a client");
        fetcher.http.load().shown.clone().expect("a certificate")
    };
    let (first, mut readings) = (shown(), identity.readings());
    for (fits, is_replaced) in [(false, false), (true, true)] {
        write_pair(folder.path(), fits);
        context.reload.announce();
        let changed = tokio::time::timeout(Duration::from_secs(20), readings.changed());
        changed.await.expect("in time").expect("is followed");
        assert_eq!(!Arc::ptr_eq(&first, &shown()), is_replaced);
    }
}

#[tokio::test]
async fn a_question_goes_with_its_credential_and_every_status_is_an_answer() {
    let more = "content-type: Application/JSON; charset=utf-8\r\n";
    let target = Target::start(text("401 Unauthorized", more, r#"{"error":"invalid_token"}"#)).await;
    let url = target.url("localhost");
    let credential = HeaderValue::from_static("Bearer token");
    let question = Question { authorization: Some(&credential), accept: "application/json", form: None };
    let answer = lenient().ask(&url, &question).await.expect("answers");
    assert_eq!((answer.status, answer.media_type.as_str()), (401, "application/json"));
    assert_eq!(answer.body, r#"{"error":"invalid_token"}"#);
    strict().ask(&url, &question).await.expect_err("is not called, whatever is sent along");
    assert_eq!(target.hits(), 1);
}

#[tokio::test]
async fn document_has_its_status_type_and_age_and_at_most_so_many_bytes() {
    let headers = "content-type: Application/JSON; charset=utf-8\r\ncache-control: public, Max-Age=\"300\"\r\n";
    let target = Target::start(text("200 OK", headers, "{\"a\":1}")).await;
    let url = target.url("127.0.0.1");
    let document = lenient().get_document(&url, 7).await.expect("it answers");
    assert_eq!(
        (document.status, &*document.media_type, &document.body[..]),
        (200, "application/json", &b"{\"a\":1}"[..])
    );
    assert_eq!(document.max_age, Some(Duration::from_mins(5)));
    let error = lenient().get_document(&url, 6).await.expect_err("it is longer").to_string();
    assert!(error.contains("longer than 6 bytes"), "{error}");
    assert!(strict().get_document(&url, 7).await.is_err(), "it is on this machine");

    let elsewhere = Target::start(text("200 OK", "", "elsewhere")).await;
    let location = format!("location: {}\r\n", elsewhere.url("127.0.0.1"));
    let target = Target::start(text("302 Found", &location, "")).await;
    let document = lenient().get_document(&target.url("127.0.0.1"), 100).await.expect("it answers");
    assert_eq!((document.status, document.max_age, elsewhere.hits()), (302, None, 0), "redirects are not followed");
}

#[tokio::test]
async fn callers_that_stop_waiting_for_an_issuer_leave_no_tasks() {
    let target = Target::start(Answer::Stuck).await;
    let source = Source::new(&format!("http://127.0.0.1:{}", target.port), "test", true, true, None);
    let options = CacheOptions { refresh: Refresh::First, needs_keys: true, on_fetch: Box::new(|_| {}) };
    let cache = IssuerCache::new(source.expect("can be called"), Clock::system(), options);
    let give_up = async || {
        tokio::select! {
            biased;
            _ = cache.get() => {}
            () = tokio::task::yield_now() => {}
        }
    };
    give_up().await;
    let is_asked = async {
        while target.hits() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_asked).await.expect("the fetch goes on");
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..100 {
        give_up().await;
    }
    // the connection has some
    assert!(tasks() < before + 20, "{before} tasks became {}", tasks());
    assert_eq!(target.hits(), 1, "one fetch for all");
}
