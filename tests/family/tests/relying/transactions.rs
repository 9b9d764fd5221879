//! The programs of `docs/transaction-tokens.md` verify transaction tokens of the process.

mod verify;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oidc::jose::Algorithm;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client};
use runtime::Clock;
use serde_json::Value;
use testkit::report_missing;
use token::transaction::names::{HEADER, KEY_SET_PATH, TOKEN_TYPE};
use token::transaction::{
    Authority, KeySource, PublishedKeys, Subject, SubjectType, TransactionDefect, TransactionKeys, TransactionMinter,
    TransactionRequest, TransactionVerifier, WorkloadPolicy,
};
use tokio::net::TcpListener;

use crate::relying::world::{PYTHON, Place, SCRIPTS, SECRET, TRUST_DOMAIN, World};

/// The page that has the programs.
const PAGE: &str = include_str!("../../../../docs/transaction-tokens.md");
const IN_GO: &str = include_str!("transactions/verify.go");
const IN_PYTHON: &str = include_str!("transactions/verify.py");
const IN_RUST: &str = include_str!("transactions/verify.rs");
/// The scope that the programs require.
const SCOPE: &str = "files.read";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

#[test]
fn page_has_the_programs_that_are_tested() {
    for (language, program) in [("go", IN_GO), ("python", IN_PYTHON), ("rust", IN_RUST)] {
        let block = format!("\n```{language}\n{program}```\n");
        assert!(PAGE.contains(&block), "docs/transaction-tokens.md has another program in {language}");
    }
}

/// What the programs read: the values of the header of one request a line, and what they are expected to answer.
struct Requests(Vec<(String, Option<String>)>);

/// `docs/security-requirements.md#x1`
#[tokio::test(flavor = "multi_thread")]
async fn programs_of_the_page_verify_tokens_of_the_process() {
    let Some(world) = World::start("transaction-tokens", Place::Itself).await else { return };
    let requests = requests(&world).await;
    let keys = format!("{}{KEY_SET_PATH}", world.parameter("SITE"));
    check_rust(&world, &keys, &requests).await;
    let arguments = [keys.as_str(), TRUST_DOMAIN, SCOPE];
    let mut python = Command::new(PYTHON);
    check(&world, python.arg("transactions/verify.py").args(arguments), &requests).await;
    let is_there = Command::new("go").arg("version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        report_missing("go", "cargo xtask test --only packages installs it");
        return;
    }
    let mut go = Command::new("go");
    // nothing is downloaded: the program needs the standard library only
    go.envs([("GOTOOLCHAIN", "local"), ("GOPROXY", "off"), ("GOFLAGS", "")]);
    go.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-build"));
    check(&world, go.args(["run", "transactions/verify.go"]).args(arguments), &requests).await;
}

/// Sends all requests to the routes of the program in Rust, and compares the answers.
async fn check_rust(world: &World, keys_url: &str, Requests(requests): &Requests) {
    let keys = Arc::new(PublishedKeys::default());
    let clock = Clock::system();
    let router = verify::router(Arc::clone(&keys), TRUST_DOMAIN, SCOPE.parse().expect("a scope"), move || clock.now());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("has an address"));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::builder().no_proxy().build().expect("a client");
    let ask = async |line: &str| {
        let values = line.split_whitespace();
        let request = values.fold(client.get(&url), |request, value| request.header(HEADER, value));
        let answer = request.send().await.expect("answers");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(ask(&requests[0].0).await.0, 503, "no keys are known yet");
    let following = tokio::spawn(verify::follow_keys(trusting(world), keys_url.to_owned(), keys));
    for _ in 0..600 {
        if ask(&requests[0].0).await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (line, expected) in requests {
        let (status, text) = ask(line).await;
        match expected {
            Some(expected) => assert_eq!((status, &text), (200, expected)),
            None => assert!([401, 403].contains(&status), "{line}: {status} {text}"),
        }
    }
    following.abort();
    serving.abort();
}

/// `docs/security-requirements.md#x9`
#[tokio::test(start_paused = true)]
async fn program_in_rust_uses_keys_for_a_day_without_their_address() {
    let derived = Arc::new(TransactionKeys::new(&SECRET.into(), None, Algorithm::Es256).expect("a secret"));
    let now = Clock::system().now();
    let token = signed(&derived, TRUST_DOMAIN, now);
    let keys = Arc::new(PublishedKeys::default());
    keys.replace(&derived.published(now)).expect("a key set");
    let verifier = TransactionVerifier::new(TRUST_DOMAIN, KeySource::Published(Arc::clone(&keys)));
    // closed at once
    let address = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("an address");
    let client = Client::builder().no_proxy().build().expect("a client");
    let following = tokio::spawn(verify::follow_keys(client, format!("http://{address}"), keys));
    tokio::time::sleep(Duration::from_hours(23)).await;
    assert!(verifier.verify(now, &token).is_ok());
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(verifier.verify(now, &token), Err(TransactionDefect::KeysUnknown));
    following.abort();
}

/// Runs a program over all requests, and compares its answers.
async fn check(world: &World, command: &mut Command, Requests(requests): &Requests) {
    let name = format!("{command:?}");
    let input: String = requests.iter().flat_map(|(line, _)| [line.as_str(), "\n"]).collect();
    command.current_dir(SCRIPTS).envs(world.parameters());
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let running = tokio::task::spawn_blocking(move || {
        let mut stdin = running.stdin.take().expect("has an input");
        stdin.write_all(input.as_bytes()).expect("reads its input");
        drop(stdin);
        running.wait_with_output()
    });
    let output = running.await.expect("no panic").expect("ends");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{name}: {text}");
    assert_eq!(text.lines().count(), requests.len(), "{name}: {text}");
    for (line, (_, expected)) in text.lines().zip(requests) {
        match expected {
            Some(expected) => assert_eq!(line, expected, "{name}"),
            None => assert!(line.starts_with("refused: "), "{name}: {line} in\n{text}"),
        }
    }
}

/// A token of the process for a client that acts for itself, one that replaces it, and others, good and bad, that the test signs with
/// the same secret.
async fn requests(world: &World) -> Requests {
    let access_token =
        issued(world, &[("grant_type", "client_credentials"), ("scope", "files.read files.write")]).await;
    let exchange = async |kind: &str, token: &str, scope: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", TOKEN_TYPE),
            ("audience", TRUST_DOMAIN),
            ("scope", scope),
            ("subject_token_type", kind),
            ("subject_token", token),
        ];
        issued(world, &form).await
    };
    let minted = exchange(ACCESS_TOKEN, &access_token, "files.read files.write").await;
    let replaced = exchange(TOKEN_TYPE, &minted, SCOPE).await;
    let narrow = exchange(ACCESS_TOKEN, &access_token, "files.write").await;
    let now = Clock::system().now();
    let by =
        |secret: &str, algorithm| Arc::new(TransactionKeys::new(&secret.into(), None, algorithm).expect("a secret"));
    let own = by(SECRET, Algorithm::EdDsa);
    let edwards = signed(&own, TRUST_DOMAIN, now);
    let unknown = by("another-secret-of-thirty-two-bytes", Algorithm::Es256);
    let good = |line: &str, answer: &str| (line.to_owned(), Some(answer.to_owned()));
    let bad = |line: &str| (line.to_owned(), None);
    Requests(vec![
        good(&minted, "rp-service files.read files.write rp-service"),
        good(&replaced, "rp-service files.read rp-service,rp-service"),
        good(&edwards, "u-einstein files.read gateway"),
        bad(&access_token),
        bad(&narrow),
        bad(&changed(&minted)),
        bad(&changed(&edwards)),
        bad(&signed(&own, TRUST_DOMAIN, now - Duration::from_mins(10))),
        bad(&signed(&own, "other.example", now)),
        bad(&signed(&unknown, TRUST_DOMAIN, now)),
        bad(&format!("{minted} {replaced}")),
        bad(minted.trim_end_matches(|letter| letter != '.')),
        bad(&nested()),
        bad("x"),
        bad(""),
    ])
}

/// A token with a header of 12,000 arrays in one another.
fn nested() -> String {
    format!("{}.e30.AA", "W1tb".repeat(4000))
}

/// The same token with another first byte of the signature.
fn changed(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{message}.{first}{}", &signature[1..])
}

/// A token that is signed at this time, and valid for a minute.
fn signed(keys: &Arc<TransactionKeys>, domain: &str, at: SystemTime) -> String {
    let subject = Subject {
        id: "u-einstein",
        kind: SubjectType::User,
        actor: None,
        authority: Authority::WholeUser,
        not_after: at + Duration::from_hours(1),
    };
    let policy = WorkloadPolicy { scopes: [SCOPE.to_owned()].into(), ..WorkloadPolicy::default() };
    let request = TransactionRequest::new(SCOPE, "", "").expect("a request");
    let minter = TransactionMinter::new(Arc::clone(keys), domain);
    minter.mint(at, &subject, &request, "gateway", &policy).expect("is minted").token
}

/// A client that trusts the certificate of the process only.
fn trusting(world: &World) -> Client {
    let certificate = std::fs::read(world.parameter("SSL_CERT_FILE")).expect("the certificate can be read");
    let certificate = Certificate::from_pem(&certificate).expect("a certificate");
    let client = Client::builder().tls_certs_only([certificate]).timeout(Duration::from_secs(20)).no_proxy();
    client.build().expect("a client")
}

/// The token that the provider answers a client with.
async fn issued(world: &World, form: &[(&str, &str)]) -> String {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = trusting(world).post(format!("{}/konnect/v1/token", world.parameter("SITE")));
    let request = request.basic_auth("rp-service", Some(SECRET)).body(body);
    let answer = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send().await.expect("answers");
    let (status, answer) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().expect("a token").to_owned()
}
