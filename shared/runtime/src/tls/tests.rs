use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::testing::{Authority, Recorder};

/// 2030-01-01.
const NOW: Duration = Duration::from_hours(525_960);

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

/// A gRPC server that demands certificates of its clients.
fn files(authority: &Authority) -> ServerFiles {
    let (cert, key) = authority.sign("server", "localhost");
    let (cert, key, client_ca) = (Some(cert), Some(key), Some(authority.path("ca.pem")));
    ServerFiles::of_grpc(&GrpcTls { enabled: true, cert, key, client_ca }).expect("TLS is enabled")
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
