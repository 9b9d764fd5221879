//! `health`: asks a running service whether it is ready.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use authn::BoxError;
use config::ListenAddr;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::tls;

const PATIENCE: Duration = Duration::from_secs(3);
/// With HTTP/1.0 the answer ends with the connection.
const QUESTION: &[u8] = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n";

/// Fails unless `/readyz` of the debug server at this address answers 200.
pub(super) fn run(addr: &ListenAddr, has_tls: bool) -> Result<(), BoxError> {
    let answer = match addr {
        ListenAddr::Off => return Err("the debug server is off, so its health cannot be asked for".into()),
        ListenAddr::Tcp { host, port } => connect(host, *port).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            ask_by(stream, has_tls)
        }),
        ListenAddr::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            ask_by(stream, has_tls)
        }),
    };
    let answer = answer.map_err(|problem| format!("no answer from {addr}: {problem}"))?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("{addr} is not ready: {}", body(&answer).unwrap_or(status)).into()),
    }
}

/// What the debug server says of the checks that fail.
fn body(answer: &str) -> Option<&str> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    body.trim().strip_prefix("not ready: ").filter(|failing| !failing.is_empty())
}

/// A server that listens everywhere listens on this machine too.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let host = match host {
        "" | "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let mut problem = io::Error::from(io::ErrorKind::NotFound);
    for addr in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

fn ask_by(stream: impl Read + Write, has_tls: bool) -> io::Result<String> {
    if has_tls { ask(encrypted(stream)?) } else { ask(stream) }
}

/// The certificate is not verified: it is for the names by which other machines reach the server, and neither the question nor the
/// answer is a secret.
fn encrypted<T: Read + Write>(stream: T) -> io::Result<StreamOwned<ClientConnection, T>> {
    let config = tls::https("OCIS_DEBUG_TLS_ENABLED", None, true).map_err(io::Error::other)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(QUESTION)?;
    let mut answer = Vec::new();
    match stream.take(4096).read_to_end(&mut answer) {
        // a server may end a TLS connection without saying so; the status line is there all the same
        Err(problem) if problem.kind() != io::ErrorKind::UnexpectedEof => Err(problem),
        Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}
