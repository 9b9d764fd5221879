use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::future::{Ready, ready};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::SpiffeAuthority;

/// The path of the SPIFFE id that callers have.
const CALLER: &str = "/doorward";

/// A request without parameters.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesResponse {
    /// Key sets by the SPIFFE ids of trust domains.
    #[prost(map = "string, bytes", tag = "1")]
    bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<X509Svid>,
    /// The authorities of other trust domains by their SPIFFE ids, in DER.
    #[prost(map = "string, bytes", tag = "3")]
    federated_bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct X509Svid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    certificates: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    /// The authorities of its trust domain, in DER.
    #[prost(bytes = "vec", tag = "4")]
    bundle: Vec<u8>,
}

/// The part of the SPIFFE Workload API that pushes trust bundles, as an agent has it on a Unix socket. It ends when it is dropped.
pub struct Agent {
    jwt: watch::Sender<Option<JwtBundlesResponse>>,
    x509: watch::Sender<Option<X509SvidResponse>>,
    task: AbortHandle,
}

impl Agent {
    /// Serves on this socket, in place of an agent that has ended. Callers have no permission yet. Needs a tokio runtime.
    ///
    /// # Panics
    /// When the socket cannot be bound.
    pub fn start(socket: &Path) -> Self {
        // none is there before the first agent
        let _ = fs::remove_file(socket);
        let listener = UnixListener::bind(socket).expect("binds");
        let (jwt, pushed_jwt) = watch::channel(None);
        let (x509, pushed_x509) = watch::channel(None);
        let service = WorkloadApi { jwt: pushed_jwt, x509: pushed_x509 };
        let server = tonic::transport::Server::builder().add_service(service);
        let serving = tokio::spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        Self { jwt, x509, task: serving.abort_handle() }
    }

    /// Pushes the bundles of these trust domains, and a new X.509-SVID of the first one, which is that of the callers.
    pub fn push(&self, authorities: &[&SpiffeAuthority]) {
        let name = |authority: &SpiffeAuthority| format!("spiffe://{}", authority.domain());
        let jwt = authorities.iter().map(|authority| (name(authority), authority.jwt_keys().into_bytes()));
        self.jwt.send_replace(Some(JwtBundlesResponse { bundles: jwt.collect() }));

        let bundle = |authority: &SpiffeAuthority| authority.certificate_authorities().concat();
        let svids = authorities.iter().take(1).map(|own| {
            let (certificates, key) = own.certificate_der(CALLER);
            X509Svid { spiffe_id: own.id(CALLER), certificates, key, bundle: bundle(own) }
        });
        let federated = authorities.iter().skip(1).map(|other| (name(other), bundle(other)));
        let x509 = X509SvidResponse { svids: svids.collect(), federated_bundles: federated.collect() };
        self.x509.send_replace(Some(x509));
    }

    /// Answers that callers have no permission.
    pub fn withdraw(&self) {
        self.jwt.send_replace(None);
        self.x509.send_replace(None);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct WorkloadApi {
    jwt: watch::Receiver<Option<JwtBundlesResponse>>,
    x509: watch::Receiver<Option<X509SvidResponse>>,
}

impl NamedService for WorkloadApi {
    const NAME: &'static str = "SpiffeWorkloadAPI";
}

impl Service<http::Request<Body>> for WorkloadApi {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Self { jwt, x509 } = self.clone();
        Box::pin(async move {
            let is_of_jwt = request.uri().path().ends_with("/FetchJWTBundles");
            Ok(if is_of_jwt {
                let codec = ProstCodec::<JwtBundlesResponse, Empty>::default();
                Grpc::new(codec).server_streaming(Pushing(jwt), request).await
            } else {
                let codec = ProstCodec::<X509SvidResponse, Empty>::default();
                Grpc::new(codec).server_streaming(Pushing(x509), request).await
            })
        })
    }
}

/// Sends what is pushed, until there is nothing because the caller has no permission, or the agent ends.
struct Pushing<T>(watch::Receiver<Option<T>>);

impl<T: prost::Message + Clone + 'static> ServerStreamingService<Empty> for Pushing<T> {
    type Response = T;
    type ResponseStream = ReceiverStream<Result<T, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _request: Request<Empty>) -> Self::Future {
        let (sender, receiver) = mpsc::channel(1);
        let mut pushed = self.0.clone();
        tokio::spawn(async move {
            loop {
                let message = pushed.borrow_and_update().clone().ok_or(Status::permission_denied("no permission"));
                let is_last = message.is_err();
                if sender.send(message).await.is_err() || is_last || pushed.changed().await.is_err() {
                    return;
                }
            }
        });
        ready(Ok(Response::new(ReceiverStream::new(receiver))))
    }
}
