//! Calls of `ApplicationsAPI`, which the gateway passes on to auth-app.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use authn::Peer;
use authn::caller::SOURCE_KEY;
use config::Environment;
use gateway::{Config, Peers, peers};
use http::HeaderMap;
use proto::cs3::auth::applications::v1beta1::{GenerateAppPasswordRequest, GetAppPasswordRequest};
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use runtime::Context;
use status::Kind;
use tonic::Request;
use tonic::body::Body;

fn from<T>(source: IpAddr, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Peer { source: Some(source), ..Peer::default() });
    request
}

#[tokio::test]
async fn source_of_a_call_is_passed_to_auth_app() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let keep = Arc::clone(&seen);
    let auth_app = tower::service_fn(move |request: http::Request<Body>| {
        *keep.lock().expect("no test has panicked") = request.headers().clone();
        async { Ok::<_, Infallible>(status::grpc(Kind::NotFound, "the call has arrived").into_http::<Body>()) }
    });
    let mut config = Config::default();
    config.token_manager.jwt_secret = "a-secret-of-at-least-32-characters".into();
    let peers = Peers { applications: Some(peers::applications(auth_app)), ..Peers::default() };
    let opened = gateway::open(&config, peers, &Context::new(Environment::default())).expect("the secret is good");
    let mut client = GatewayApiClient::new(opened.app().grpc.expect("the gateway speaks gRPC"));
    let source = || {
        let headers = std::mem::take(&mut *seen.lock().expect("no test has panicked"));
        headers.get(SOURCE_KEY).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let caller: IpAddr = "198.51.100.7".parse().expect("an address");
    client.generate_app_password(from(caller, GenerateAppPasswordRequest::default())).await.expect_err("arrives");
    assert_eq!(source().as_deref(), Some("198.51.100.7"));
    client.get_app_password(from(caller, GetAppPasswordRequest::default())).await.expect_err("arrives");
    assert_eq!(source().as_deref(), Some("198.51.100.7"));
}
