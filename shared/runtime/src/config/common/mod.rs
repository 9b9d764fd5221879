//! The sections that every service has. Keys, order, names, defaults and descriptions are those that operators of oCIS
//! know; our own settings stand after theirs.

mod connect;
mod cors;
mod grpc;
mod http;
mod mtls;
mod observe;

pub use connect::{ClientTls, GrpcClientTls, Reva, TokenManager};
pub(crate) use cors::ANY;
pub use cors::Cors;
pub use grpc::{Grpc, GrpcTls};
pub use http::{Http, HttpTls, TlsVariables};
pub use mtls::Mtls;
pub use observe::{Debug, Log, Tracing};

use std::path::PathBuf;

use super::Invalid;

/// A certificate is of no use without its key, nor the key without it.
fn cert_and_key(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<(), Invalid> {
    match (cert, key) {
        (Some(_), None) => Err(Invalid::new("key", "is not set, but the certificate is; set both or none")),
        (None, Some(_)) => Err(Invalid::new("cert", "is not set, but the key is; set both or none")),
        _ => Ok(()),
    }
}

fn positive(key: &str, value: usize) -> Result<(), Invalid> {
    if value == 0 { Err(Invalid::new(key, "must be greater than 0")) } else { Ok(()) }
}
