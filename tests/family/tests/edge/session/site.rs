//! A family whose edge has sessions, and browsers in front of it.

use reqwest::{Method, StatusCode};
use runtime::Clock;
use testkit::{Browser, Landing, Layout, SignIn, note_secret};

use super::{COOKIE, HTML};
use crate::edge::world::World;

/// A family with the provider, the edge as its client, and a clock that the test moves.
pub(super) struct Site {
    pub(super) world: World,
    /// The edge, as browsers know it.
    pub(super) own: String,
    pub(super) issuer: String,
    pub(super) clock: Clock,
    provider: SignIn,
}

impl Site {
    pub(super) async fn start(name: &str) -> Self {
        Self::start_with(name, |_| ()).await
    }

    pub(super) async fn start_with(name: &str, more: impl FnOnce(&mut Layout)) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let mut provider = None;
        let configure = |layout: &mut Layout| {
            provider = Some(SignIn::configure(layout, ""));
            more(layout);
        };
        let moved = clock.clone();
        let world = World::start_in(name, configure, |context| runtime::Context { clock: moved, ..context }).await;
        let provider = provider.expect("it is configured");
        Self { world, own: provider.edge.clone(), issuer: provider.issuer.clone(), clock, provider }
    }

    /// A browser goes to a page.
    pub(super) async fn navigate(&self, browser: &mut Browser, path: &str) -> Landing {
        browser.request(Method::GET, &format!("{}{path}", self.own), &[HTML]).await.expect("the edge answers")
    }

    /// A script of the page asks for data.
    pub(super) async fn fetch(&self, browser: &mut Browser, method: &str, path: &str, site: &str) -> StatusCode {
        let method = method.parse().expect("a method");
        let headers = [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", site)];
        browser.request(method, &format!("{}{path}", self.own), &headers).await.expect("the edge answers").status
    }

    /// Goes from a page of the edge to the provider; returns the address of the authorization request.
    pub(super) async fn begin(&self, browser: &mut Browser, path: &str) -> String {
        let sent = self.navigate(browser, path).await;
        assert_eq!(sent.status, StatusCode::FOUND, "{sent:?}");
        assert!(sent.location.starts_with(&format!("{}/_doorward/login?rd=", self.own)), "{sent:?}");
        let authorize = browser.open(&sent.location).await.expect("answers");
        assert!(authorize.location.starts_with(&self.issuer), "{authorize:?}");
        authorize.location
    }

    /// Proves to be einstein at the provider, unless it knows already; where it sends the browser back to.
    pub(super) async fn prove(&self, browser: &mut Browser, authorize: &str) -> String {
        let back = format!("{}/_doorward/callback?", self.own);
        let landing = self.provider.prove(browser, authorize, &back).await;
        landing.expect("the provider sends the browser back").location
    }

    /// Signs einstein in, who wanted to go to this page.
    pub(super) async fn sign_in(&self, browser: &mut Browser, path: &str) {
        let authorize = self.begin(browser, path).await;
        let callback = self.prove(browser, &authorize).await;
        let landed = browser.open(&callback).await.expect("answers");
        assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
        assert_eq!(landed.location, format!("{}{path}", self.own));
        note_secret(browser.cookie(COOKIE).expect("there is a session"));
    }

    /// Nobody is signed in any more.
    pub(super) async fn is_signed_out(&self, browser: &mut Browser) -> bool {
        self.fetch(browser, "GET", "/a", "same-origin").await == StatusCode::UNAUTHORIZED
    }
}
