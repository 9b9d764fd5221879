//! A user who is disabled at one replica is out at the other.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use store::testing::Cluster;
use testkit::{Browser, access_token, signed_in};

use crate::replicas::replica::{Answer, Replica, two_behind_one_url};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
/// The page behind the edge.
const PAGE: &str = "/page";
/// How long a credential may be accepted where replicas notify each other.
const WITH_PUSHES: Duration = Duration::from_secs(1);
/// The same where they read the database only.
const WITHOUT_PUSHES: Duration = Duration::from_secs(5);

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
    let (url, [here, elsewhere]) = two_behind_one_url(database).await;
    let other_port =
        elsewhere.family.layout.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();

    let who = ("einstein", here.family.layout.password.as_str());
    let browser = signed_in(Browser::new(), &url, PAGE, who).await;
    let client = ("web", &*format!("{url}/oidc-callback.html"));
    let authorization = format!("Bearer {}", access_token(Browser::new(), (&url, &url), client, who).await);
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
