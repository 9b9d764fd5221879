//! Where the audit log goes besides the log, and how its file is rotated.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Section};

/// The port of syslog over UDP (RFC 5426).
const UDP_PORT: u16 = 514;
/// The port of syslog over TCP (RFC 6587).
const TCP_PORT: u16 = 601;
/// The port of syslog over TLS (RFC 5425).
const TLS_PORT: u16 = 6514;
/// More files than this are a mistake: each rotation renames all of them.
const MOST_FILES: u32 = 1000;
/// A smaller file would be rotated with every few lines.
const LEAST_SIZE: u64 = 4096;

/// `log.audit`: how the file of the audit log is rotated, and where else its lines go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// The size in bytes that the file of the audit log does not exceed: before a line that would, it is renamed to one with
    /// '.1' appended, that one to '.2', and so on. Defaults to 0: the size does not matter.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_MAX_SIZE", "<P>_AUDIT_LOG_MAX_SIZE"]))]
    pub max_size: u64,
    /// The age from which the file of the audit log is renamed in the same way, before the next line. Defaults to 0: the age
    /// does not matter.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_MAX_AGE", "<P>_AUDIT_LOG_MAX_AGE"]))]
    pub max_age: Duration,
    /// How many renamed files of the audit log are kept, from 1 to 1000. The oldest one is removed.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_MAX_FILES", "<P>_AUDIT_LOG_MAX_FILES"], "default" = 10))]
    pub max_files: u32,
    /// Writes the lines of the audit log to the standard output.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_STDOUT", "<P>_AUDIT_LOG_STDOUT"]))]
    pub stdout: bool,
    /// A syslog server that gets the lines of the audit log too (RFC 5424): the path of a socket like '/dev/log', or
    /// `udp://host:514`, `tcp://host:601` or `tls://host:6514`; these ports are used where none is given.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_SYSLOG", "<P>_AUDIT_LOG_SYSLOG"]))]
    pub syslog: String,
    /// Path/File name for the root CA certificate (in PEM format) used to validate the certificate of a syslog server.
    /// If empty, the authorities of the system are used.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_SYSLOG_CACERT", "<P>_AUDIT_LOG_SYSLOG_CACERT"]))]
    pub syslog_cacert: Option<PathBuf>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            max_size: 0,
            max_age: Duration::ZERO,
            max_files: 10,
            stdout: false,
            syslog: String::new(),
            syslog_cacert: None,
        }
    }
}

/// Where a syslog server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A Unix socket for datagrams.
    Unix(PathBuf),
    /// A UDP port.
    Udp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A TCP port.
    Tcp {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A TCP port where TLS is spoken.
    Tls {
        /// A name or an IP address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Audit {
    /// The syslog server, if there is one.
    ///
    /// # Errors
    /// When the setting holds no address.
    pub fn syslog_address(&self) -> Result<Option<SyslogAddress>, Invalid> {
        if self.syslog.is_empty() {
            return Ok(None);
        }
        let problem =
            "must be the path of a socket, or udp://host, tcp://host or tls://host, each with or without a port";
        parse(&self.syslog).map(Some).ok_or_else(|| Invalid::new("syslog", problem))
    }
}

fn parse(text: &str) -> Option<SyslogAddress> {
    if text.starts_with('/') {
        return Some(SyslogAddress::Unix(text.into()));
    }
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        "unix" => rest.starts_with('/').then(|| SyslogAddress::Unix(rest.into())),
        "udp" => host_and_port(rest, UDP_PORT).map(|(host, port)| SyslogAddress::Udp { host, port }),
        "tcp" => host_and_port(rest, TCP_PORT).map(|(host, port)| SyslogAddress::Tcp { host, port }),
        "tls" => host_and_port(rest, TLS_PORT).map(|(host, port)| SyslogAddress::Tls { host, port }),
        _ => None,
    }
}

fn host_and_port(text: &str, default: u16) -> Option<(String, u16)> {
    let authority: http::uri::Authority = text.parse().ok()?;
    let port = match authority.port() {
        Some(port) => port.as_str().parse().ok()?,
        // a colon without digits
        None if text.ends_with(':') => return None,
        None => default,
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_host = !host.is_empty() && !text.contains('@') && port != 0;
    is_host.then(|| (host.to_owned(), port))
}

impl Section for Audit {
    fn validate(&self) -> Result<(), Invalid> {
        let has_files = (1..=MOST_FILES).contains(&self.max_files);
        Invalid::unless(has_files, "max_files", &format!("must be from 1 to {MOST_FILES}"))?;
        let has_size = self.max_size == 0 || self.max_size >= LEAST_SIZE;
        Invalid::unless(has_size, "max_size", &format!("must be 0 or at least {LEAST_SIZE} (bytes)"))?;
        self.syslog_address().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(syslog: &str) -> Option<SyslogAddress> {
        Audit { syslog: syslog.into(), ..Audit::default() }.syslog_address().ok().flatten()
    }

    #[test]
    fn syslog_address_has_the_port_of_its_transport() {
        assert_eq!(address(""), None);
        assert_eq!(address("/dev/log"), Some(SyslogAddress::Unix("/dev/log".into())));
        assert_eq!(address("unix:///run/log"), Some(SyslogAddress::Unix("/run/log".into())));
        assert_eq!(address("udp://a"), Some(SyslogAddress::Udp { host: "a".into(), port: 514 }));
        assert_eq!(address("tcp://a:1"), Some(SyslogAddress::Tcp { host: "a".into(), port: 1 }));
        assert_eq!(address("tls://[::1]"), Some(SyslogAddress::Tls { host: "::1".into(), port: 6514 }));
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for syslog in ["dev/log", "log:514", "http://a", "tcp://", "tcp://a:", "tcp://a:0", "udp://u@a", "unix://a"] {
            let problem = Audit { syslog: syslog.into(), ..Audit::default() }.validate().expect_err(syslog);
            assert_eq!(problem.key, "syslog", "{syslog}");
        }
        let of = |audit: Audit| audit.validate().expect_err("is refused").key;
        assert_eq!(of(Audit { max_files: 0, ..Audit::default() }), "max_files");
        assert_eq!(of(Audit { max_size: 1, ..Audit::default() }), "max_size");
        Audit { max_size: LEAST_SIZE, ..Audit::default() }.validate().expect("is valid");
    }
}
