use std::convert::Infallible;
use std::time::{Duration, UNIX_EPOCH};

use secrecy::SecretString;
use tower::service_fn;

use super::*;
use crate::transaction::{
    Authority, KeySource, PublishedKeys, Subject, SubjectType, TransactionKeys, TransactionMinter, TransactionRequest,
    WorkloadPolicy,
};

const DOMAIN: &str = "cloud.example.org";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn keys() -> Arc<TransactionKeys> {
    let secret = SecretString::from("a secret for transaction tokens, 32 bytes or more");
    Arc::new(TransactionKeys::new(&secret, None, oidc::jose::Algorithm::EdDsa).expect("a secret"))
}

fn verifier() -> TransactionVerifier {
    TransactionVerifier::new(DOMAIN, KeySource::Derived(keys()))
}

fn token(scope: &str) -> HeaderValue {
    let policy = WorkloadPolicy { scopes: [scope.to_owned()].into(), ..WorkloadPolicy::default() };
    let (kind, authority) = (SubjectType::User, Authority::WholeUser);
    let subject = Subject { id: "7", kind, actor: None, authority, not_after: now() + Duration::from_mins(5) };
    let request = TransactionRequest::new(scope, "", "").expect("a request");
    let minted = TransactionMinter::new(keys(), DOMAIN).mint(now(), &subject, &request, "files", &policy);
    HeaderValue::from_str(&minted.expect("is minted").token).expect("a header")
}

/// What a service behind this layer answers to a request with these headers: the subject, and the token that it would send on.
fn answer(layer: &TransactionLayer, tokens: &[HeaderValue]) -> Response<String> {
    let echo = service_fn(|request: Request<()>| {
        let claims = request.extensions().get::<Arc<TransactionClaims>>().expect("the claims");
        let mut headers = HeaderMap::new();
        forward(request.extensions(), &mut headers);
        assert_eq!(headers.get(HEADER), request.headers().get(HEADER));
        ready(Ok::<_, Infallible>(Response::new(claims.subject.clone())))
    });
    let mut request = Request::new(());
    for token in tokens {
        request.headers_mut().append(HEADER, token.clone());
    }
    let mut service = layer.layer(echo);
    let answer = match service.call(request) {
        Either::Left(refusal) => refusal.into_inner(),
        Either::Right(response) => response.into_inner(),
    };
    answer.unwrap_or_else(|never| match never {})
}

fn scope(text: &str) -> Scopes {
    text.parse().expect("a scope")
}

/// `docs/security-requirements.md#x2`
#[test]
fn request_with_one_valid_token_of_the_scope_is_let_through() {
    let layer = TransactionLayer::http(verifier(), now, scope("files.read"));
    assert_eq!(answer(&layer, &[token("files.read")]).body(), "7");
    let any_scope = TransactionLayer::http(verifier(), now, Scopes::default());
    assert_eq!(answer(&any_scope, &[token("search")]).body(), "7");

    let bearer = HeaderValue::from_static("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x");
    for (tokens, expected) in [
        (vec![], 401),
        (vec![token("files.read"), token("files.read")], 401),
        (vec![bearer], 401),
        (vec![HeaderValue::from_static("")], 401),
        (vec![token("search")], 403),
    ] {
        let refusal = answer(&layer, &tokens);
        assert_eq!((refusal.status().as_u16(), refusal.body().as_str()), (expected, ""));
        assert_eq!(refusal.headers().contains_key(WWW_AUTHENTICATE), expected == 401);
    }
    let after_its_end = TransactionLayer::http(verifier(), || now() + Duration::from_mins(2), Scopes::default());
    assert_eq!(answer(&after_its_end, &[token("files.read")]).status(), 401);
}

#[test]
fn grpc_service_answers_by_status() {
    let code = |response: &Response<String>| response.headers()["grpc-status"].to_str().expect("a number").to_owned();
    let layer = TransactionLayer::grpc(verifier(), now, scope("files.read"));
    assert_eq!(answer(&layer, &[token("files.read")]).body(), "7");
    assert_eq!(code(&answer(&layer, &[])), "16");
    assert_eq!(code(&answer(&layer, &[token("search")])), "7");
    let without_keys = KeySource::Published(Arc::new(PublishedKeys::default()));
    let layer = TransactionLayer::grpc(TransactionVerifier::new(DOMAIN, without_keys), now, Scopes::default());
    assert_eq!(code(&answer(&layer, &[token("search")])), "14", "no verdict is reached");
}
