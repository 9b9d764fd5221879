//! Where a server listens.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::value::{Shown, Value};

/// A listening address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListenAddr {
    /// Nowhere: the setting is empty, and the server is not started.
    #[default]
    Off,
    /// A TCP port; an empty host, as in `:9246`, means every interface.
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port; 0 lets the system choose one.
        port: u16,
    },
    /// A Unix socket, written as an absolute path or as `unix:<path>`.
    Unix(PathBuf),
}

impl ListenAddr {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Off | Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|addr| addr.to_canonical().is_loopback())
            }
        }
    }

    /// Reads an address that is written in our own code.
    ///
    /// # Panics
    /// When it is none: a fault of the code, found by the first test that builds the configuration.
    pub(super) fn built_in(text: &str) -> Self {
        <Self as Value>::parse(text).expect("a built-in address is valid")
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => Ok(()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) if path.is_absolute() => write!(f, "{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Value for ListenAddr {
    const TYPE: &'static str = "string";
    const EXPECTED: &'static str = "an address (host:port, :port, or the path of a Unix socket)";
    const MAY_BE_EMPTY: bool = true;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Off);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(path.into()));
        }
        if text.starts_with('/') {
            return Some(Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        if bracketed.is_none() && host.contains([':', '[', ']', '/', ' ']) {
            return None;
        }
        Some(Self::Tcp { host: bracketed.unwrap_or(host).into(), port: port.parse().ok()? })
    }

    fn shown(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}
