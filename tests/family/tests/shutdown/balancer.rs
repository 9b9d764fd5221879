//! A load balancer: it polls `/readyz`, keeps connections alive, and retries a request only where a kept connection was closed
//! before any answer.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The time between two requests for `/readyz`.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const READYZ: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct Replica {
    http: SocketAddr,
    debug: SocketAddr,
    is_ready: AtomicBool,
    idle: Mutex<Vec<TcpStream>>,
}

pub(crate) struct Balancer {
    replicas: Vec<Replica>,
    next: AtomicUsize,
}

impl Balancer {
    /// A balancer of replicas, each with its HTTP and its debug address. None is ready before its first check.
    pub(crate) fn new(addresses: impl IntoIterator<Item = (SocketAddr, SocketAddr)>) -> Self {
        let replica = |(http, debug)| Replica { http, debug, is_ready: AtomicBool::new(false), idle: Mutex::default() };
        Self { replicas: addresses.into_iter().map(replica).collect(), next: AtomicUsize::new(0) }
    }

    /// Polls `/readyz` of every replica until it is dropped.
    pub(crate) async fn poll(&self) {
        loop {
            for replica in &self.replicas {
                let answer = tokio::time::timeout(Duration::from_secs(1), exchange_once(replica.debug, READYZ)).await;
                replica.is_ready.store(matches!(answer, Ok(Ok(200))), Ordering::Release);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns when the replica at this place is ready.
    pub(crate) async fn wait_until_ready(&self, place: usize) {
        while !self.replicas[place].is_ready.load(Ordering::Acquire) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The status with which a ready replica answers a request.
    pub(crate) async fn send(&self, request: &[u8]) -> io::Result<u16> {
        loop {
            let replica = self.ready().ok_or_else(|| io::Error::other("no replica is ready"))?;
            let kept = replica.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let is_kept = kept.is_some();
            let mut stream = match kept {
                Some(stream) => stream,
                None => TcpStream::connect(replica.http).await?,
            };
            match exchange(&mut stream, request).await {
                Ok((status, keeps_alive)) => {
                    if keeps_alive {
                        replica.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
                    }
                    return Ok(status);
                }
                Err(Failure::Closed) if is_kept => {}
                Err(Failure::Closed) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Failure::Broken(error)) => return Err(error),
            }
        }
    }

    /// The replicas take turns.
    fn ready(&self) -> Option<&Replica> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let mut places = (0..self.replicas.len()).map(|at| &self.replicas[(start + at) % self.replicas.len()]);
        places.find(|replica| replica.is_ready.load(Ordering::Acquire))
    }
}

/// Why there is no answer.
enum Failure {
    /// The connection was closed before the first byte of it.
    Closed,
    Broken(io::Error),
}

async fn exchange_once(address: SocketAddr, request: &[u8]) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    match exchange(&mut stream, request).await {
        Ok((status, _)) => Ok(status),
        Err(Failure::Closed) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(Failure::Broken(error)) => Err(error),
    }
}

/// Sends a request and reads the whole answer: its status, and whether the connection can be used again.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<(u16, bool), Failure> {
    stream.write_all(request).await.map_err(|_| Failure::Closed)?;
    let mut answer = Vec::new();
    let head = loop {
        match stream.read_buf(&mut answer).await {
            Ok(0) | Err(_) if answer.is_empty() => return Err(Failure::Closed),
            Ok(0) => return Err(Failure::Broken(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) => return Err(Failure::Broken(error)),
        }
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let malformed = || Failure::Broken(io::Error::new(io::ErrorKind::InvalidData, text.clone()));
    let status = text.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|value| value.parse().ok());
    let length: usize = length.ok_or_else(malformed)?;
    let mut rest = vec![0; (head + length).saturating_sub(answer.len())];
    stream.read_exact(&mut rest).await.map_err(Failure::Broken)?;
    Ok((status, !text.contains("connection: close")))
}
