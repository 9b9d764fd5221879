//! The part of the SPIFFE Workload API that pushes keys for JWT-SVIDs, on a Unix socket.

use std::collections::HashMap;
use std::convert::Infallible;
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

use crate::testing::SpiffeAuthority;

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct JwtBundlesRequest {}

#[derive(Clone, PartialEq, prost::Message)]
struct JwtBundlesResponse {
    /// Key sets by the SPIFFE ids of trust domains.
    #[prost(map = "string, bytes", tag = "1")]
    bundles: HashMap<String, Vec<u8>>,
}

/// What is pushed; `None` where the caller has no permission.
type Pushed = Option<JwtBundlesResponse>;

/// The agent. It ends when it is dropped.
pub(super) struct Agent {
    pushed: watch::Sender<Pushed>,
    task: AbortHandle,
}

impl Agent {
    /// Serves on this socket; callers have no permission yet.
    pub(super) fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("binds");
        let (pushed, received) = watch::channel(None);
        let server = tonic::transport::Server::builder().add_service(WorkloadApi(received));
        let serving = tokio::spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        Self { pushed, task: serving.abort_handle() }
    }

    /// Pushes the keys of these trust domains.
    pub(super) fn push(&self, authorities: &[&SpiffeAuthority]) {
        let bundle = |authority: &&SpiffeAuthority| {
            (format!("spiffe://{}", authority.domain()), authority.jwt_keys().into_bytes())
        };
        self.pushed.send_replace(Some(JwtBundlesResponse { bundles: authorities.iter().map(bundle).collect() }));
    }

    /// Answers that callers have no permission.
    pub(super) fn withdraw(&self) {
        self.pushed.send_replace(None);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct WorkloadApi(watch::Receiver<Pushed>);

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
        let pushed = self.0.clone();
        Box::pin(async move {
            let codec = ProstCodec::<JwtBundlesResponse, JwtBundlesRequest>::default();
            Ok(Grpc::new(codec).server_streaming(FetchJwtBundles(pushed), request).await)
        })
    }
}

struct FetchJwtBundles(watch::Receiver<Pushed>);

impl ServerStreamingService<JwtBundlesRequest> for FetchJwtBundles {
    type Response = JwtBundlesResponse;
    type ResponseStream = ReceiverStream<Result<JwtBundlesResponse, Status>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _request: Request<JwtBundlesRequest>) -> Self::Future {
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
