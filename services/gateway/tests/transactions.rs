//! Transaction tokens of a gateway that workloads call by mutual TLS, and of a gRPC service that requires them.

use std::sync::Arc;
use std::time::Duration;

use authn::gateway::{IssuedTransaction, Remote, TransactionWanted};
use authn::{Caller, Gateway, User};
use doorward::ServiceId;
use oidc::jose::Algorithm;
use proto::cs3::gateway::v1beta1::AuthenticateRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use proto::doorward::gateway::v1::transaction_tokens_client::TransactionTokensClient;
use proto::doorward::gateway::v1::transaction_tokens_server::{TransactionTokens, TransactionTokensServer};
use proto::doorward::gateway::v1::{GetKeySetRequest, GetKeySetResponse, MintRequest, MintResponse};
use runtime::Clock;
use testkit::{Certificates, Layout, Mode, TestFamily, note_secret};
use token::transaction::names::HEADER;
use token::transaction::{
    Authority, KeySource, PublishedKeys, Subject, SubjectType, TransactionClaims, TransactionKeys, TransactionLayer,
    TransactionMinter, TransactionRequest, TransactionVerifier, WorkloadPolicy, forward,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tower::Layer;

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

/// A service with generated code that requires transaction tokens.
struct Required;

#[tonic::async_trait]
impl TransactionTokens for Required {
    /// Answers with the token that it would send on.
    async fn mint(&self, request: Request<MintRequest>) -> Result<Response<MintResponse>, Status> {
        let mut next = Request::new(MintRequest::default());
        forward(request.extensions(), next.metadata_mut().as_mut());
        let token = next.metadata().get(HEADER).and_then(|token| token.to_str().ok()).unwrap_or_default();
        Ok(Response::new(MintResponse { transaction_token: token.to_owned(), ..MintResponse::default() }))
    }

    /// Answers with the subject of the transaction.
    async fn get_key_set(&self, request: Request<GetKeySetRequest>) -> Result<Response<GetKeySetResponse>, Status> {
        let claims = request.extensions().get::<Arc<TransactionClaims>>();
        let trust_domain = claims.map(|claims| claims.subject.clone()).unwrap_or_default();
        Ok(Response::new(GetKeySetResponse { trust_domain, ..GetKeySetResponse::default() }))
    }
}

/// Serves it behind a layer.
async fn serve(layer: &TransactionLayer) -> TransactionTokensClient<Channel> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    let service = layer.layer(TransactionTokensServer::new(Required));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect().await;
    TransactionTokensClient::new(channel.expect("connects"))
}

/// `docs/security-requirements.md#x2`
#[tokio::test(flavor = "multi_thread")]
async fn tonic_service_behind_the_layer_gets_requests_with_a_token_of_the_scope() {
    let (clock, domain) = (Clock::system(), "cloud.example.org");
    let secret = "a secret for transaction tokens, 32 bytes or more".into();
    let keys = Arc::new(TransactionKeys::new(&secret, None, Algorithm::Es256).expect("a secret"));
    let minter = TransactionMinter::new(Arc::clone(&keys), domain);
    let token = |scope: &str| {
        let policy = WorkloadPolicy { scopes: [scope.to_owned()].into(), ..WorkloadPolicy::default() };
        let (kind, not_after) = (SubjectType::User, clock.now() + Duration::from_mins(5));
        let subject = Subject { id: "u-einstein", kind, actor: None, authority: Authority::WholeUser, not_after };
        let request = TransactionRequest::new(scope, "", "").expect("a request");
        minter.mint(clock.now(), &subject, &request, FILES, &policy).expect("is minted").token
    };
    let verifier = TransactionVerifier::new(domain, KeySource::Derived(keys));
    let now = clock.clone();
    let layer = TransactionLayer::grpc(verifier, move || now.now(), "files.read".parse().expect("a scope"));
    let client = serve(&layer).await;
    let mint = async |tokens: &[&str]| {
        let mut request = Request::new(MintRequest::default());
        for token in tokens {
            request.metadata_mut().append(HEADER, token.parse().expect("ASCII"));
        }
        let answer = client.clone().mint(request).await;
        answer.map(|answer| answer.into_inner().transaction_token).map_err(|status| status.code())
    };
    let good = token("files.read");
    assert_eq!(mint(&[&good]).await, Ok(good.clone()));
    assert_eq!(mint(&[]).await, Err(Code::Unauthenticated));
    assert_eq!(mint(&[&good, &good]).await, Err(Code::PermissionDenied));
    assert_eq!(mint(&[&token("search")]).await, Err(Code::PermissionDenied));

    let mut request = Request::new(GetKeySetRequest {});
    request.metadata_mut().insert(HEADER, good.parse().expect("ASCII"));
    let answer = client.clone().get_key_set(request).await.expect("is let through");
    assert_eq!(answer.into_inner().trust_domain, "u-einstein");
}
