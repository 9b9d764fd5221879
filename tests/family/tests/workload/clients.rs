//! Service accounts as clients of the token endpoint.

use std::time::Duration;

use authn::kind;
use runtime::{Clock, Context};
use serde_json::Value;
use status::Kind;
use testkit::{Layout, Mode, SignIn, TestFamily};

use crate::workload::{noted, now, outcome, succeeded, until};

/// Row I81 of `docs/security-requirements.md`: an access token of a service account is accepted where the account is, for five minutes after
/// the account was disabled.
#[tokio::test(flavor = "multi_thread")]
async fn service_account_is_a_client_of_the_token_endpoint() {
    let clock = Clock::manual(now());
    let (family, token) = service_account_as_client("workload-clients", Mode::Inside, &clock).await;
    let accepted = async || outcome(&family, kind::BEARER, "", &token).await;
    clock.advance(Duration::from_secs(299));
    assert_eq!(accepted().await, Ok("backup".into()));
    clock.advance(Duration::from_secs(7));
    assert_eq!(accepted().await, Err(Kind::Unauthenticated));
    family.stop().await;
}

/// Row I81 of `docs/security-requirements.md`: the same where idp asks auth-service in another process.
#[tokio::test(flavor = "multi_thread")]
async fn service_account_of_another_process_is_a_client_of_the_token_endpoint() {
    let clock = Clock::system();
    let (family, token) = service_account_as_client("workload-clients-processes", Mode::Processes, &clock).await;
    assert_eq!(outcome(&family, kind::BEARER, "", &token).await, Ok("backup".into()));
    family.stop().await;
}

/// A family in which a service account was a client, until it was disabled, and a token that it has got before.
async fn service_account_as_client(name: &str, mode: Mode, clock: &Clock) -> (TestFamily, String) {
    let mut layout = Layout::new(name, false);
    let site = SignIn::configure(&mut layout, "");
    layout.set("AUTH_BEARER_OIDC_OWN_ISSUERS", &site.issuer);
    // as the page says for a restricted audience
    layout.set("AUTH_BEARER_OIDC_AUDIENCE", &format!("edge,{}", site.edge));
    layout.set("IDP_PROTECTED_RESOURCES", &site.edge);
    let clock = clock.clone();
    let family = TestFamily::start_with(layout, mode, |context| Context { clock, ..context }).await;
    let added = family.command(&["service-account", "add", "backup", "--json"], "").await;
    let added: Value = serde_json::from_str(succeeded(&added)).expect("JSON");
    let secret = noted(added["secret"].as_str().expect("a secret").to_owned());
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async || {
        let request = http.post(format!("{}/konnect/v1/token", site.issuer)).basic_auth("backup", Some(&secret));
        let form = format!("grant_type=client_credentials&resource={}", site.edge);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.expect("the provider answers");
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
        (status, body)
    };
    let (status, tokens) = ask().await;
    assert_eq!((status, &tokens["expires_in"]), (200, &Value::from(300)), "{tokens}");
    let token = noted(tokens["access_token"].as_str().expect("a token").to_owned());
    let accepted = async || outcome(&family, kind::BEARER, "", &token).await;
    assert_eq!(accepted().await, Ok("backup".into()));

    let (_, others) = ask().await;
    let other = noted(others["access_token"].as_str().expect("a token").to_owned());
    assert_eq!(outcome(&family, kind::BEARER, "", &other).await, Ok("backup".into()));
    let request = http.post(format!("{}/konnect/v1/revoke", site.issuer)).basic_auth("backup", Some(&secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={other}"));
    assert_eq!(request.send().await.expect("the provider answers").status().as_u16(), 200);
    if mode == Mode::Processes {
        // auth-bearer in another process learns of it from idp
        until(&family, (kind::BEARER, "", &other), Err(Kind::Unauthenticated)).await;
    }
    assert_eq!(outcome(&family, kind::BEARER, "", &other).await, Err(Kind::Unauthenticated));
    assert_eq!(accepted().await, Ok("backup".into()));

    succeeded(&family.command(&["service-account", "update", "backup", "--disable"], "").await);
    let (status, refused) = ask().await;
    assert_eq!((status, &refused["error"]), (401, &Value::from("invalid_client")), "{refused}");
    (family, token)
}
