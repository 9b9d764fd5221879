use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, SupportedCipherSuite};

use super::*;
use crate::testing::{Authority, Recorder};
use config::{ClientTls, GrpcClientTls, HttpClientTls};

/// 2030-01-01.
const NOW: Duration = Duration::from_hours(525_960);

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

/// A gRPC server that demands certificates of its clients.
fn files(authority: &Authority) -> ServerFiles {
    let (cert, key) = authority.sign("server", "localhost");
    let (cert, key, client_ca) = (Some(cert), Some(key), Some(authority.path("ca.pem")));
    ServerFiles::of_grpc(&GrpcTls { enabled: true, cert, key, client_ca, ..GrpcTls::default() })
        .expect("TLS is enabled")
}

fn is_same(one: &Arc<Accepting>, other: &Arc<Accepting>) -> bool {
    Arc::ptr_eq(&one.config, &other.config)
}

#[test]
fn expired_certificate_does_not_replace_a_valid_one() {
    let (recorder, _guard) = Recorder::here();
    let authority = Authority::new();
    let tls = ServerTls::new(files(&authority), Clock::manual(now())).expect("reads");
    let valid = tls.current();
    assert!(recorder.values("message").is_empty());
    for years in [(2020, 2029), (2031, 2040)] {
        authority.sign_for("server", "localhost", years);
        tls.reload(true);
        assert!(is_same(&tls.current(), &valid), "{years:?}");
        let message = recorder.values("message").pop().expect("an error is logged");
        assert!(message.contains(GRPC.cert) && message.contains("server.pem"), "{message}");
        assert!(message.ends_with(KEPT), "{message}");
    }
    authority.sign_for("server", "localhost", (2020, 2040));
    tls.reload(true);
    assert!(!is_same(&tls.current(), &valid));
}

#[test]
fn certificate_that_becomes_valid_is_used_then() {
    let authority = Authority::new();
    let clock = Clock::manual(now());
    let tls = ServerTls::new(files(&authority), clock.clone()).expect("reads");
    let former = tls.current();
    authority.sign_for("server", "localhost", (2031, 2040));
    tls.reload(true);
    assert!(is_same(&tls.current(), &former) && tls.is_waiting.load(Ordering::Acquire));
    clock.advance(Duration::from_hours(24 * 366));
    tls.reload(false);
    assert!(!is_same(&tls.current(), &former) && !tls.is_waiting.load(Ordering::Acquire));
}

/// Row D4.
#[test]
fn private_key_that_others_can_read_is_not_used() {
    let (recorder, _guard) = Recorder::here();
    let authority = Authority::new();
    let tls = ServerTls::new(files(&authority), Clock::manual(now())).expect("reads");
    let former = tls.current();
    let files = files(&authority);
    fs::set_permissions(authority.path("server.key"), fs::Permissions::from_mode(0o644)).expect("sets the mode");
    tls.reload(true);
    assert!(is_same(&tls.current(), &former));
    let message = recorder.values("message").pop().expect("an error is logged");
    assert!(message.contains(GRPC.key) && message.contains("(mode 0644)") && message.ends_with(KEPT), "{message}");
    let refused = ServerTls::new(files, Clock::manual(now())).expect_err("is refused").to_string();
    assert!(refused.contains("server.key, which other accounts of this machine can read"), "{refused}");

    let (cert, key) = authority.sign("client", "spiffe://doorward.test/client");
    fs::set_permissions(key.path(), fs::Permissions::from_mode(0o644)).expect("sets the mode");
    let own = GrpcClientTls { mode: "on".into(), cert: Some(cert), key: Some(key), ..GrpcClientTls::default() };
    let refused = client(&own, ClientTls::On).expect_err("is refused").to_string();
    assert!(refused.starts_with("OCIS_GRPC_CLIENT_TLS_KEY names the file"), "{refused}");
}

#[test]
fn expired_certificate_is_replaced_and_reported_at_the_start() {
    let (recorder, _guard) = Recorder::here();
    let authority = Authority::new();
    let files = files(&authority);
    authority.sign_for("server", "localhost", (2020, 2028));
    let tls = ServerTls::new(files, Clock::manual(now())).expect("an expired certificate is no reason not to start");
    assert!(recorder.has("server.pem, whose certificate is expired or not valid yet"));
    let expired = tls.current();
    authority.sign_for("server", "localhost", (2020, 2029));
    tls.reload(true);
    assert!(!is_same(&tls.current(), &expired), "neither is valid, and the newer one is wanted");
}

#[test]
fn useless_client_authorities_do_not_replace_valid_ones() {
    let (recorder, _guard) = Recorder::here();
    let authority = Authority::new();
    let tls = ServerTls::new(files(&authority), Clock::manual(now())).expect("reads");
    let valid = tls.current();
    let (expired, _) = authority.sign_for("expired", "authority.example", (2020, 2029));
    let expired = std::fs::read_to_string(expired).expect("reads");
    for text in ["", "no certificate", &expired] {
        std::fs::write(authority.path("ca.pem"), text).expect("writes");
        tls.reload(true);
        assert!(is_same(&tls.current(), &valid), "{text:?}");
        let message = recorder.values("message").pop().expect("an error is logged");
        assert!(message.contains(GRPC_CLIENT_CA) && message.contains("ca.pem") && message.ends_with(KEPT), "{message}");
    }
    std::fs::remove_file(authority.path("ca.pem")).expect("removes");
    tls.reload(true);
    assert!(is_same(&tls.current(), &valid));
}

#[test]
fn check_reads_certificates_and_returns_those_that_are_not_valid() {
    let authority = Authority::new();
    let files = files(&authority);
    assert!(files.check(now()).expect("can be used").is_none());
    let expired = files.check(UNIX_EPOCH + Duration::from_hours(24 * 365 * 2200)).expect("can be used");
    assert!(expired.is_some_and(|problem| problem.to_string().contains("expired")));
    fs::write(authority.path("server.pem"), "no certificate").expect("writes");
    let error = files.check(now()).expect_err("cannot be used").to_string();
    assert!(error.contains(GRPC.cert) && error.contains("server.pem"), "{error}");
    let temporary = GrpcTls { enabled: true, ..GrpcTls::default() };
    assert!(ServerFiles::of_grpc(&temporary).expect("TLS is enabled").check(now()).expect("has no files").is_none());
}

#[test]
fn validity_is_that_of_the_own_certificate_and_a_temporary_one_has_none() {
    let authority = Authority::new();
    let tls = ServerTls::new(files(&authority), Clock::manual(now())).expect("reads");
    let (from, until) = tls.validity().expect("a certificate");
    assert!(from <= now() && now() <= until);
    authority.sign_for("server", "localhost", (2029, 2031));
    tls.reload(true);
    let replaced = tls.validity().expect("a certificate");
    assert!(replaced != (from, until) && replaced.0 <= now() && now() <= replaced.1);
    let temporary = GrpcTls { enabled: true, ..GrpcTls::default() };
    let temporary = ServerFiles::of_grpc(&temporary).expect("TLS is enabled");
    assert_eq!(ServerTls::new(temporary, Clock::manual(now())).expect("is made").validity(), None);
}

/// Whether a server that asks for certificates by this verifier is shown that of an HTTP client.
async fn is_shown(own: &HttpClientTls, servers: &Authority, verifier: Arc<dyn ClientCertVerifier>) -> bool {
    let (cert, key) = servers.sign("server", "localhost");
    let (chain, key) = (certificates("TEST", &cert).expect("reads"), private_key("TEST", &key).expect("reads"));
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_client_cert_verifier(verifier);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).expect("fits")));
    let config = https_with_certificate("TEST", Some(&servers.path("ca.pem")), false, own).expect("reads");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("localhost").expect("a name");
    let (_near, far) = tokio::try_join!(connector.connect(name, near), acceptor.accept(far)).expect("speak TLS");
    far.get_ref().1.peer_certificates().is_some()
}

/// `docs/security-requirements.md#d42`
#[tokio::test]
async fn certificate_of_an_http_client_is_shown_only_to_servers_that_name_its_authority() {
    let (family, foreign) = (Authority::named("family"), Authority::named("foreign"));
    let (cert, key) = family.sign("edge", "spiffe://doorward/proxy");
    let own = HttpClientTls { cert: Some(cert), key: Some(key) };
    let naming = |authority: &Authority| {
        let roots = Arc::new(authorities("TEST", &authority.path("ca.pem")).expect("reads"));
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated();
        verifier.build().expect("can be used")
    };
    assert!(is_shown(&own, &family, client_verifier("TEST", &family.path("ca.pem")).expect("reads")).await);
    assert!(!is_shown(&own, &foreign, naming(&foreign)).await, "names its own authority");
    assert!(!is_shown(&own, &foreign, Arc::new(AnyCertificate(provider()))).await, "asks for any");
    assert!(is_shown(&own, &foreign, naming(&family)).await, "another server of the operator");
}

/// The version and the cipher suite on which a server agrees with a client that offers only these suites; `None` if there are none.
async fn negotiated(
    config: &Arc<ServerConfig>,
    roots: &Path,
    offered: &[CipherSuite],
) -> Option<(ProtocolVersion, CipherSuite)> {
    let mut offering = CryptoProvider::clone(&provider());
    offering.cipher_suites.retain(|suite| offered.contains(&suite.suite()));
    let client = ClientConfig::builder_with_provider(Arc::new(offering)).with_safe_default_protocol_versions();
    let roots = authorities("TEST", roots).expect("reads");
    let client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("localhost").expect("a name");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(config));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let (near, _far) = tokio::try_join!(connector.connect(name, near), acceptor.accept(far)).ok()?;
    let connection = near.get_ref().1;
    Some((connection.protocol_version()?, connection.negotiated_cipher_suite()?.suite()))
}

/// `docs/security-requirements.md#d60`
#[tokio::test]
async fn servers_take_no_cipher_suite_of_tls_1_2_that_bcp_195_does_not_recommend() {
    let (authority, years) = (Authority::new(), (1975, 4096));
    let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let signed = [authority.sign("ecdsa", "localhost"), authority.sign_key("rsa", "localhost", years, &rsa)];
    let issued = IssuedCertificate::new("TEST", |_| std::future::ready(None));
    let [chain, key] = ["ecdsa.pem", "ecdsa.key"].map(|file| fs::read_to_string(authority.path(file)).expect("reads"));
    issued.put_to_use(&chain, &key, &["localhost".to_owned()]).expect("fits");
    let of_files = signed.map(|(cert, key)| {
        let tls = GrpcTls { enabled: true, cert: Some(cert), key: Some(key), ..GrpcTls::default() };
        ServerFiles::of_grpc(&tls).expect("TLS is enabled").read().expect("reads").config
    });
    let [ecdsa, rsa] = of_files;
    let issued = Arc::clone(&issued.accepting().expect("a certificate").config);
    let roots = authority.path("ca.pem");
    for (kind, config) in [("ECDSA", &ecdsa), ("RSA", &rsa), ("ECDSA", &issued)] {
        let mut accepted = 0;
        for suite in ALL_CIPHER_SUITES.iter().filter(|suite| suite.tls13().is_none()) {
            let name = format!("{:?}", suite.suite());
            let is_recommended = name.starts_with(&format!("TLS_ECDHE_{kind}_WITH_AES_")) && name.contains("_GCM_");
            let expected = is_recommended.then_some((ProtocolVersion::TLSv1_2, suite.suite()));
            assert_eq!(negotiated(config, &roots, &[suite.suite()]).await, expected, "{name} with {kind}");
            accepted += usize::from(is_recommended);
        }
        assert_eq!(accepted, 2, "of {kind}");
        let all: Vec<_> = ALL_CIPHER_SUITES.iter().map(SupportedCipherSuite::suite).collect();
        let (version, _) = negotiated(config, &roots, &all).await.expect("they agree");
        assert_eq!(version, ProtocolVersion::TLSv1_3);
    }
}
