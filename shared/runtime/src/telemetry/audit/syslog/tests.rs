//! Lines arrive at a syslog server, whatever it listens at.

use std::time::UNIX_EPOCH;

use tokio::io::AsyncRead;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::testing::Authority;
use config::PrivateKeyFile;

const LINE: &str =
    r#"{"timestamp":"2026-11-29T21:00:00.123456Z","level":"WARN","event":"sign_in","outcome":"failure"}"#;

fn line() -> Line {
    Line { at: UNIX_EPOCH, json: format!("{LINE}\n").into() }
}

fn syslog(address: &str, cacert: Option<std::path::PathBuf>) -> Syslog {
    let audit = Audit { syslog: address.into(), syslog_cacert: cacert, ..Audit::default() };
    Syslog::of("auth app", &audit).expect("settings").expect("a server")
}

/// The end of the message of the line: without the name of this machine.
fn expected() -> String {
    format!(" authapp {} sign_in - {LINE}", std::process::id())
}

fn assert_message(message: &[u8]) {
    let message = str::from_utf8(message).expect("UTF-8");
    assert!(message.starts_with("<84>1 2026-11-29T21:00:00.123456Z "), "{message}");
    assert!(message.ends_with(&expected()), "{message}");
    let words: Vec<_> = message.splitn(8, ' ').collect();
    assert_eq!((words[3], words[5], words[6], words[7]), ("authapp", "sign_in", "-", LINE), "{message}");
}

/// Reads a message and the number of its bytes before it.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut length = String::new();
    loop {
        match stream.read_u8().await.expect("a byte") {
            b' ' => break,
            digit => length.push(digit.into()),
        }
    }
    let mut message = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut message).await.expect("a message");
    message
}

async fn deliver(syslog: &mut Syslog, count: usize) -> Delivered {
    syslog.deliver(&vec![line(); count]).await
}

#[tokio::test]
async fn lines_arrive_as_datagrams() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let unix = UnixDatagram::bind(&path).expect("binds");
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let udp_address = format!("udp://{}", udp.local_addr().expect("an address"));
    let mut buffer = [0; 2048];
    for address in [path.to_str().expect("UTF-8"), &udp_address] {
        let mut syslog = syslog(address, None);
        assert_eq!(deliver(&mut syslog, 1).await, Delivered { done: 1, ..Delivered::default() });
        let length = if address.starts_with('/') { unix.recv(&mut buffer).await } else { udp.recv(&mut buffer).await };
        assert_message(&buffer[..length.expect("a message")]);
    }
}

#[tokio::test]
async fn line_longer_than_a_datagram_is_refused_and_the_next_one_is_sent() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let mut syslog = syslog(&format!("udp://{}", udp.local_addr().expect("an address")), None);
    let long = Line { at: UNIX_EPOCH, json: vec![b'x'; 70_000].into() };
    let delivered = syslog.deliver(&[long, line()]).await;
    assert_eq!((delivered.done, delivered.refused), (2, 1));
    let mut buffer = [0; 2048];
    let length = udp.recv(&mut buffer).await.expect("a message");
    assert_message(&buffer[..length]);
}

#[tokio::test]
async fn lines_arrive_over_tcp_and_again_after_the_server_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut syslog = syslog(&format!("tcp://{}", listener.local_addr().expect("an address")), None);
    assert_eq!(deliver(&mut syslog, 2).await.done, 2);
    let (mut stream, _) = listener.accept().await.expect("a connection");
    assert_message(&read_frame(&mut stream).await);
    assert_message(&read_frame(&mut stream).await);
    drop(stream);
    // the end of the connection may take a moment to arrive
    let Some(Connection::Stream(connection)) = &mut syslog.connection else { panic!("it is connected") };
    assert_eq!(connection.read(&mut [0]).await.expect("the end"), 0);
    assert_eq!(deliver(&mut syslog, 1).await.done, 1);
    let (mut stream, _) = listener.accept().await.expect("another connection");
    assert_message(&read_frame(&mut stream).await);
}

#[tokio::test]
async fn lines_wait_while_the_server_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let missing = tempfile::tempdir().expect("a folder").path().join("log");
    for address in [format!("tcp://{address}"), missing.display().to_string()] {
        let delivered = deliver(&mut syslog(&address, None), 3).await;
        assert!((delivered.done, delivered.refused) == (0, 0) && delivered.problem.is_some(), "{delivered:?}");
    }
}

/// `docs/security-requirements.md#t1`
#[tokio::test]
async fn lines_go_over_tls_to_a_server_with_a_certificate_of_the_authority_alone() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("syslog", "localhost");
    let acceptor = acceptor(&certificate, &key);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let server = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        let Ok(mut stream) = acceptor.accept(stream).await else { return None };
        let message = read_frame(&mut stream).await;
        Some(message)
    };
    let address = format!("tls://localhost:{port}");
    let mut trusting = syslog(&address, Some(authority.path("ca.pem")));
    let (received, delivered) = tokio::join!(server, deliver(&mut trusting, 1));
    assert_eq!(delivered.done, 1);
    assert_message(&received.expect("a message"));

    let server = async {
        let (stream, _) = listener.accept().await.expect("a connection");
        acceptor.accept(stream).await.is_err()
    };
    let mut other = syslog(&address, Some(Authority::new().path("ca.pem")));
    let (is_refused, delivered) = tokio::join!(server, deliver(&mut other, 1));
    assert!(is_refused && delivered.done == 0 && delivered.problem.is_some(), "{delivered:?}");
}

/// `docs/security-requirements.md#t6`
#[tokio::test]
async fn changed_authorities_are_used_for_the_next_connection() {
    let (former, next) = (Authority::new(), Authority::new());
    let trusted = former.path("trusted.pem");
    fs::copy(former.path("ca.pem"), &trusted).expect("copies");
    let (certificate, key) = next.sign("syslog", "localhost");
    let acceptor = acceptor(&certificate, &key);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let receive = async || {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = acceptor.accept(stream).await.ok()?;
        Some(read_frame(&mut stream).await)
    };
    let mut client = syslog(&format!("tls://localhost:{port}"), Some(trusted.clone()));
    let (received, delivered) = tokio::join!(receive(), deliver(&mut client, 1));
    assert!(received.is_none() && delivered.done == 0, "the authority is another one: {delivered:?}");

    fs::copy(next.path("ca.pem"), &trusted).expect("copies");
    let (received, delivered) = tokio::join!(receive(), deliver(&mut client, 1));
    assert!(received.is_some() && delivered.done == 1, "{delivered:?}");

    fs::write(&trusted, "no certificate").expect("writes");
    client.connection = None;
    let (received, delivered) = tokio::join!(receive(), deliver(&mut client, 1));
    assert!(received.is_some() && delivered.done == 1, "what was read before stays in use: {delivered:?}");
}

fn acceptor(certificate: &std::path::Path, key: &PrivateKeyFile) -> TlsAcceptor {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let builder = rustls::ServerConfig::builder_with_provider(tls::provider());
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(key.path()).expect("a key");
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).expect("fits")))
}

#[test]
fn header_has_only_what_it_may_have() {
    let header = |line: &str| String::from_utf8(message("host auth 1", line.as_bytes())).expect("UTF-8");
    assert_eq!(header("no JSON"), "<86>1 - host auth 1 - - no JSON");
    let long = format!(r#"{{"level":"INFO","event":"a b\n{}"}}"#, "x".repeat(40));
    assert_eq!(header(&long), format!("<86>1 - host auth 1 ab{} - {long}", "x".repeat(30)));
}
