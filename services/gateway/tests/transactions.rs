//! Transaction tokens of a gateway that workloads call by mutual TLS.

use std::sync::Arc;

use authn::gateway::{IssuedTransaction, Remote, TransactionWanted};
use authn::{Caller, Gateway, User};
use doorward::ServiceId;
use proto::cs3::gateway::v1beta1::AuthenticateRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use proto::doorward::gateway::v1::transaction_tokens_client::TransactionTokensClient;
use proto::doorward::gateway::v1::{GetKeySetRequest, MintRequest};
use runtime::Clock;
use testkit::{Certificates, Layout, Mode, TestFamily, note_secret};
use token::transaction::{KeySource, PublishedKeys, TransactionClaims, TransactionVerifier};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response};

const POLICY: &str = "workloads:
- { identity: 'spiffe://doorward.test/web/*', scopes: [files.read], details: [file] }
- { identity: spiffe://doorward.test/search, scopes: [files.read], replace: true }
";
const FILES: &str = "spiffe://doorward.test/web/files";
const SEARCH: &str = "spiffe://doorward.test/search";

/// What a service says of a token that has fetched the keys.
async fn claims(family: &TestFamily, token: &str) -> TransactionClaims {
    let mut client = TransactionTokensClient::new(family.channel(ServiceId::Gateway));
    let key_set = client.get_key_set(GetKeySetRequest {}).await.expect("any caller gets the keys").into_inner();
    let keys = PublishedKeys::default();
    keys.replace(&key_set.jwks).expect("a key set");
    let verifier = TransactionVerifier::new(&key_set.trust_domain, KeySource::Published(Arc::new(keys)));
    note_secret(token);
    verifier.verify(Clock::system().now(), token).expect("is valid")
}

/// `docs/security-requirements.md#x7`
#[tokio::test(flavor = "multi_thread")]
async fn workload_is_the_name_in_its_client_certificate() {
    let mut layout = Layout::new("gateway-transactions", true);
    let policy = layout.folder().join("transactions.yaml");
    std::fs::write(&policy, POLICY).expect("the file can be written");
    layout.set("GATEWAY_TRANSACTION_POLICY_FILE", &policy.display().to_string());
    layout.set("OCIS_TRANSACTION_SECRET", "a secret for transaction tokens, 32 bytes or more");
    layout.set("OCIS_TRANSACTION_TRUST_DOMAIN", "cloud.example.org");
    let issue = |name: &str, identity: &str| Certificates::issue(layout.folder(), name, identity);
    let (files, search) = (issue("files", FILES), issue("search", SEARCH));
    let other = issue("other", "spiffe://doorward.test/webs/files");
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    let internal_token = family.token_of("einstein").await;
    let mint = async |certificates: &Certificates, request: MintRequest| {
        let mut client = TransactionTokensClient::new(family.channel_with(ServiceId::Gateway, certificates));
        client.mint(request).await.map(Response::into_inner).map_err(|status| status.code())
    };
    let request = MintRequest { internal_token, scope: "files.read".to_owned(), ..MintRequest::default() };
    let minted = mint(&files, request.clone()).await.expect("is issued").transaction_token;
    let first = claims(&family, &minted).await;
    let user = family.who_am_i(&request.internal_token).await.expect("the token is good");
    assert_eq!((first.subject, first.requesters.last()), (User::from(user).id.opaque_id, FILES));
    assert_eq!(mint(&other, request.clone()).await.err(), Some(Code::PermissionDenied));

    // as an edge in a process of its own requests it, which learns the transaction for its traces
    let edge = Remote::new(family.channel_with(ServiceId::Gateway, &files));
    let wanted = TransactionWanted { scope: "files.read".to_owned(), ..TransactionWanted::default() };
    let issued = edge.transaction(&request.internal_token, &wanted, &Caller::default()).await;
    let IssuedTransaction { token, transaction } = issued.expect("is issued");
    assert_eq!(claims(&family, &token).await.transaction, transaction);

    let replacement = MintRequest { transaction_token: minted, ..MintRequest::default() };
    assert_eq!(
        mint(&files, replacement.clone()).await.err(),
        Some(Code::PermissionDenied),
        "it may not replace tokens"
    );
    let replaced = mint(&search, replacement).await.expect("is issued").transaction_token;
    let second = claims(&family, &replaced).await;
    assert_eq!(second.requesters.to_string(), format!("{FILES},{SEARCH}"));
    assert_eq!(second.transaction, first.transaction);

    let mut client = GatewayApiClient::new(family.channel_with(ServiceId::Gateway, &files));
    let mut request = Request::new(AuthenticateRequest {
        r#type: "basic".to_owned(),
        client_id: "marie".to_owned(),
        client_secret: family.layout.password.clone(),
        ..AuthenticateRequest::default()
    });
    let wanted = MetadataValue::from_bytes(br#"{"scope":"files.read","request_details":{"file":"7"}}"#);
    request.metadata_mut().insert_bin("x-doorward-txn-request-bin", wanted);
    let answer = client.authenticate(request).await.expect("the gateway answers");
    let token = answer.metadata().get("x-doorward-txn-token").expect("a token").to_str().expect("text").to_owned();
    let user = answer.into_inner().user.expect("a user");
    let claims = claims(&family, &token).await;
    assert_eq!(claims.subject, User::from(user).id.opaque_id);
    assert_eq!(claims.details["file"], "7");
}
