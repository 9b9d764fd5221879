//! A device and its user, over a database.

use std::time::Duration;

use serde_json::{Value, json};

use crate::endpoints::page::DEVICE;
use crate::engine::device::request::digest;
use crate::engine::termination::{end, end_everywhere};
use crate::model::{Grant, seconds};
use crate::revocations::{self, Of};
use crate::store::{Participant, Poll};
use crate::testing::{Bench, Browser, EINSTEIN, Reply, SITE};

const AUTHORIZATION: &str = "/konnect/v1/device";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A pending device.
struct Waiting {
    bench: Bench,
    device_code: String,
    user_code: String,
}

async fn ask(bench: &Bench, form: &[(&str, &str)]) -> Reply {
    bench.post_with(&mut Browser::default(), AUTHORIZATION, form, &[]).await
}

async fn waiting(scope: &str) -> Waiting {
    let bench = Bench::new().await;
    bench.add("tv", &json!({"grant_types": [GRANT, "refresh_token"], "redirect_uris": [], "response_types": []})).await;
    let reply = ask(&bench, &[("client_id", "tv"), ("scope", scope)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["cache-control"], "no-store");
    let told: Value = serde_json::from_str(&reply.text).unwrap();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    assert_eq!(text("verification_uri"), format!("{SITE}/device"));
    assert_eq!(text("verification_uri_complete"), format!("{SITE}/device?user_code={}", text("user_code")));
    assert_eq!((told["expires_in"].as_u64(), told["interval"].as_u64()), (Some(600), Some(5)));
    Waiting { device_code: text("device_code"), user_code: text("user_code"), bench }
}

impl Waiting {
    async fn poll(&self) -> Poll {
        let digest = digest(&self.device_code).unwrap();
        self.bench.provider.store.poll_device(digest, "tv", self.bench.clock.now()).await.unwrap()
    }

    /// Submits a user code with the form of a signed-in user.
    async fn type_in(&self, browser: &mut Browser, code: &str) -> Reply {
        let csrf = self.bench.get(browser, DEVICE, &[]).await.csrf();
        self.bench.post(browser, DEVICE, &[("csrf", &csrf), ("user_code", code)]).await
    }
}

#[test]
fn only_a_device_code_is_looked_up() {
    assert!(digest("dwd_x").is_some());
    assert_ne!(digest("dwd_x"), digest("dwd_y"));
    for junk in ["", "dwr_x", &format!("dwd_{}", "x".repeat(61))] {
        assert_eq!(digest(junk), None, "{junk}");
    }
}

#[tokio::test]
async fn a_device_is_allowed_by_whoever_types_its_code_in() {
    let one = waiting("openid email address offline_access").await;
    assert_eq!(one.poll().await, Poll::Pending);
    let mut browser = Browser::default();
    let session = one.bench.sign_in(&mut browser, EINSTEIN).await;
    let form = one.type_in(&mut browser, &one.user_code.to_lowercase().replace('-', " ")).await;
    assert_eq!(form.status, 200, "{}", form.text);
    for shown in ["The tv", "Albert Einstein", &one.user_code] {
        assert!(form.text.contains(shown), "{shown} in {}", form.text);
    }
    assert_eq!(form.field("user_code"), Some(one.user_code.as_str()));
    let csrf = form.csrf();
    let sent = [("csrf", csrf.as_str()), ("user_code", &one.user_code), ("decision", "allow"), ("scope", "email")];
    let done = one.bench.post(&mut browser, DEVICE, &sent).await;
    assert_eq!(done.status, 200, "{}", done.text);
    one.bench.advance(Duration::from_secs(5));
    let Poll::Approved(text) = one.poll().await else { panic!("it is not allowed") };
    let grant: Grant = serde_json::from_str(&text).unwrap();
    assert_eq!((grant.client.as_str(), grant.person.as_deref()), ("tv", Some(EINSTEIN)));
    assert_eq!(grant.scope.to_string(), "email offline_access openid", "the box of address was not ticked");
    assert_eq!(grant.sign_in.unwrap().session, Some(session.id));
    let told = one.bench.provider.store.participants(session.id).await.unwrap();
    let tv = Participant { client: "tv".to_owned(), layout: "opencloud".to_owned(), sid: session.id };
    assert_eq!(told, [tv], "it is notified when the session ends");
    let again = one.bench.post(&mut browser, DEVICE, &sent).await;
    assert_eq!(again.status, 400, "a code is good once");
}

#[tokio::test]
async fn a_device_that_was_allowed_gets_tokens_unless_its_owner_has_signed_out() {
    for is_signed_out in [false, true] {
        let one = waiting("openid").await;
        let mut browser = Browser::default();
        let session = one.bench.sign_in(&mut browser, EINSTEIN).await;
        let csrf = one.type_in(&mut browser, &one.user_code).await.csrf();
        let sent = [("csrf", csrf.as_str()), ("user_code", &one.user_code), ("decision", "allow")];
        one.bench.post(&mut browser, DEVICE, &sent).await;
        if is_signed_out {
            end(&one.bench.provider, session.id).await.unwrap();
        }
        let form = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", &one.device_code)];
        let reply = one.bench.post_with(&mut Browser::default(), "/konnect/v1/token", &form, &[]).await;
        assert_eq!(reply.status, if is_signed_out { 400 } else { 200 }, "{}", reply.text);
    }
}

#[tokio::test]
async fn device_that_was_allowed_gets_no_tokens_once_its_user_has_signed_out_everywhere_or_taken_the_consent_back() {
    for (ended, status) in [
        ("nothing", 200),
        ("everything", 400),
        ("the consent", 400),
        ("the consent, by another replica", 400),
        ("another consent", 200),
    ] {
        let one = waiting("openid offline_access").await;
        let mut browser = Browser::default();
        one.bench.sign_in(&mut browser, EINSTEIN).await;
        let csrf = one.type_in(&mut browser, &one.user_code).await.csrf();
        let sent = [("csrf", csrf.as_str()), ("user_code", &one.user_code), ("decision", "allow")];
        one.bench.post(&mut browser, DEVICE, &sent).await;
        one.bench.advance(Duration::from_secs(2));
        let provider = &one.bench.provider;
        let taken_back = |client| {
            let of = Of::Consent { person: EINSTEIN, client };
            provider.revocations.add([revocations::before(of, seconds(one.bench.clock.now()))]);
        };
        match ended {
            "everything" => end_everywhere(provider, EINSTEIN).await.unwrap(),
            "the consent" => taken_back("tv"),
            "the consent, by another replica" => {
                let (of, now) = (Of::Consent { person: EINSTEIN, client: "tv" }, one.bench.clock.now());
                let ended = revocations::before(of, seconds(now));
                one.bench.other_store().await.revoke_token(ended.id, ended.until, now).await.unwrap();
            }
            "another consent" => taken_back("radio"),
            _ => {}
        }
        one.bench.advance(Duration::from_secs(5));
        let form = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", &one.device_code)];
        let reply = one.bench.post_with(&mut Browser::default(), "/konnect/v1/token", &form, &[]).await;
        assert_eq!(reply.status, status, "{ended}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_device_is_refused() {
    let one = waiting("openid").await;
    let mut browser = Browser::default();
    one.bench.sign_in(&mut browser, EINSTEIN).await;
    let csrf = one.type_in(&mut browser, &one.user_code).await.csrf();
    let sent = [("csrf", csrf.as_str()), ("user_code", &one.user_code), ("decision", "deny")];
    assert_eq!(one.bench.post(&mut browser, DEVICE, &sent).await.status, 200);
    assert_eq!(one.poll().await, Poll::Denied);
}

#[tokio::test]
async fn i26_a_link_with_a_code_only_fills_the_form() {
    let one = waiting("openid").await;
    let mut browser = Browser::default();
    let query = [("user_code", one.user_code.as_str())];
    let reply = one.bench.get(&mut browser, DEVICE, &query).await;
    assert_eq!(reply.status, 303);
    assert!(reply.location().unwrap().starts_with("https://cloud.example/signin/v1/identifier?flow="));
    one.bench.sign_in(&mut browser, EINSTEIN).await;
    let form = one.bench.get(&mut browser, DEVICE, &query).await;
    assert!(form.text.contains(&format!("value=\"{}\"", one.user_code)), "{}", form.text);
    assert!(!form.text.contains("The tv"), "nothing was looked up");
    assert_eq!(one.poll().await, Poll::Pending);
}

#[tokio::test]
async fn i26_five_wrong_codes_are_enough_for_a_session() {
    let one = waiting("openid").await;
    let mut browser = Browser::default();
    one.bench.sign_in(&mut browser, EINSTEIN).await;
    for wrong in ["BBBB-BBBB", "CCCC-CCCC", "junk", "", "DDDD-DDDD"] {
        assert_eq!(one.type_in(&mut browser, wrong).await.status, 400, "{wrong}");
    }
    let reply = one.type_in(&mut browser, &one.user_code).await;
    assert_eq!(reply.status, 429, "also for the right one, or it could be told from a wrong one");
    assert!(reply.headers.contains_key("retry-after"));
    let mut next = Browser::default();
    one.bench.sign_in(&mut next, EINSTEIN).await;
    assert_eq!(one.type_in(&mut next, &one.user_code).await.status, 200);
}

#[tokio::test]
async fn i26_ten_wrong_codes_a_minute_are_enough_for_a_network() {
    let one = waiting("openid").await;
    let mut browser = Browser::default();
    for number in 0..10 {
        if number % 5 == 0 {
            browser = Browser::default();
            one.bench.sign_in(&mut browser, EINSTEIN).await;
        }
        assert_eq!(one.type_in(&mut browser, "BBBB-BBBB").await.status, 400, "{number}");
    }
    let mut next = Browser::default();
    one.bench.sign_in(&mut next, EINSTEIN).await;
    assert_eq!(one.type_in(&mut next, &one.user_code).await.status, 429);
    one.bench.advance(Duration::from_mins(1));
    assert_eq!(one.type_in(&mut next, &one.user_code).await.status, 200);
}

#[tokio::test]
async fn i17_a_forged_form_allows_nothing() {
    let one = waiting("openid").await;
    let mut browser = Browser::default();
    one.bench.sign_in(&mut browser, EINSTEIN).await;
    let csrf = one.type_in(&mut browser, &one.user_code).await.csrf();
    let mut other = Browser::default();
    one.bench.sign_in(&mut other, EINSTEIN).await;
    let sent = [("csrf", csrf.as_str()), ("user_code", &one.user_code), ("decision", "allow")];
    assert_eq!(one.bench.post(&mut other, DEVICE, &sent).await.status, 403, "another session's");
    assert_eq!(one.bench.post(&mut browser, DEVICE, &sent[1..]).await.status, 403, "without");
    let abroad = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(one.bench.post_with(&mut browser, DEVICE, &sent, &abroad).await.status, 403, "of another site");
    assert_eq!(one.poll().await, Poll::Pending);
}

#[tokio::test]
async fn a_client_that_is_not_registered_for_devices_gets_no_code() {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    for (form, status, error) in
        [(&[("client_id", "app")][..], 400, "unauthorized_client"), (&[("client_id", "absent")], 401, "invalid_client")]
    {
        let reply = ask(&bench, form).await;
        let told: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!((reply.status.as_u16(), told["error"].as_str()), (status, Some(error)));
    }
}
