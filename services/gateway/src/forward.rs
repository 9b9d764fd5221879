//! Passes requests to another service as they came.

use std::convert::Infallible;
use std::error::Error;

use authn::Channel;
use http::{Request, Response};
use status::Kind;
use tonic::{Status, body::Body};
use tower::ServiceExt;

/// What messages call the gateway behind this one.
pub(crate) const UPSTREAM: &str = "the upstream gateway";
/// The answer of the service of this name to a request.
pub(crate) async fn forward(
    service: Channel,
    name: &'static str,
    request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    match service.oneshot(request).await {
        Ok(response) => Ok(response),
        Err(error) => Ok(unavailable(name, error.as_ref()).into_http()),
    }
}

/// What callers are answered when a service cannot be reached; the cause is for the log.
fn unavailable(name: &str, error: &(dyn Error + 'static)) -> Status {
    tracing::error!(error, "{name} cannot be reached");
    status::grpc(Kind::Unavailable, format!("{name} is not available"))
}
