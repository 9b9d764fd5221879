//! The sections that every service has. Keys, order, names, defaults and descriptions are those of oCIS; the settings that only
//! Doorward has stand after them.

mod audit;
mod connect;
mod cors;
mod grpc;
mod http;
mod mtls;
mod observe;
mod tracing;
mod transactions;
mod workload;

pub use audit::{Audit, SyslogAddress};
pub use connect::{ClientTls, GrpcClientTls, HttpClientTls, Reva, TokenManager};
pub use cors::{ANY, Cors};
pub use grpc::{Grpc, GrpcTls};
pub use http::{Http, HttpTls, TlsVariables};
pub use mtls::Mtls;
pub use observe::{Debug, DebugTls, Log};
pub use tracing::{Collector, OtlpProtocol, Sampling, Signal, Tracing};
pub use transactions::Transactions;
pub use workload::{BundleSource, Spiffe, TrustDomainSource, WorkloadPolicy};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// How files of secrets are read. Every service has this setting first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct SecretFiles {
    /// Accepts files of secrets and private keys that other accounts of the machine can read. Without it they are refused.
    #[schemars(extend("x-env" = ["OCIS_ALLOW_READABLE_SECRETS", "<P>_ALLOW_READABLE_SECRETS"]))]
    pub allow_readable_secrets: bool,
}

impl SecretFiles {
    /// The key of the setting.
    pub(crate) const KEY: &'static str = "allow_readable_secrets";
}

/// The largest headers of a request that are accepted unless another size is set, in bytes: the access token of a user in 300
/// groups has 17 KiB.
pub const MAX_HEADER_SIZE: usize = 32 * 1024;
/// The HTTP library needs this much for a request's head.
const LEAST_HEADER_SIZE: usize = 8 * 1024;
const MOST_HEADER_SIZE: usize = 1024 * 1024;

fn header_size(size: usize) -> Result<(), Invalid> {
    let problem = format!("must be a number of bytes from {LEAST_HEADER_SIZE} to {MOST_HEADER_SIZE}");
    Invalid::unless((LEAST_HEADER_SIZE..=MOST_HEADER_SIZE).contains(&size), "max_header_size", &problem)
}
