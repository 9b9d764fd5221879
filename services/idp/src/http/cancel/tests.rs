//! Cancelling over a database.

use serde_json::json;

use crate::endpoints::page;
use crate::testing::{Bench, Browser, EINSTEIN, Reply};

/// The redirect URI of the clients that [`Bench::add`] makes.
const BACK: &str = "https://app.example/back";

/// The client, a browser, and the page that it is shown.
struct World {
    bench: Bench,
    browser: Browser,
    page: Reply,
}

impl World {
    async fn start(more: &[(&str, &str)]) -> Self {
        let (bench, mut browser) = (Bench::new().await, Browser::default());
        bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
        if more.contains(&("prompt", "select_account")) {
            bench.sign_in(&mut browser, EINSTEIN).await;
        }
        let query = [("client_id", "app"), ("redirect_uri", BACK), ("scope", "openid"), ("response_type", "code")];
        let query = [query.as_slice(), &[("state", "s 1")], more].concat();
        let reply = bench.get(&mut browser, bench.endpoints().paths.authorization, &query).await;
        let flow = reply.location().and_then(|to| to.split_once("?flow=")).expect("a flow").1.to_owned();
        let page = bench.get(&mut browser, page::SIGN_IN, &[("flow", &flow)]).await;
        Self { bench, browser, page }
    }

    /// The fields of the form that cancels.
    fn fields(&self) -> [String; 2] {
        let form = self.page.text.split("<form ").find(|form| form.contains(page::CANCEL)).expect("can be cancelled");
        ["flow", "csrf"].map(|name| {
            let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
            rest.split_once('"').expect("a value").0.to_owned()
        })
    }

    async fn cancel(&mut self, [flow, csrf]: &[String; 2]) -> Reply {
        self.bench.post(&mut self.browser, page::CANCEL, &[("flow", flow), ("csrf", csrf)]).await
    }
}

/// Row [W2](../../../../../docs/security-requirements.md#w2).
#[tokio::test]
async fn cancelled_sign_in_answers_access_denied_at_the_validated_redirect_uri() {
    for more in [&[][..], &[("prompt", "select_account")], &[("response_mode", "fragment")]] {
        let mut world = World::start(more).await;
        let fields = world.fields();
        let reply = world.cancel(&fields).await;
        let mark = if more.contains(&("response_mode", "fragment")) { '#' } else { '?' };
        let (uri, answer) = reply.location().and_then(|to| to.split_once(mark)).expect("a redirect");
        assert_eq!((reply.status.as_u16(), uri), (303, BACK), "{more:?}");
        let answer: Vec<_> = form_urlencoded::parse(answer.as_bytes()).into_owned().collect();
        for (name, value) in [("error", "access_denied"), ("state", "s 1"), ("iss", "https://cloud.example")] {
            assert!(answer.contains(&(name.to_owned(), value.to_owned())), "{more:?}: {answer:?}");
        }
        assert!(!answer.iter().any(|(name, _)| name == "code"), "{answer:?}");
    }
}

#[tokio::test]
async fn cancelled_sign_in_is_posted_to_the_client_where_it_wants_that() {
    let mut world = World::start(&[("response_mode", "form_post")]).await;
    let fields = world.fields();
    let reply = world.cancel(&fields).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (200, None), "{}", reply.text);
    assert!(reply.text.contains(&format!("action=\"{BACK}\"")), "{}", reply.text);
    assert_eq!((reply.field("error"), reply.field("state")), (Some("access_denied"), Some("s 1")));
}

/// Row [W2](../../../../../docs/security-requirements.md#w2).
#[tokio::test]
async fn forged_cancellation_goes_nowhere() {
    let mut world = World::start(&[]).await;
    let [flow, csrf] = world.fields();
    let of_sign_in = world.page.csrf();
    assert_ne!(of_sign_in, csrf, "each form has a token of its own");
    for forged in [String::new(), of_sign_in] {
        let reply = world.cancel(&[flow.clone(), forged]).await;
        assert_eq!((reply.status.as_u16(), reply.location()), (403, None), "{}", reply.text);
    }
    let sent = [("flow", &*flow), ("csrf", &*csrf), ("redirect_uri", "https://evil.example")];
    let reply = world.bench.post(&mut Browser::default(), page::CANCEL, &sent).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (403, None), "another browser was not shown the form");
    let reply = world.bench.post(&mut world.browser, page::CANCEL, &sent).await;
    assert!(reply.location().is_some_and(|to| to.starts_with(&format!("{BACK}?"))), "{reply:?}");
    let reply = world.cancel(&[format!("{flow}x"), csrf]).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (400, None), "{}", reply.text);
}
