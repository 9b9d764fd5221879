//! Lines of the audit log as syslog messages: RFC 5424 over a Unix socket, UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustix::io::Errno;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::delivery::{Delivered, Destination};
use super::{Line, TelemetryError};
use crate::tls;
use config::{Audit, SyslogAddress};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a message may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The facility of messages about security and authorization that not everyone may read: `authpriv`.
const FACILITY: u8 = 10;
/// The longest name of a host, a program and a kind of message (RFC 5424 section 6).
const MAX_NAMES: (usize, usize, usize) = (255, 48, 32);
/// Where the kernel tells the name of the host.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// The setting of the authorities of a server.
pub(in crate::telemetry) const CACERT: &str = "OCIS_AUDIT_LOG_SYSLOG_CACERT";

/// A syslog server, and the connection to it while there is one.
pub(super) struct Syslog {
    address: SyslogAddress,
    tls: Option<Arc<ClientConfig>>,
    /// The name of the host, that of the program, and the number of the process.
    sender: String,
    connection: Option<Connection>,
}

enum Connection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Stream(Box<Stream>),
}

/// A connection without TLS, or with it.
type Stream = Either<TcpStream, TlsStream<TcpStream>>;

impl Syslog {
    /// The server that the settings name, if there is one.
    pub(super) fn of(program: &str, audit: &Audit) -> Result<Option<Self>, TelemetryError> {
        let address = audit.syslog_address().map_err(TelemetryError::Audit)?;
        let Some(address) = address else { return Ok(None) };
        let tls = match &address {
            SyslogAddress::Tls { .. } => Some(Arc::new(tls::https_rereading(CACERT, audit.syslog_cacert.as_deref())?)),
            SyslogAddress::Unix(_) | SyslogAddress::Udp { .. } | SyslogAddress::Tcp { .. } => None,
        };
        // a header without the name of the host is allowed
        let host = fs::read_to_string(HOST_NAME).unwrap_or_default();
        let (host, program) = (name(&host, MAX_NAMES.0), name(program, MAX_NAMES.1));
        let sender = format!("{host} {program} {}", std::process::id());
        Ok(Some(Self { address, tls, sender, connection: None }))
    }

    async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let Some(Connection::Stream(stream)) = &mut self.connection
            && is_closed(stream)
        {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(timeout(CONNECT_TIMEOUT, connect(&self.address, self.tls.as_ref())).await??),
        };
        timeout(WRITE_TIMEOUT, connection.write(message)).await?
    }
}

impl Connection {
    async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message).await.map(drop),
            Self::Udp(socket) => socket.send(message).await.map(drop),
            Self::Stream(stream) => {
                // octet counting: a message may have any byte
                let frame = [format!("{} ", message.len()).as_bytes(), message].concat();
                stream.write_all(&frame).await?;
                stream.flush().await
            }
        }
    }
}

/// Whether the server has closed the connection. It never sends anything.
fn is_closed(stream: &mut Stream) -> bool {
    let mut ignored = [0; 64];
    matches!(stream.read(&mut ignored).now_or_never(), Some(Ok(0) | Err(_)))
}

async fn connect(address: &SyslogAddress, tls: Option<&Arc<ClientConfig>>) -> io::Result<Connection> {
    match address {
        SyslogAddress::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            Ok(Connection::Unix(socket))
        }
        SyslogAddress::Udp { host, port } => {
            let server = tokio::net::lookup_host((host.as_str(), *port)).await?.next();
            let server = server.ok_or_else(|| io::Error::other("the name has no address"))?;
            let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(server).await?;
            Ok(Connection::Udp(socket))
        }
        SyslogAddress::Tcp { host, port } | SyslogAddress::Tls { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let Some(tls) = tls else { return Ok(Connection::Stream(Box::new(Either::Left(stream)))) };
            let server = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(server, stream).await?;
            Ok(Connection::Stream(Box::new(Either::Right(stream))))
        }
    }
}

impl Destination for Syslog {
    async fn deliver(&mut self, lines: &[Line]) -> Delivered {
        let mut delivered = Delivered::default();
        for line in lines {
            let message = message(&self.sender, line.object());
            match self.send(&message).await {
                Ok(()) => {}
                // another attempt would end in the same way
                Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {
                    delivered.refused += 1;
                    delivered.problem = Some("a line is longer than a datagram".to_owned());
                }
                Err(error) => {
                    self.connection = None;
                    return Delivered { problem: Some(error.to_string()), ..delivered };
                }
            }
            delivered.done += 1;
        }
        delivered
    }
}

/// The message of a line: what a syslog server needs to know of it, and the line itself.
fn message(sender: &str, line: &[u8]) -> Vec<u8> {
    let fields: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    let text = |field: &str| fields.get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
    let severity = match text("level") {
        "ERROR" => 3,
        "WARN" => 4,
        "DEBUG" | "TRACE" => 7,
        _ => 6,
    };
    let priority = FACILITY * 8 + severity;
    let time = if text("timestamp").is_empty() { "-" } else { text("timestamp") };
    let mut message = format!("<{priority}>1 {time} {sender} {} - ", name(text("event"), MAX_NAMES.2)).into_bytes();
    message.extend_from_slice(line);
    message
}

/// A name as a header may have it: printable ASCII of this length at most, `-` if there is none.
fn name(text: &str, longest: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if name.is_empty() { "-".into() } else { name }
}
