//! Requests that the edge has accepted when its process is stopped.

use std::time::Duration;

use axum::http::StatusCode;
use testkit::{Layout, Mode, TestFamily, USERS};

/// `doorward server` gets SIGTERM while the edge verifies passwords for requests that it then passes on to auth-app, another
/// service of the same process: all are answered.
#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_at_sigterm_reach_services_of_the_same_process() {
    let mut layout = Layout::new("shutdown-in-flight", false);
    layout.set("PROXY_TLS", "false");
    layout.set("PROXY_ENABLE_BASIC_AUTH", "true");
    // so that verifying takes long enough to be interrupted
    layout.set("AUTH_BASIC_ARGON2_MEMORY", "65536");
    layout.set("AUTH_BASIC_ARGON2_ITERATIONS", "2");
    let url = format!("http://{}/auth-app/tokens", layout.variables()["PROXY_HTTP_ADDR"]);
    let password = layout.password.clone();
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;

    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let send = |login: &str| tokio::spawn(client.get(&url).basic_auth(login, Some(&password)).send());
    let requests: Vec<_> = USERS.iter().map(|user| send(user.login)).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(requests.iter().all(|request| !request.is_finished()), "the requests are in flight at SIGTERM");
    assert_eq!(family.stop().await, [0]);
    for request in requests {
        let response = request.await.expect("no panic").expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
    }
}
