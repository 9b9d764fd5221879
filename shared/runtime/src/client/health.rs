//! Asking a peer for its health (`grpc.health.v1`).

use std::error::Error;

use authn::BoxError;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::channel;
use crate::Context;
use config::GrpcClientTls;

/// Asks the peer at an endpoint whether it serves, by the TLS settings and the certificate of a client. `false` for a peer that answers
/// without this service, as those of other installations may.
///
/// # Errors
/// When it cannot be reached, does not accept the certificate, or is not ready; the text says which.
pub async fn check_health(endpoint: &str, tls: &GrpcClientTls, context: &Context) -> Result<bool, BoxError> {
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(channel(endpoint, tls, context)?).check(request).await {
        Ok(answer) if answer.get_ref().status == i32::from(ServingStatus::Serving) => Ok(true),
        Ok(_) => Err("it answers that it is not ready".into()),
        Err(status) if status.code() == Code::Unimplemented => Ok(false),
        Err(status) => Err(reason(&status).into()),
    }
}

/// What the peer answers, or why there is no connection: the innermost cause, as those around it only say that it failed.
fn reason(status: &Status) -> String {
    let mut cause: &dyn Error = status;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if status.source().is_some() { cause.to_string() } else { status.message().to_owned() }
}
