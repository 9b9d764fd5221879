use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use ::config::Environment;
use authn::UserType;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use oidc::jose::UnverifiedJwt;
use proto::doorward::gateway::v1::transaction_tokens_server::TransactionTokens;
use proto::doorward::gateway::v1::{GetKeySetRequest, MintRequest};
use runtime::CapturedLog;
use tempfile::TempDir;
use token::{Defect, KeyRing, Minter};
use tonic::Code;
use tower::ServiceExt;

use super::*;

const POLICY: &str = "workloads:
- { identity: spiffe://example.org/files, scopes: [files.read, files.write], details: [file], context: [req_ip] }
- { identity: spiffe://example.org/search, scopes: [files.read], replace: true, lifetime: 30s }
- { identity: spiffe://example.org/photos, scopes: ['path:/photos:r', 'path:/:r'] }
- { identity: proxy, scopes: [edge] }
";
const FILES: &str = "spiffe://example.org/files";
const SEARCH: &str = "spiffe://example.org/search";

/// A gateway's transaction tokens, and what mints internal tokens that it accepts.
struct World {
    transactions: Transactions,
    internal: Minter,
    context: Context,
    folder: TempDir,
}

impl World {
    fn start(policy: Option<&str>) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = policy.map(|policy| {
            let file = file_in(&folder);
            std::fs::write(&file, policy).expect("is written");
            file
        });
        let settings = ::config::Transactions {
            secret: "0123456789abcdef0123456789abcdef".into(),
            trust_domain: "cloud.example.org".to_owned(),
            ..::config::Transactions::default()
        };
        let config = Config { transactions: settings, transaction_policy_file: file, ..Config::default() };
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let context = Context { clock, ..Context::new(Environment::default()) };
        let ring = Arc::new(KeyRing::new(&"i".repeat(32).into(), None).expect("a secret"));
        let transactions = Transactions::open(&config, Verifier::new(Arc::clone(&ring)), &context);
        let transactions = transactions.expect("opens").expect("a secret is set");
        Self { transactions, internal: Minter::new(ring, Duration::from_mins(5), true), context, folder }
    }

    fn internal_token(&self, answer: &Authenticated) -> String {
        self.internal.mint(self.context.clock.now(), answer).expect("is minted")
    }

    fn mint(&self, name: &str, answer: &Authenticated, wanted: &TransactionWanted) -> Result<Minted, Refusal> {
        self.transactions.mint(&caller(name), &self.internal_token(answer), wanted, None)
    }
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("transactions.yaml")
}

fn caller(name: &str) -> Caller {
    Caller { names: [name.to_owned()].into(), ..Caller::default() }
}

fn einstein() -> Authenticated {
    Authenticated::full(Arc::new(authn::testing::user("einstein")), "pwd")
}

fn wanted(scope: &str) -> TransactionWanted {
    TransactionWanted { scope: scope.to_owned(), ..TransactionWanted::default() }
}

fn transaction_error(outcome: Result<Minted, Refusal>) -> TransactionError {
    match outcome {
        Err(Refusal::Transaction(error)) => error,
        other => panic!("not refused for what it would say: {other:?}"),
    }
}

/// `docs/security-requirements.md#x4`, `#x11`
#[tokio::test]
async fn workload_gets_a_token_for_what_its_policy_lists() {
    let world = World::start(Some(POLICY));
    let answer = Authenticated { actor: Some("portal".into()), ..einstein() };
    let details = TransactionWanted {
        scope: "files.read".to_owned(),
        details: r#"{"file":"7"}"#.to_owned(),
        context: r#"{"req_ip":"192.0.2.1"}"#.to_owned(),
    };
    let log = CapturedLog::start(tracing::Level::INFO);
    let minted = world.mint(FILES, &answer, &details).expect("is issued");
    for (field, value) in [("outcome", "minted"), ("subject", "id-of-einstein"), ("act", "portal"), ("caller", FILES)] {
        assert_eq!(log.audit_events()[0][field], value, "{field}");
    }
    let verifier = &world.transactions.replaced;
    let claims = verifier.verify(world.context.clock.now(), &minted.token).expect("is a transaction token");
    assert_eq!(claims, minted.claims);
    assert_eq!((claims.subject.as_str(), claims.subject_type), ("id-of-einstein", SubjectType::User));
    assert_eq!((claims.scope.to_string().as_str(), claims.requesters.last()), ("files.read", FILES));
    assert_eq!((claims.issuer.as_str(), claims.audience.as_str()), ("cloud.example.org", "cloud.example.org"));
    assert_eq!(claims.actor, Some("portal".into()));
    assert_eq!(claims.expires_at, world.context.clock.now() + Duration::from_mins(1));

    assert_eq!(transaction_error(world.mint(FILES, &answer, &wanted("files.read admin"))), TransactionError::Scope);
    let unlisted = TransactionWanted { details: r#"{"folder":"7"}"#.to_owned(), ..wanted("files.read") };
    assert_eq!(transaction_error(world.mint(FILES, &answer, &unlisted)), TransactionError::Policy);
}

/// `docs/security-requirements.md#x7`
#[tokio::test]
async fn caller_without_an_entry_gets_no_token() {
    let world = World::start(Some(POLICY));
    let token = world.internal_token(&einstein());
    let mint = |caller: &Caller| world.transactions.mint(caller, &token, &wanted("files.read"), None);
    assert!(mint(&caller(FILES)).is_ok());
    // what a caller is called, and what it forwards, are no certificates
    let named = Caller { identity: Some(FILES.to_owned()), forwarded: Some(FILES.to_owned()), ..Caller::default() };
    for stranger in [Caller::default(), named, caller("spiffe://example.org/other")] {
        assert!(matches!(mint(&stranger), Err(Refusal::Workload)), "{stranger:?}");
    }
    let without_policy = World::start(None);
    let refused = without_policy.mint(FILES, &einstein(), &wanted("files.read"));
    assert!(matches!(refused, Err(Refusal::Workload)));
}

/// `docs/security-requirements.md#x4`
#[tokio::test]
async fn credential_of_limited_scope_gets_no_more_than_that() {
    const PHOTOS: &str = "spiffe://example.org/photos";
    let world = World::start(Some(POLICY));
    let grants = Grants::parse(["path:/photos:r"]).expect("a grant");
    let app = Authenticated { scopes: Arc::new(grants.to_cs3().with_amr("app")), ..einstein() };
    assert!(world.mint(PHOTOS, &app, &wanted("path:/photos:r")).is_ok());
    assert_eq!(transaction_error(world.mint(PHOTOS, &app, &wanted("path:/:r"))), TransactionError::Scope);
    let share = Scopes([("publicshare:7".to_owned(), authn::Scope::default())].into());
    let share = Authenticated { scopes: Arc::new(share), ..einstein() };
    for unknown in [share, token::provisioner("auth-bearer")] {
        assert_eq!(transaction_error(world.mint(FILES, &unknown, &wanted("files.read"))), TransactionError::Scope);
    }
    let mut blocked = authn::testing::user("einstein");
    blocked.status = authn::UserStatus::Blocked;
    let blocked = Authenticated::full(Arc::new(blocked), "pwd");
    assert!(matches!(world.mint(FILES, &blocked, &wanted("files.read")), Err(Refusal::Disabled)));
}

/// `docs/security-requirements.md#x12`
#[tokio::test]
async fn type_of_the_subject_tells_guests_and_services_from_users() {
    let world = World::start(Some(POLICY));
    for (kind, expected) in [
        (UserType::Primary, "user"),
        (UserType::Guest, "guest"),
        (UserType::Federated, "guest"),
        (UserType::Lightweight, "guest"),
        (UserType::Service, "workload"),
    ] {
        let mut user = authn::testing::user("einstein");
        user.id.kind = kind;
        let answer = Authenticated::full(Arc::new(user), "pwd");
        let minted = world.mint(FILES, &answer, &wanted("files.read")).expect("is issued");
        assert_eq!(minted.claims.subject_type.name(), expected, "{kind:?}");
        let read = world.transactions.replaced.verify(world.context.clock.now(), &minted.token);
        assert_eq!(read.map(|claims| claims.subject_type), Ok(minted.claims.subject_type));
    }
}

/// `docs/security-requirements.md#x5`
#[tokio::test]
async fn replacement_is_narrower_and_names_both_workloads() {
    let world = World::start(Some(POLICY));
    let first = world.mint(FILES, &einstein(), &wanted("files.read files.write")).expect("is issued");
    let replace = |name: &str, scope: &str, lifetime: Option<Duration>| {
        world.transactions.replace(&caller(name), &first.token, &wanted(scope), lifetime)
    };
    let second = replace(SEARCH, "files.read", None).expect("is issued");
    assert_eq!(second.claims.requesters.to_string(), format!("{FILES},{SEARCH}"));
    assert_eq!(second.claims.transaction, first.claims.transaction);
    assert_eq!(second.claims.expires_at, world.context.clock.now() + Duration::from_secs(30));
    let shorter = replace(SEARCH, "files.read", Some(Duration::from_secs(7))).expect("is issued");
    assert_eq!(shorter.claims.expires_at, world.context.clock.now() + Duration::from_secs(7));
    assert_eq!(transaction_error(replace(SEARCH, "", None)), TransactionError::Scope, "files.write is not listed");
    assert_eq!(transaction_error(replace(FILES, "files.read", None)), TransactionError::Policy);
    world.context.clock.advance(Duration::from_mins(1));
    assert_eq!(transaction_error(replace(SEARCH, "files.read", None)), TransactionError::Expired);
}

/// `docs/security-requirements.md#x1`
#[tokio::test]
async fn no_token_passes_for_another_kind() {
    let world = World::start(Some(POLICY));
    let internal = world.internal_token(&einstein());
    let transaction = world.mint(FILES, &einstein(), &wanted("files.read")).expect("is issued").token;
    let replaced = world.transactions.replace(&caller(SEARCH), &internal, &wanted("files.read"), None);
    assert!(matches!(replaced, Err(Refusal::Replaced(TransactionDefect::Type))), "{replaced:?}");
    let minted = world.transactions.mint(&caller(FILES), &transaction, &wanted("files.read"), None);
    assert!(matches!(minted, Err(Refusal::Internal(TokenError::Invalid(Defect::Algorithm)))), "{minted:?}");
    // an access token by the same key, with everything that a transaction token says
    let claims = UnverifiedJwt::parse(&transaction).expect("a JWT").into_claims();
    let access = world.transactions.keys.signer(world.context.clock.now()).jwt("at+jwt", &claims);
    let replaced = world.transactions.replace(&caller(SEARCH), &access, &wanted("files.read"), None);
    assert!(matches!(replaced, Err(Refusal::Replaced(TransactionDefect::Type))), "{replaced:?}");
    let minted = world.transactions.mint(&caller(FILES), &access, &wanted("files.read"), None);
    assert!(matches!(minted, Err(Refusal::Internal(TokenError::Invalid(Defect::Algorithm)))), "{minted:?}");
}

/// `docs/security-requirements.md#x11`
#[tokio::test]
async fn refusals_are_audit_events_with_what_is_known_of_the_transaction() {
    let world = World::start(Some(POLICY));
    let first = world.mint(FILES, &einstein(), &wanted("files.read")).expect("is issued");
    let log = CapturedLog::start(tracing::Level::INFO);
    let replaced = world.transactions.replace(&caller(FILES), &first.token, &wanted("files.read"), None);
    assert_eq!(transaction_error(replaced), TransactionError::Policy);
    let service = TransactionService(Some(Arc::new(world.transactions)));
    let negative = MintRequest { internal_token: "x".to_owned(), lifetime_seconds: -1, ..MintRequest::default() };
    for request in [MintRequest::default(), negative] {
        let status = service.mint(tonic::Request::new(request)).await.expect_err("is refused");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    let events = log.audit_events();
    let fields = |name: &str| events.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(fields("event"), ["transaction_token"; 3]);
    assert_eq!(fields("outcome"), ["refused"; 3]);
    assert_eq!(fields("reason"), ["policy", "malformed", "malformed"]);
    assert_eq!(events[0]["subject"], first.claims.subject.as_str());
    assert_eq!(events[0]["txn"], first.claims.transaction.as_str());
}

#[tokio::test]
async fn edge_in_the_same_process_gets_what_its_entry_lists_or_its_routes_name() {
    let caller = Caller::default();
    let world = World::start(Some(POLICY));
    let token = world.internal_token(&einstein());
    let mint = |scope: &str| world.transactions.mint_for_edge(&token, &wanted(scope), &caller);
    assert_eq!(mint("edge").expect("is issued").claims.requesters.to_string(), "proxy");
    assert_eq!(transaction_error(mint("files.read")), TransactionError::Scope);

    let without_file = World::start(None);
    let token = without_file.internal_token(&einstein());
    let details = TransactionWanted { details: r#"{"service":"webdav"}"#.to_owned(), ..wanted("files.read") };
    let minted = without_file.transactions.mint_for_edge(&token, &details, &caller).expect("is issued");
    assert_eq!(minted.claims.details["service"], "webdav");
    let refused = without_file.transactions.mint_for_edge("x", &details, &caller);
    assert!(matches!(refused, Err(Refusal::Internal(_))), "{refused:?}");
}

#[tokio::test]
async fn token_of_an_authentication_ends_with_the_credential() {
    let world = World::start(Some(POLICY));
    let now = world.context.clock.now();
    let mint = |answer: &Authenticated| {
        world.transactions.mint_with(&caller(FILES), answer, &wanted("files.read"), Duration::from_secs(40))
    };
    assert_eq!(mint(&einstein()).expect("is issued").claims.expires_at, now + Duration::from_secs(40));
    let ending = Authenticated { not_after: Some(now + Duration::from_secs(9)), ..einstein() };
    assert_eq!(mint(&ending).expect("is issued").claims.expires_at, now + Duration::from_secs(9));
    let ended = Authenticated { not_after: Some(now), ..einstein() };
    assert_eq!(transaction_error(mint(&ended)), TransactionError::Expired);
}

#[test]
fn request_in_the_metadata_of_an_authentication_is_read() {
    let read = |json: &[u8]| {
        let mut metadata = tonic::metadata::MetadataMap::new();
        metadata.insert_bin("x-doorward-txn-request-bin", tonic::metadata::MetadataValue::from_bytes(json));
        requested(&metadata)
    };
    let json = br#"{"scope":"a","request_details":{"file":"7"}}"#;
    let expected = TransactionWanted { details: r#"{"file":"7"}"#.to_owned(), ..wanted("a") };
    assert_eq!(read(json).expect("is read"), Some(expected));
    for json in [&b""[..], b"{}", br#"{"scope":"a","request_details":[]}"#, br#"{"scope":"a","sub":"b"}"#] {
        assert!(matches!(read(json), Err(AuthError::Malformed(_))), "{json:?}");
    }
    assert_eq!(requested(&tonic::metadata::MetadataMap::new()).expect("is read"), None);
}

#[tokio::test]
async fn changed_policy_is_in_force_without_a_restart_and_a_broken_one_is_not() {
    let world = World::start(Some(POLICY));
    let mut readings = world.transactions.policies.as_ref().expect("a file").readings();
    let is_issued = || world.mint(SEARCH, &einstein(), &wanted("search")).is_ok();
    assert!(!is_issued());
    for (policy, expected) in [
        ("workloads:\n- { identity: spiffe://example.org/search, scopes: [search] }\n", true),
        ("workloads:\n- { identity: spiffe://example.org/search, scopes: [] }\n", true),
        ("workloads:\n- { identity: spiffe://example.org/other, scopes: [search] }\n", false),
    ] {
        std::fs::write(file_in(&world.folder), policy).expect("is written");
        world.context.reload.announce();
        let reading = async {
            readings.changed().await.expect("is read again");
            while is_issued() != expected {
                readings.changed().await.expect("is read again");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reading).await.expect(policy);
    }
}

/// `docs/security-requirements.md#x9`
#[tokio::test]
async fn gateways_with_one_secret_publish_the_same_keys_and_accept_each_other_s_tokens() {
    let (one, other) = (World::start(Some(POLICY)), World::start(Some(POLICY)));
    let minted = one.mint(FILES, &einstein(), &wanted("files.read")).expect("is issued");
    assert!(other.transactions.replace(&caller(SEARCH), &minted.token, &wanted(""), None).is_ok());
    let key_set = one.transactions.key_set_of_domain().jwks;
    assert_eq!(key_set, other.transactions.key_set_of_domain().jwks);

    let router = Arc::new(one.transactions).router();
    let get = |tag: Option<&str>| {
        let mut request = Request::builder().uri("/.well-known/txn-token-keys.json");
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        router.clone().oneshot(request.body(Body::empty()).expect("a request"))
    };
    let response = get(None).await.expect("answers");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "public, max-age=30", "an unknown key is found soon");
    let tag = response.headers()["etag"].to_str().expect("a text").to_owned();
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), key_set);
    assert_eq!(get(Some(&tag)).await.expect("answers").status(), 304);
}

#[tokio::test]
async fn grpc_calls_answer_by_status() {
    let world = World::start(Some(POLICY));
    let good = MintRequest {
        internal_token: world.internal_token(&einstein()),
        scope: "files.read".to_owned(),
        ..MintRequest::default()
    };
    let service = TransactionService(Some(Arc::new(world.transactions)));
    let mint = async |names: &[&str], request: MintRequest| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let mut request = tonic::Request::new(request);
        request.extensions_mut().insert(authn::Peer { names, ..authn::Peer::default() });
        service.mint(request).await.map(tonic::Response::into_inner)
    };
    let answer = mint(&[FILES], good.clone()).await.expect("is issued");
    assert_eq!((answer.scope.as_str(), answer.expires), ("files.read", 1_800_000_060));
    assert!(!answer.transaction_token.is_empty() && !answer.txn.is_empty());
    let shorter = mint(&[FILES], MintRequest { lifetime_seconds: 5, ..good.clone() }).await.expect("is issued");
    assert_eq!(shorter.expires, 1_800_000_005);

    let both = MintRequest { transaction_token: answer.transaction_token, ..good.clone() };
    let neither = MintRequest { internal_token: String::new(), ..good.clone() };
    let negative = MintRequest { lifetime_seconds: -1, ..good.clone() };
    let wide = MintRequest { scope: "admin".to_owned(), ..good.clone() };
    let unlisted = MintRequest { request_details: r#"{"folder":1}"#.to_owned(), ..good.clone() };
    let forged = MintRequest { internal_token: "forged".to_owned(), ..good.clone() };
    for (names, request, code) in [
        (&[FILES][..], both, Code::InvalidArgument),
        (&[FILES], neither, Code::InvalidArgument),
        (&[FILES], negative, Code::InvalidArgument),
        (&[FILES], wide, Code::InvalidArgument),
        (&[FILES], unlisted, Code::PermissionDenied),
        (&[FILES], forged, Code::PermissionDenied),
        (&["spiffe://example.org/other"], good.clone(), Code::PermissionDenied),
        (&[], good.clone(), Code::PermissionDenied),
    ] {
        assert_eq!(
            mint(names, request.clone()).await.map(drop).map_err(|status| status.code()),
            Err(code),
            "{request:?}"
        );
    }

    let key_set = service.get_key_set(tonic::Request::new(GetKeySetRequest {})).await.expect("answers").into_inner();
    assert_eq!((key_set.trust_domain.as_str(), key_set.fresh_seconds), ("cloud.example.org", 600));
    let off = TransactionService(None).mint(tonic::Request::new(good)).await;
    assert_eq!(off.map(drop).map_err(|status| status.code()), Err(Code::Unimplemented));
}
