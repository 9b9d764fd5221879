//! Where a server listens.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A listening address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("format" = ListenAddr::FORMAT))]
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

/// A text that is no listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an address (host:port, :port, or the path of a Unix socket)")]
pub struct InvalidAddress;

impl ListenAddr {
    /// The `format` of a listening address in a JSON Schema.
    pub(crate) const FORMAT: &'static str = "listen-address";

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Off | Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|addr| addr.to_canonical().is_loopback())
            }
        }
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

impl From<ListenAddr> for String {
    fn from(addr: ListenAddr) -> Self {
        addr.to_string()
    }
}

impl TryFrom<String> for ListenAddr {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl FromStr for ListenAddr {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if text.is_empty() {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(InvalidAddress) } else { Ok(Self::Unix(path.into())) };
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress)?;
        let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        if bracketed.is_none() && host.contains([':', '[', ']', '/', ' ']) {
            return Err(InvalidAddress);
        }
        let port = port.parse().map_err(|_| InvalidAddress)?;
        Ok(Self::Tcp { host: bracketed.unwrap_or(host).into(), port })
    }
}
