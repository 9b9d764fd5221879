//! Which source a failed sign-in counts for, where the edge and idp are in one process: rows I36 and E3.

use std::net::IpAddr;

use reqwest::{Method, StatusCode};
use runtime::{Clock, Context};
use testkit::{Browser, Landing, Layout};

use crate::edge::world::World;

const WRONG: &str = "a wrong password";

/// The family, whose sign-in page is reached through the edge.
struct Site {
    world: World,
    /// The edge, as browsers know it.
    edge: String,
    /// Where idp itself listens.
    idp: String,
}

impl Site {
    async fn start(name: &str) -> Self {
        let (mut edge, mut idp) = (String::new(), String::new());
        let settings = |layout: &mut Layout| {
            let port = |name: &str| layout.variables()[name].rsplit_once(':').expect("a port").1.to_owned();
            edge = format!("http://localhost:{}", port("PROXY_HTTP_ADDR"));
            idp = format!("http://localhost:{}", port("IDP_HTTP_ADDR"));
            layout.set("PROXY_URL", &edge);
            layout.set("IDP_ISS", &edge);
        };
        // it stands still, so that no delay ends while the machine is busy
        let clock = Clock::manual(Clock::system().now());
        let world = World::start_in(name, settings, |context| Context { clock, ..context }).await;
        Self { world, edge, idp }
    }

    /// Sends the sign-in form of the page at `base` with this password, perhaps as a proxy for this address.
    async fn sign_in(&self, base: &str, browser: &mut Browser, password: &str, forwarded_for: Option<&str>) -> Landing {
        let path = |location: &str| format!("{base}{}", location.trim_start_matches(&self.edge));
        let sent = browser.open(&path("/signin/v1/consents")).await.expect("answers");
        let page = browser.open(&path(&sent.location)).await.expect("answers");
        let form = [
            ("flow", page.field("flow")),
            ("csrf", page.field("csrf")),
            ("username", "einstein"),
            ("password", password),
        ];
        let target = path("/signin/v1/identifier/_/logon");
        let headers: Vec<_> = forwarded_for.map(|value| ("x-forwarded-for", value)).into_iter().collect();
        browser.submit_with(&target, &self.edge, &form, &headers).await.expect("answers")
    }

    async fn through_edge(&self, browser: &mut Browser, password: &str) -> StatusCode {
        self.sign_in(&self.edge, browser, password, None).await.status
    }
}

fn at(last: u8) -> Browser {
    Browser::at(IpAddr::from([127, 0, 0, last]))
}

#[tokio::test(flavor = "multi_thread")]
async fn other_source_does_not_lock_the_user_out_of_the_sign_in_page() {
    let site = Site::start("edge-sources").await;
    let password = site.world.family.layout.password.clone();
    let mut known = at(2);
    assert_eq!(site.through_edge(&mut known, &password).await, StatusCode::SEE_OTHER);
    let (mut stranger, mut attempts) = (at(2), Vec::new());
    for number in 0..7 {
        attempts.push(site.through_edge(&mut stranger, &format!("{WRONG} {number}")).await);
    }
    assert_eq!(attempts.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{attempts:?}");
    assert_eq!(site.through_edge(&mut at(2), &password).await, StatusCode::TOO_MANY_REQUESTS, "the same source");
    assert_eq!(site.through_edge(&mut at(3), &password).await, StatusCode::SEE_OTHER, "another source");
    let answer = known.request(Method::GET, &format!("{}/signin/v1/consents", site.edge), &[]).await.expect("answers");
    assert_eq!(answer.status, StatusCode::OK, "still signed in");
    known.forget("doorward-session");
    assert_eq!(site.through_edge(&mut known, &password).await, StatusCode::SEE_OTHER, "a known device at that source");
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_address_of_other_local_clients_is_ignored() {
    let site = Site::start("edge-sources-direct").await;
    let password = site.world.family.layout.password.clone();
    let mut browser = at(2);
    for number in 0..6 {
        let address = format!("198.51.100.{number}");
        site.sign_in(&site.idp, &mut browser, &format!("{WRONG} {number}"), Some(&address)).await;
    }
    let answer = site.sign_in(&site.idp, &mut at(2), &password, Some("198.51.100.77")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(site.through_edge(&mut at(3), &password).await, StatusCode::SEE_OTHER);
}
