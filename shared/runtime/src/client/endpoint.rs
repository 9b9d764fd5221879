//! What an endpoint's text means.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::EndpointError;

/// How names in the registry of an existing installation begin.
const REGISTRY: [&str; 2] = ["com.owncloud.", "eu.opencloud."];

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) place: Place,
    /// Whether TLS is asked for by the endpoint itself.
    pub(super) is_https: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A name or an IP address, without brackets, and a port.
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Target {
    /// What requests call it.
    pub(super) fn authority(&self) -> String {
        match &self.place {
            Place::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp(host, port) => format!("{host}:{port}"),
            Place::Unix(_) => "localhost".into(),
        }
    }

    /// Whether no other machine is called. A name counts as another machine, as what it stands for may change, except `localhost`.
    pub(super) fn is_local(&self) -> bool {
        match &self.place {
            Place::Tcp(host, _) => {
                // the unspecified address is this machine too
                let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
                host == "localhost" || host.parse().is_ok_and(|address: IpAddr| is_here(address.to_canonical()))
            }
            Place::Unix(_) => true,
        }
    }

    /// What its certificate must be for.
    pub(super) fn host(&self) -> &str {
        match &self.place {
            Place::Tcp(host, _) => host,
            Place::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(..) => f.write_str(&self.authority()),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for Target {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        // also where it is disguised as a host: dns:///com.owncloud.api.gateway
        if REGISTRY.iter().any(|name| text.contains(name)) {
            return Err(EndpointError::RegistryName(text.into()));
        }
        parse(text).ok_or_else(|| EndpointError::Malformed(text.into()))
    }
}

fn parse(text: &str) -> Option<Target> {
    if let Some(rest) = text.strip_prefix("unix:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        return path.starts_with('/').then(|| Target { place: Place::Unix(path.into()), is_https: false });
    }
    let (rest, default_port, is_https) = if let Some(rest) = text.strip_prefix("dns:") {
        (without_dns_authority(rest)?, None, false)
    } else if let Some(rest) = text.strip_prefix("https://") {
        (rest.strip_suffix('/').unwrap_or(rest), Some(443), true)
    } else if let Some(rest) = text.strip_prefix("http://") {
        (rest.strip_suffix('/').unwrap_or(rest), Some(80), false)
    } else {
        (text, None, false)
    };
    let (host, port) = host_and_port(rest, default_port)?;
    Some(Target { place: Place::Tcp(host, port), is_https })
}

/// `dns://authority/name` names the DNS server to ask; ours is always the system's.
fn without_dns_authority(rest: &str) -> Option<&str> {
    match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map(|(_, name)| name),
        None => Some(rest),
    }
}

fn host_and_port(text: &str, default_port: Option<u16>) -> Option<(String, u16)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, rest)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if host.is_empty() || !(is_name || text.starts_with('[')) {
        return None;
    }
    let port = match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port != 0)?
        }
        None if rest.is_empty() => default_port?,
        _ => return None,
    };
    Some((host.into(), port))
}

/// The port that a service of this name usually has.
pub(super) fn usual_port(name: &str) -> u16 {
    match name.rsplit('.').next().unwrap_or_default() {
        "auth-app" => 9246,
        "auth-basic" => 9146,
        "auth-bearer" => 9148,
        "auth-machine" => 9166,
        "auth-service" => 9199,
        "users" => 9144,
        _ => 9142,
    }
}
