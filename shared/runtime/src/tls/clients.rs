//! What a server asks of its clients.

use std::path::{Path, PathBuf};

use config::GrpcTls;

use super::GRPC_CLIENT_CA;
use super::spiffe_clients::AttachedAuthorities;

/// What is asked of clients.
#[derive(Clone, Debug)]
pub(super) enum Clients {
    Nothing,
    /// A certificate that these have signed; with the setting that names the file.
    Certificate(&'static str, PathBuf),
    /// An X.509-SVID of a trust domain, or a certificate that the authorities of this file have signed, if there is one.
    Spiffe(AttachedAuthorities, Option<PathBuf>),
    /// An optional certificate of any signer, verified with these authorities, if there are any.
    MayHaveCertificate(Option<PathBuf>),
}

impl Clients {
    /// Those of the gRPC server.
    pub(super) fn of_grpc(tls: &GrpcTls) -> Self {
        if tls.client_spiffe {
            Self::Spiffe(AttachedAuthorities::default(), tls.client_ca.clone())
        } else {
            Self::of(GRPC_CLIENT_CA, tls.client_ca.as_ref())
        }
    }

    /// A certificate is required where a file of authorities is set.
    pub(super) fn of(setting: &'static str, authorities: Option<&PathBuf>) -> Self {
        authorities.map_or(Self::Nothing, |file| Self::Certificate(setting, file.clone()))
    }

    /// The authorities of trust domains, once the service has set them.
    pub(super) fn attached(&self) -> Option<&AttachedAuthorities> {
        match self {
            Self::Spiffe(authorities, _) => Some(authorities),
            Self::Nothing | Self::Certificate(..) | Self::MayHaveCertificate(_) => None,
        }
    }

    pub(super) fn authorities(&self) -> Option<&Path> {
        match self {
            Self::Nothing => None,
            Self::Certificate(_, file) => Some(file),
            Self::Spiffe(_, file) | Self::MayHaveCertificate(file) => file.as_deref(),
        }
    }
}
