//! A user who is disabled at one replica is out at the other.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use store::testing::Cluster;
use testkit::{Browser, authorization_query, code_redemption, log_on, note_secret};

use crate::replica::{Answer, Replica, layout, replica_of};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
/// The page behind the edge.
const PAGE: &str = "/page";
/// How long a credential may be accepted where replicas notify each other.
const WITH_PUSHES: Duration = Duration::from_secs(1);
/// The same where they read the database only.
const WITHOUT_PUSHES: Duration = Duration::from_secs(5);

/// A browser in which einstein has signed in at the edge of this replica.
async fn signed_in(replica: &Replica, url: &str) -> Browser {
    let mut browser = Browser::new();
    let sent = browser.request(Method::GET, &format!("{url}{PAGE}"), &[HTML]).await.expect("answers");
    let authorize = browser.open(&sent.location).await.expect("answers");
    let page = browser.open(&authorize.location).await.expect("answers");
    let who = ("einstein", replica.family.layout.password.as_str());
    let back = log_on(&mut browser, url, &page.location, who).await.expect("a sign-in page");
    let landed = browser.open(&back.location).await.expect("answers");
    assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
    browser
}

/// An access token of einstein that a built-in client has got.
async fn access_token(replica: &Replica, url: &str) -> String {
    let redirect_uri = format!("{url}/oidc-callback.html");
    let mut browser = Browser::new();
    let metadata = browser.open(&format!("{url}/.well-known/openid-configuration")).await.expect("answers");
    let metadata: Value = serde_json::from_str(&metadata.page).expect("JSON");
    let endpoint = |name: &str| metadata[name].as_str().expect("an endpoint").to_owned();
    let query = authorization_query("web", &redirect_uri, "openid profile", &[("state", "a-state-of-the-test")]);
    let begin = browser.open(&format!("{}?{query}", endpoint("authorization_endpoint"))).await.expect("answers");
    let who = ("einstein", replica.family.layout.password.as_str());
    let back = log_on(&mut browser, url, &begin.location, who).await.expect("a sign-in page");
    let code = back.parameter("code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let form = [&code_redemption(&code, &redirect_uri)[..], &[("client_id", "web")]].concat();
    let answer = browser.submit(&endpoint("token_endpoint"), url, &form).await.expect("answers");
    let tokens: Value = serde_json::from_str(&answer.page).unwrap_or_else(|_| panic!("no tokens: {answer:?}"));
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}")).to_owned();
    note_secret(&token);
    token
}

/// Einstein's credentials, as they are used at one replica.
struct Credentials {
    url: String,
    browser: Browser,
    authorization: String,
    app_token: String,
}

impl Credentials {
    /// Which of them are accepted: the session, the access token, and the app token at the gateway and at the edge.
    async fn accepted(&mut self, replica: &Replica) -> [bool; 4] {
        let page = format!("{}{PAGE}", self.url);
        let session = self.browser.request(Method::GET, &page, &[HTML]).await.expect("answers");
        let bearer = [("authorization", self.authorization.as_str())];
        let by_token = Browser::new().request(Method::GET, &page, &bearer).await.expect("answers");
        let [gateway, edge] = replica.both(&self.app_token).await;
        [
            session.status == StatusCode::OK,
            by_token.status == StatusCode::OK,
            gateway == Answer::Accepted,
            edge == Answer::Accepted,
        ]
    }
}

async fn user_is_out_within(bound: Duration, database: &str) {
    let here = layout("replica-here");
    let port = here.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let url = format!("http://localhost:{port}");
    let other = replica_of(&here);
    let other_port = other.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
    let [here, elsewhere] = [here, other].map(|mut layout| {
        for variable in ["PROXY_IDP_BACKEND", "PROXY_AUTH_APP_BACKEND", "PROXY_AUTH_BEARER_BACKEND"] {
            layout.unset(variable);
        }
        layout.set("OCIS_URL", &url);
        layout
    });
    let here = Replica::start(here, database, true).await;
    let elsewhere = Replica::start(elsewhere, database, false).await;

    let browser = signed_in(&here, &url).await;
    let authorization = format!("Bearer {}", access_token(&here, &url).await);
    let app_token = here.family.app_token("einstein").await;
    let mut used_elsewhere =
        Credentials { url: format!("http://localhost:{other_port}"), browser, authorization, app_token };
    assert_eq!(used_elsewhere.accepted(&elsewhere).await, [true; 4], "the session, the access token, the app token");

    let disabled = here.family.command(&["user", "disable", "einstein"], "").await;
    assert_eq!(disabled.code, 0, "{}", disabled.stderr);
    let begin = Instant::now();
    let mut accepted = [true; 4];
    while begin.elapsed() < bound && accepted != [false; 4] {
        accepted = used_elsewhere.accepted(&elsewhere).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed();
    eprintln!("out after {took:.1?}");
    assert_eq!(accepted, [false; 4], "still accepted after {took:?}: the session, the access token, the app token");
}

/// Row [N6](../../../../docs/security-requirements.md#n6).
#[tokio::test(flavor = "multi_thread")]
async fn user_disabled_at_one_replica_is_out_at_the_other() {
    let Some(cluster) = Cluster::start().await else { return };
    let database = cluster.fresh_database().await;
    user_is_out_within(WITH_PUSHES, database.url()).await;
}

/// Row [N6](../../../../docs/security-requirements.md#n6).
#[tokio::test(flavor = "multi_thread")]
async fn user_disabled_at_one_replica_is_out_at_the_other_behind_a_pooler() {
    let Some(cluster) = Cluster::start().await else { return };
    let Some(pooler) = cluster.pooler("").await else { return };
    let database = cluster.fresh_database().await;
    user_is_out_within(WITHOUT_PUSHES, &pooler.url(&database)).await;
}
