//! Transaction tokens on the way to a backend.

use std::sync::Arc;

use authn::User;
use oidc::jose::{Algorithm, UnverifiedJwt};
use runtime::Clock;
use secrecy::SecretString;
use testkit::Layout;
use token::transaction::names::TYP;
use token::transaction::{KeySource, SubjectType, TransactionClaims, TransactionKeys, TransactionVerifier};

use crate::edge::backend::{Backend, header};
use crate::edge::raw;
use crate::edge::world::{World, basic};

const SECRET: &str = "a secret for transaction tokens, 32 bytes or more";
const DOMAIN: &str = "cloud.example.org";

/// What a backend would say of a token.
fn claims(token: &str) -> TransactionClaims {
    let keys = TransactionKeys::new(&SecretString::from(SECRET), None, Algorithm::Es256).expect("a secret");
    let verifier = TransactionVerifier::new(DOMAIN, KeySource::Derived(Arc::new(keys)));
    verifier.verify(Clock::system().now(), token).expect("is valid")
}

async fn start(name: &str, backend: &Backend) -> World {
    let address = backend.address;
    let text = format!(
        "routes:\n  - {{ path: /minted, backend: 'http://{address}', transaction_token: {{ mint: {{ scope: files.read, details: {{ service: webdav }}, context: [req_ip, method] }} }} }}\n  - {{ path: /verified, backend: 'http://{address}', transaction_token: {{ verify: {{ scope: files.read }} }} }}\n  - {{ path: /narrower, backend: 'http://{address}', transaction_token: {{ verify: {{ scope: files.write }} }} }}\n  - {{ path: /, backend: 'http://{address}' }}\n"
    );
    let settings = |layout: &mut Layout| {
        let file = layout.folder().join("transactions.yaml");
        std::fs::write(&file, text).expect("the file can be written");
        layout.set("PROXY_ROUTES_FILE", &file.display().to_string());
        layout.set("OCIS_TRANSACTION_SECRET", SECRET);
        layout.set("OCIS_TRANSACTION_TRUST_DOMAIN", DOMAIN);
    };
    World::start_with(name, settings).await
}

/// `docs/security-requirements.md#x8`
#[tokio::test(flavor = "multi_thread")]
async fn backend_gets_a_transaction_token_of_the_user_and_never_the_client_s() {
    let backend = Backend::start().await;
    let world = start("edge-minted-transactions", &backend).await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let received = async |target: &str, lines: &[&str]| {
        assert_eq!(raw::request(world.edge, &format!("GET {target}"), lines).await.status(), 200, "{target}");
        let seen = backend.take();
        header(&seen[0], "txn-token")
    };
    let forged = ["Txn-Token: forged", "Txn_Token: forged", "txn.token: forged"];
    for target in ["/minted/a?key=s3cr3t", "/minted"] {
        let lines = [&[authorization.as_str()][..], &forged].concat();
        let tokens = received(target, &lines).await;
        let [token] = tokens.as_slice() else { panic!("{target}: {tokens:?}") };
        let claims = claims(token);
        let user = world.family.who_am_i(&world.family.token_of("einstein").await).await.expect("the token is good");
        assert_eq!((claims.subject, claims.subject_type), (User::from(user).id.opaque_id, SubjectType::User));
        assert_eq!((claims.scope.to_string().as_str(), claims.requesters.last()), ("files.read", "proxy"));
        assert_eq!(claims.details["service"], "webdav");
        assert_eq!(claims.context["method"], "GET");
        assert!(!format!("{:?}", claims.context).contains("s3cr3t"), "the query is in no token");
    }
    assert!(received("/other", &[&[authorization.as_str()][..], &forged].concat()).await.is_empty());
}

/// `docs/security-requirements.md#x2`
#[tokio::test(flavor = "multi_thread")]
async fn transaction_token_of_a_caller_is_passed_on_if_it_is_valid_and_authenticates_no_one() {
    let backend = Backend::start().await;
    let world = start("edge-verified-transactions", &backend).await;
    let authorization = format!("Authorization: {}", basic("einstein", &world.token));
    let status =
        async |target: &str, lines: &[&str]| raw::request(world.edge, &format!("GET {target}"), lines).await.status();
    assert_eq!(status("/minted/a", &[&authorization]).await, 200);
    let seen = backend.take();
    let line = format!("Txn-Token: {}", header(&seen[0], "txn-token")[0]);

    assert_eq!(status("/verified/a", &[&authorization, &line]).await, 200);
    let passed_on = backend.take();
    assert_eq!(header(&passed_on[0], "txn-token"), header(&seen[0], "txn-token"));
    for (target, lines, expected) in [
        ("/verified/a", vec![&*authorization], 401),
        ("/verified/a", vec![&*authorization, "Txn-Token: forged"], 401),
        ("/verified/a", vec![&*authorization, &*line, &*line], 401),
        ("/verified/a", vec![&*line], 401),
        ("/narrower/a", vec![&*authorization, &*line], 403),
    ] {
        assert_eq!(status(target, &lines).await, expected, "{target} {}", lines.len());
        assert!(backend.take().is_empty(), "{target}");
    }
    let bearer = line.replace("Txn-Token: ", "Authorization: Bearer ");
    assert_eq!(status("/other", &[&bearer]).await, 401, "it is no credential");
    let internal = format!("Txn-Token: {}", world.family.token_of("einstein").await);
    assert_eq!(status("/verified/a", &[&authorization, &internal]).await, 401, "nor is another token one of these");
    // an access token by the same key, with everything that a transaction token says
    let claims = UnverifiedJwt::parse(&header(&seen[0], "txn-token")[0]).expect("a JWT").into_claims();
    let keys = TransactionKeys::new(&SecretString::from(SECRET), None, Algorithm::Es256).expect("a secret");
    let signer = keys.signer(Clock::system().now());
    for (typ, expected) in [("at+jwt", 401), ("JWT", 401), (TYP, 200)] {
        let line = format!("Txn-Token: {}", signer.jwt(typ, &claims));
        assert_eq!(status("/verified/a", &[&authorization, &line]).await, expected, "{typ}");
    }
}
