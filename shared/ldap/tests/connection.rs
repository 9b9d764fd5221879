//! TLS, and what happens when the server does not do what it should.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use authn::{Claim, Directory as _, DirectoryError, Groups};
use config::Environment;
use ldap::testing::Slapd;
use ldap::{Binder, Directory, Ldap};
use runtime::Reload;
use secrecy::SecretString;
use status::Kind;

fn directory(config: &Ldap) -> Directory {
    Directory::new(config, &Environment::default(), &Reload::default())
}

async fn look(directory: &Directory) -> Result<(), DirectoryError> {
    directory.user_by_claim(&Claim::Username("einstein".into()), Groups::Include).await.map(drop)
}

async fn kind(directory: &Directory) -> Option<Kind> {
    look(directory).await.err().map(|error| error.kind())
}

#[tokio::test]
async fn tls_with_the_right_authority() {
    let Some(slapd) = Slapd::start() else { return };
    let config = Ldap { uri: slapd.tls_uri(), ca_cert: Some(slapd.ca_file()), ..slapd.config() };
    look(&directory(&config)).await.expect("an answer over TLS");
    let binder = Binder::new(&directory(&config));
    let user = binder.verify("einstein", &SecretString::from("relativity")).await.expect("a verdict over TLS");
    assert!(user.is_some());
}

#[tokio::test]
async fn start_tls_with_the_right_authority() {
    let Some(slapd) = Slapd::start() else { return };
    let config = Ldap { start_tls: true, ca_cert: Some(slapd.ca_file()), ..slapd.config() };
    look(&directory(&config)).await.expect("an answer over StartTLS");
    let stranger = Ldap { ca_cert: None, ..config };
    assert_eq!(kind(&directory(&stranger)).await, Some(Kind::Unavailable));
}

#[tokio::test]
async fn tls_with_an_unknown_authority_is_refused_unless_verification_is_off() {
    let Some(slapd) = Slapd::start() else { return };
    let stranger = Ldap { uri: slapd.tls_uri(), ..slapd.config() };
    assert_eq!(kind(&directory(&stranger)).await, Some(Kind::Unavailable));
    look(&directory(&Ldap { insecure: true, ..stranger.clone() })).await.expect("any certificate will do");
    let other_name = slapd.tls_uri().replace("localhost", "127.0.0.2");
    let misnamed = Ldap { uri: other_name, ca_cert: Some(slapd.ca_file()), ..stranger };
    assert_eq!(kind(&directory(&misnamed)).await, Some(Kind::Unavailable));
}

#[tokio::test]
async fn the_authority_may_appear_later() {
    let Some(slapd) = Slapd::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let directory = directory(&Ldap { uri: slapd.tls_uri(), ca_cert: Some(file.clone()), ..slapd.config() });
    assert_eq!(kind(&directory).await, Some(Kind::Unavailable));
    std::fs::write(&file, "no certificate").expect("a file");
    assert_eq!(kind(&directory).await, Some(Kind::Unavailable));
    std::fs::copy(slapd.ca_file(), &file).expect("the authority");
    look(&directory).await.expect("now it is there");
}

#[tokio::test]
async fn a_neighbours_authority_is_found_in_the_data_folder() {
    let Some(slapd) = Slapd::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(data.path().join("idm")).expect("a folder");
    std::fs::copy(slapd.ca_file(), data.path().join("idm/ldap.crt")).expect("the authority");
    let environment = Environment::from([("OCIS_BASE_DATA_PATH", data.path().display().to_string())]);
    let config = Ldap { uri: slapd.tls_uri(), ..slapd.config() };
    look(&Directory::new(&config, &environment, &Reload::default())).await.expect("an answer over TLS");
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let Some(mut slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    look(&directory).await.expect("an answer");
    slapd.stop();
    assert_eq!(kind(&directory).await, Some(Kind::Unavailable));
    slapd.restart();
    look(&directory).await.expect("an answer again");
    // without anybody noticing in between
    slapd.restart();
    look(&directory).await.expect("a kept connection that broke is replaced");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    look(&directory).await.expect("an answer");
    slapd.freeze();
    let begin = Instant::now();
    assert_eq!(kind(&directory).await, Some(Kind::Unavailable));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    let outcome = Binder::new(&directory).verify("einstein", &SecretString::from("relativity")).await;
    assert_eq!(outcome.expect_err("no verdict").kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_port_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("ldap://{}", silent.local_addr().expect("its address"));
    let begin = Instant::now();
    assert_eq!(
        kind(&directory(&Ldap { uri, bind_password: "x".into(), ..Ldap::default() })).await,
        Some(Kind::Unavailable)
    );
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// Answers a TLS handshake as a server that speaks TLS 1.1 does, and returns what the client has sent after that.
fn answer_with_tls_1_1(listener: &TcpListener) -> Vec<u8> {
    let (mut connection, _) = listener.accept().expect("a connection");
    connection.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut hello = [0; 16 * 1024];
    assert!(connection.read(&mut hello).expect("a ClientHello") > 0);
    // a record of a handshake (22) with a ServerHello (2): version 3.2, random, no session, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
    let record = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    connection.write_all(&record).expect("is sent");
    let mut rest = Vec::new();
    // the client may close the connection with bytes unread
    let _ = connection.read_to_end(&mut rest);
    rest
}

#[tokio::test]
async fn server_that_answers_with_tls_1_1_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("ldaps://{}", listener.local_addr().expect("its address"));
    let server = tokio::task::spawn_blocking(move || answer_with_tls_1_1(&listener));
    let config = Ldap { uri, insecure: true, bind_password: "x".into(), ..Ldap::default() };
    look(&directory(&config)).await.expect_err("no connection");
    let sent = server.await.expect("the server ends");
    // a fatal alert (2) `protocol_version` (70), RFC 5246 7.2
    assert!(sent.ends_with(&[2, 70]), "{sent:?}");
}

#[tokio::test]
async fn faults_of_the_configuration_are_internal() {
    let Some(slapd) = Slapd::start() else { return };
    let wrong_password = Ldap { bind_password: "wrong".into(), ..slapd.config() };
    assert_eq!(kind(&directory(&wrong_password)).await, Some(Kind::Internal));
    let no_base = Ldap { user_base_dn: "ou=nowhere,dc=example,dc=org".into(), ..slapd.config() };
    assert_eq!(kind(&directory(&no_base)).await, Some(Kind::Internal));
}

/// A server that passes connections on to this address: its own address, and how many connections it has accepted.
async fn counting(address: String) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("its address");
    let accepted = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let address = address.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(address).await.expect("the server accepts");
                // either side may end the connection
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (own, accepted)
}

#[tokio::test]
async fn many_at_once_share_a_few_connections() {
    let Some(slapd) = Slapd::start() else { return };
    let (address, accepted) = counting(slapd.uri().replace("ldap://", "")).await;
    let directory = directory(&Ldap { uri: format!("ldap://{address}"), ..slapd.config() });
    let lookups: Vec<_> = (0..200)
        .map(|_| {
            let directory = directory.clone();
            tokio::spawn(async move { look(&directory).await })
        })
        .collect();
    for lookup in lookups {
        lookup.await.expect("the task ends").expect("an answer");
    }
    let connections = accepted.load(Ordering::SeqCst);
    assert!((2..=8).contains(&connections), "{connections} connections for 200 lookups at once");
}
