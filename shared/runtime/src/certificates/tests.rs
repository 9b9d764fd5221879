use std::time::UNIX_EPOCH;

use super::*;
use crate::Context;
use crate::client::channel;
use crate::testing::{Authority, Recorder, Sections, context, echoing};
use config::{GrpcClientTls, GrpcTls};

/// 2031-12-22, ten days before the certificates of these tests expire.
fn begin() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(24 * (22_645 - 10))
}

/// A context of which the clock is moved, and a client certificate that expires on 2032-01-01.
fn world() -> (Context, Authority, GrpcClientTls) {
    let (authority, clock) = (Authority::new(), Clock::manual(begin()));
    let (cert, key) = authority.sign_for("client", "spiffe://doorward/gateway", (2020, 2032));
    let cacert = Some(authority.path("ca.pem"));
    let tls = GrpcClientTls { mode: "on".into(), cacert, cert: Some(cert), key: Some(key) };
    (Context { clock, ..context() }, authority, tls)
}

/// `docs/security-requirements.md#d41`
#[tokio::test]
async fn client_certificate_is_reported_daily_before_and_after_its_end() {
    let (recorder, _guard) = Recorder::here();
    let (context, _authority, tls) = world();
    let channels = ["127.0.0.1:1", "127.0.0.1:2"].map(|peer| channel(peer, &tls, &context).expect("a channel"));
    let reports = || {
        let all = recorder.values("message");
        all.into_iter().filter(|line| line.starts_with("OCIS_GRPC_CLIENT_TLS_CERTIFICATE")).collect::<Vec<_>>()
    };
    let check = |days| {
        context.clock.advance(DAY * days);
        context.certificates.check(context.clock.now());
        reports()
    };
    assert!(check(0).is_empty(), "it is valid for ten days");
    assert!(check(4).iter().all(|line| line.contains("client.pem") && line.contains("within 7 days")));
    assert_eq!((reports().len(), check(1).len()), (1, 2), "once a day, whatever the number of clients");
    assert!(check(6).last().is_some_and(|line| line.contains("has expired")), "{:?}", reports());

    // what begins to use it later is reported as well, once
    let late = Context { certificates: CertificatesInUse::default(), ..context.clone() };
    let _channel = channel("127.0.0.1:1", &tls, &late).expect("a channel");
    assert_eq!(reports().len(), 4);
    drop(channels);
}

/// `docs/security-requirements.md#d41`
#[tokio::test]
async fn certificates_of_clients_servers_and_authorities_have_a_metric() {
    let (context, authority, tls) = world();
    let _channel = channel("127.0.0.1:1", &tls, &context).expect("a channel");
    let (cert, key) = authority.sign_for("server", "localhost", (2020, 2033));
    let mut sections = Sections::default();
    sections.grpc.tls = GrpcTls { enabled: true, cert: Some(cert), key: Some(key), ..GrpcTls::default() };
    let running = sections.serve(echoing(), &context).await.expect("starts");
    let metrics = context.metrics.render();
    let value = |setting: &str, file: &str| {
        let file = authority.path(file).display().to_string();
        let name = format!("doorward_certificate_file_remaining_seconds{{setting=\"{setting}\",file=\"{file}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name)).map(str::parse::<f64>);
        line.unwrap_or_else(|| panic!("{name} in {metrics}")).expect("a number")
    };
    let days = |days: u32| f64::from(days * 24 * 60 * 60);
    assert!((value("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", "client.pem") - days(10)).abs() < 1.0);
    assert!((value("OCIS_GRPC_TLS_CERTIFICATE", "server.pem") - days(376)).abs() < 1.0);
    assert!(value("OCIS_GRPC_CLIENT_TLS_CACERT", "ca.pem") > days(1000));
    running.stop().await;
}

#[test]
fn certificate_of_what_has_ended_is_neither_reported_nor_measured() {
    let (recorder, _guard) = Recorder::here();
    let context = Context { clock: Clock::manual(begin()), ..context() };
    let user = Arc::new(CertificateExpiry { setting: "TEST", file: "test.pem".into(), until: begin() + DAY * 10 });
    let weak = Arc::downgrade(&user);
    context.certificates.add(move || Some(vec![(*weak.upgrade()?).clone()]), &context);
    assert!(context.metrics.render().contains("test.pem"));
    drop(user);
    context.clock.advance(DAY * 30);
    context.certificates.check(context.clock.now());
    assert!(!context.metrics.render().contains("test.pem") && recorder.values("message").is_empty());
}
