//! Why a service does not start.

use status::Kind;

use crate::InheritedError;
use crate::client::EndpointError;
use crate::server::BindError;
use crate::telemetry::TelemetryError;
use crate::tls::TlsError;
use authn::BoxError;
use config::ConfigError;

/// `EX_USAGE` of sysexits: it is for the operator to change something.
pub(crate) const USAGE: u8 = 64;
const FAILURE: u8 = 1;

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Credentials would travel over a network in plain text.
    #[error(
        "{addr} can be reached from other machines and TLS is off; set {variable}=true, or listen on 127.0.0.1, or set \
         OCIS_INSECURE_PLAINTEXT=true if the network itself is encrypted"
    )]
    Plaintext {
        /// The address.
        addr: String,
        /// The variable that turns TLS on.
        variable: &'static str,
    },
    /// A certificate or a key is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Logs or spans have nowhere to go.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A socket that the service manager passes cannot be used.
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    /// A socket cannot be bound.
    #[error("{0}")]
    Bind(String),
    /// The service cannot be built.
    #[error("{0}")]
    Build(#[source] BoxError),
    /// It was stopped before it had started.
    #[error("stopped before it had started")]
    Interrupted,
}

impl StartError {
    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Config(_) | Self::Plaintext { .. } | Self::Tls(_) | Self::Telemetry(_) | Self::Inherited(_) => {
                Kind::FailedPrecondition
            }
            Self::Bind(_) => Kind::Unavailable,
            Self::Build(_) => Kind::Internal,
            Self::Interrupted => Kind::Aborted,
        }
    }

    /// With what the process exits: 64 when it is for the operator to change the configuration, 1 for what may be well
    /// the next time.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Plaintext { .. } | Self::Tls(_) | Self::Telemetry(_) | Self::Inherited(_) => USAGE,
            Self::Build(cause) if is_configuration(cause.as_ref()) => USAGE,
            Self::Bind(_) | Self::Build(_) => FAILURE,
            Self::Interrupted => 0,
        }
    }
}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        Self::Bind(error.to_string())
    }
}

/// Whether the configuration is to blame, however deep that is buried.
pub(crate) fn is_configuration(error: &(dyn std::error::Error + 'static)) -> bool {
    let nested = |error: &StartError| error.exit_code() == USAGE;
    std::iter::successors(Some(error), |error| error.source()).any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<crate::Misconfigured>()
            || cause.is::<EndpointError>()
            || cause.is::<TlsError>()
            || cause.is::<TelemetryError>()
            || cause.downcast_ref::<StartError>().is_some_and(nested)
    })
}
