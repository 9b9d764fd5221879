//! The address of the client behind proxies (`docs/security-requirements.md#e3`), over HTTP, against the running service.

use std::time::Duration;

use reqwest::Client;
use runtime::Running;
use serde_json::json;
use tempfile::TempDir;

use crate::support;

/// The service where one address may register one client a minute.
async fn start(trusted: &str) -> (Running, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let variables = [
        ("IDP_ALLOW_DYNAMIC_CLIENT_REGISTRATION", "true".to_owned()),
        ("IDP_ALLOW_OPEN_CLIENT_REGISTRATION", "true".to_owned()),
        ("IDP_REGISTRATIONS_PER_MINUTE", "1".to_owned()),
        ("IDP_TRUSTED_PROXIES", trusted.to_owned()),
    ];
    (support::start(folder.path(), &variables).await, folder)
}

/// The status of the response to a registration that a proxy forwards for this address.
async fn register(running: &Running, forwarded_for: &str) -> u16 {
    let url = format!("http://{}/konnect/v1/register", running.http.expect("is served"));
    let metadata = json!({ "redirect_uris": ["https://app.example/back"] }).to_string();
    let program = Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
    let request = program.post(url).header("content-type", "application/json");
    let request = request.header("x-forwarded-for", forwarded_for).body(metadata);
    request.send().await.expect("is answered").status().as_u16()
}

/// Row E3.
#[tokio::test]
async fn each_client_behind_a_trusted_proxy_has_its_own_limit() {
    let (running, _folder) = start("10.0.0.0/8, 127.0.0.1").await;
    assert_eq!(register(&running, "192.0.2.1").await, 201);
    assert_eq!(register(&running, "192.0.2.1").await, 429);
    assert_eq!(register(&running, "192.0.2.2").await, 201);
    assert_eq!(
        register(&running, "203.0.113.9, 192.0.2.2, 10.1.2.3").await,
        429,
        "an address from the client is ignored"
    );
    running.stop().await;
}

/// Row E3.
#[tokio::test]
async fn forwarded_addresses_are_ignored_without_a_trusted_proxy() {
    for trusted in ["", "10.0.0.0/8"] {
        let (running, _folder) = start(trusted).await;
        assert_eq!(register(&running, "192.0.2.1").await, 201);
        assert_eq!(register(&running, "192.0.2.2").await, 429, "both are of this machine: {trusted}");
        running.stop().await;
    }
}
