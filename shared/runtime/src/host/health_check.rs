//! `health`: asks a running service whether it is ready.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use authn::BoxError;
use config::ListenAddr;

const PATIENCE: Duration = Duration::from_secs(3);
/// With HTTP/1.0 the answer ends with the connection.
const QUESTION: &[u8] = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n";

/// Fails unless `/readyz` of the debug server at this address answers 200.
pub(super) fn run(addr: &ListenAddr) -> Result<(), BoxError> {
    let answer = match addr {
        ListenAddr::Off => return Err("the debug server is off, so its health cannot be asked for".into()),
        ListenAddr::Tcp { host, port } => connect(host, *port).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream)
        }),
        ListenAddr::Unix(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            ask(stream)
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

fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(QUESTION)?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}
