use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::json;
use web::form::Parameters;

use crate::endpoints::page;
use crate::engine::tokens::access_token::PresentedToken;
use crate::model::{Grant, Session};
use crate::testing::{Bench, Browser, EINSTEIN, SITE};

const END: &str = "/signin/v1/identifier/_/endsession";
const BYE: &str = "https://app.example/bye";

/// A signed-in user, with a client that takes part in the session.
struct SignedIn {
    bench: Bench,
    browser: Browser,
    session: Session,
    grant: Grant,
    hint: String,
    access: String,
}

async fn signed_in(scope: &str) -> SignedIn {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    let mut browser = Browser::default();
    let session = bench.sign_in(&mut browser, EINSTEIN).await;
    let grant = bench.grant(&session, "app", bench.endpoints(), scope).await;
    let (hint, access) = bench.tokens(&grant).await;
    SignedIn { bench, browser, session, grant, hint, access }
}

impl SignedIn {
    fn counts(&self, token: &str) -> bool {
        PresentedToken::verify(&self.bench.provider, self.bench.endpoints(), token).is_some()
    }

    async fn is_alive(&self) -> bool {
        self.bench.is_signed_in(self.session.id).await
    }
}

#[tokio::test]
async fn a_client_signs_its_person_out_and_gets_the_browser_back() {
    let mut one = signed_in("openid").await;
    assert!(one.counts(&one.access));
    let query = [("id_token_hint", one.hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b")];
    let reply = one.bench.get(&mut one.browser, END, &query).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (303, Some("https://app.example/bye?state=a%20b")));
    assert!(!one.is_alive().await);
    assert!(!one.counts(&one.access), "its access token is revoked at once");
    let (_, late) = one.bench.tokens(&one.grant).await;
    assert!(!one.counts(&late), "one that is made of a code under way is no better");
    let again = one.bench.get(&mut one.browser, END, &query).await;
    assert_eq!(again.location(), Some("https://app.example/bye?state=a%20b"), "no user is signed in any more");
}

#[tokio::test]
async fn what_is_granted_for_good_outlives_the_session_but_not_signing_out_everywhere() {
    let mut one = signed_in("openid offline_access").await;
    one.bench.get(&mut one.browser, END, &[("id_token_hint", &one.hint)]).await;
    assert!(!one.is_alive().await);
    assert!(one.counts(&one.access));

    let mut two = signed_in("openid offline_access").await;
    let other = two.bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let now = two.bench.clock.now();
    let family = crate::model::Family {
        grant: two.grant.clone(),
        binding: None,
        generation: 0,
        rotated: now,
        created: now,
        idle_end: now + Duration::from_hours(1),
        end: now + Duration::from_hours(1),
    };
    two.bench.provider.store.begin_family(&family).await.unwrap();
    let form = two.bench.get(&mut two.browser, END, &[]).await;
    let reply = two.bench.post(&mut two.browser, page::SIGN_OUT, &[("csrf", &form.csrf()), ("everywhere", "1")]).await;
    assert_eq!(reply.location(), Some("https://cloud.example/signin/v1/goodbye"));
    assert!(!two.is_alive().await && !two.bench.is_signed_in(other.id).await);
    assert!(!two.counts(&two.access));
    assert_eq!(two.bench.provider.store.family(two.grant.id, now).await.unwrap(), None);
}

#[tokio::test]
async fn a_hint_that_is_over_or_of_the_other_issuer_is_good() {
    let mut one = signed_in("openid").await;
    one.bench.advance(Duration::from_mins(30));
    let reply = one.bench.get(&mut one.browser, END, &[("id_token_hint", &one.hint)]).await;
    assert_eq!(reply.location(), Some("https://cloud.example/signin/v1/goodbye"));
    assert!(!one.is_alive().await);

    let mut two = signed_in("openid").await;
    let cells = two.bench.provider.issuers[1].clone();
    let grant = two.bench.grant(&two.session, "app", &cells, "openid").await;
    let (hint, _) = two.bench.tokens(&grant).await;
    two.bench.get(&mut two.browser, cells.paths.end_session, &[("id_token_hint", &hint)]).await;
    assert!(!two.is_alive().await);
}

#[tokio::test]
async fn i4_a_hint_that_is_not_ours_leads_nowhere_and_the_person_is_asked() {
    let mut one = signed_in("openid").await;
    let parts: Vec<&str> = one.hint.split('.').collect();
    let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), parts[1]);
    let claims = json!({"iss": SITE, "sub": EINSTEIN, "aud": "app", "sid": one.session.id});
    let foreign = SigningKey::generate(Algorithm::Es256, "theirs").unwrap().jwt("JWT", &claims);
    for forged in [none.as_str(), &foreign, one.access.as_str(), "junk"] {
        let query =
            [("id_token_hint", forged), ("post_logout_redirect_uri", BYE), ("state", "x"), ("client_id", "app")];
        let reply = one.bench.get(&mut one.browser, END, &query).await;
        assert_eq!((reply.status.as_u16(), reply.location()), (200, None), "{forged}");
        assert_eq!(reply.field("post_logout_redirect_uri"), None, "{forged}");
        assert!(one.is_alive().await, "{forged}");
    }
}

#[tokio::test]
async fn i4_an_address_that_is_not_registered_is_an_error_page() {
    let mut one = signed_in("openid").await;
    for bad in ["https://evil.example/", "https://app.example/bye?foo=bar", "//evil.example", "https:evil.example"] {
        let query = [("id_token_hint", one.hint.as_str()), ("post_logout_redirect_uri", bad)];
        let reply = one.bench.get(&mut one.browser, END, &query).await;
        assert_eq!((reply.status.as_u16(), reply.location()), (400, None), "{bad}");
        assert!(one.is_alive().await, "{bad}");
    }
    let twice = [("state", "x"), ("state", "y"), ("id_token_hint", one.hint.as_str())];
    assert_eq!(one.bench.get(&mut one.browser, END, &twice).await.status, 400);
    let unknown = one.bench.get(&mut one.browser, END, &[("client_id", "unknown")]).await;
    assert_eq!(unknown.status, 400);
    assert!(one.is_alive().await);
}

#[tokio::test]
async fn who_says_nothing_is_asked_and_told() {
    for query in [&[][..], &[("state", "x")], &[("post_logout_redirect_uri", BYE)]] {
        let mut one = signed_in("openid").await;
        let form = one.bench.get(&mut one.browser, END, query).await;
        assert_eq!((form.status.as_u16(), form.location()), (200, None), "{query:?}");
        assert!(one.is_alive().await);
        let reply = one.bench.post(&mut one.browser, page::SIGN_OUT, &[("csrf", &form.csrf())]).await;
        assert_eq!(reply.location(), Some("https://cloud.example/signin/v1/goodbye"), "{query:?}");
        assert!(!one.is_alive().await);
        let told = one.bench.get(&mut one.browser, page::GOODBYE, &[]).await;
        assert_eq!(told.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_names_itself_gets_the_browser_back_after_the_question() {
    let mut one = signed_in("openid").await;
    let query = [("client_id", "app"), ("post_logout_redirect_uri", BYE), ("state", "x&y")];
    let form = one.bench.get(&mut one.browser, END, &query).await;
    assert!(form.text.contains("The app"), "{}", form.text);
    let sent = [("csrf", form.csrf()), ("client_id", "app".into()), ("post_logout_redirect_uri", BYE.into())];
    let sent = sent.each_ref().map(|(name, value)| (*name, value.as_str()));
    let reply = one.bench.post(&mut one.browser, page::SIGN_OUT, &sent).await;
    assert_eq!(reply.location(), Some(BYE));
    assert!(!one.is_alive().await);
}

#[tokio::test]
async fn i4_the_form_sends_nowhere_that_is_not_registered_either() {
    let mut one = signed_in("openid").await;
    let csrf = one.bench.get(&mut one.browser, END, &[]).await.csrf();
    let sent = [("csrf", csrf.as_str()), ("client_id", "app"), ("post_logout_redirect_uri", "https://evil.example/")];
    let reply = one.bench.post(&mut one.browser, page::SIGN_OUT, &sent).await;
    assert_eq!((reply.status.as_u16(), reply.location()), (400, None));
    assert!(one.is_alive().await);
}

#[tokio::test]
async fn who_decides_to_stay_stays() {
    let mut one = signed_in("openid").await;
    let csrf = one.bench.get(&mut one.browser, END, &[]).await.csrf();
    one.bench.post(&mut one.browser, page::SIGN_OUT, &[("csrf", &csrf), ("decision", "stay")]).await;
    assert!(one.is_alive().await);
}

#[tokio::test]
async fn i17_a_forged_form_ends_no_session() {
    let mut one = signed_in("openid").await;
    let csrf = one.bench.get(&mut one.browser, END, &[]).await.csrf();
    let mut other = Browser::default();
    one.bench.sign_in(&mut other, EINSTEIN).await;
    let theirs = one.bench.get(&mut other, END, &[]).await.csrf();
    for form in [&[][..], &[("csrf", "")], &[("csrf", theirs.as_str())]] {
        let reply = one.bench.post(&mut one.browser, page::SIGN_OUT, form).await;
        assert_eq!(reply.status, 403, "{form:?}");
    }
    let form = [("csrf", csrf.as_str())];
    let abroad = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let reply = one.bench.post_with(&mut one.browser, page::SIGN_OUT, &form, &abroad).await;
    assert_eq!(reply.status, 403);
    assert!(one.is_alive().await);
}

#[tokio::test]
async fn a_form_of_another_site_comes_without_cookies_and_is_asked_for_again() {
    let mut one = signed_in("openid").await;
    let form = [("id_token_hint", one.hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b&c")];
    let abroad = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
    let reply = one.bench.post_with(&mut Browser::default(), END, &form, &abroad).await;
    assert_eq!(reply.status, 303);
    let (path, query) = reply.location().unwrap().split_once('?').unwrap();
    assert_eq!(path, format!("{SITE}{END}"));
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let query: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(query, form);
    let reply = one.bench.get(&mut one.browser, END, &query).await;
    assert_eq!(reply.location(), Some("https://app.example/bye?state=a%20b%26c"));
    assert!(!one.is_alive().await);
}

#[tokio::test]
async fn a_front_channel_is_loaded_in_a_frame_before_the_browser_leaves() {
    let mut one = signed_in("openid").await;
    let address = "https://front.example/out?x=1";
    let named = json!({"frontchannel_logout_uri": address, "frontchannel_logout_session_required": true});
    one.bench.add("front", &named).await;
    one.bench.grant(&one.session, "front", one.bench.endpoints(), "openid").await;
    let query = [("id_token_hint", one.hint.as_str()), ("post_logout_redirect_uri", BYE)];
    let reply = one.bench.get(&mut one.browser, END, &query).await;
    assert_eq!(reply.status, 200);
    let sid = one.session.id;
    let expected = format!("https://front.example/out?x=1&iss=https%3A%2F%2Fcloud.example&sid={sid}");
    let text = reply.text.replace("&amp;", "&").replace("&#38;", "&");
    assert!(text.contains(&format!("<iframe src=\"{expected}\"")), "{text}");
    assert!(text.contains(BYE), "{text}");
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("frame-src https://front.example"), "{policy}");
    assert!(!one.is_alive().await);
}

#[tokio::test]
async fn i18_the_form_is_in_no_frame_and_in_no_cache() {
    let mut one = signed_in("openid").await;
    let reply = one.bench.get(&mut one.browser, END, &[]).await;
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.headers[name], value);
    }
    assert!(reply.headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn page_of_consents_signs_out_everywhere() {
    let mut one = signed_in("openid offline_access").await;
    let other = one.bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let page = one.bench.get(&mut one.browser, page::CONSENTS, &[]).await;
    let (_, form) = page.text.split_once(&format!("action=\"{}\"", page::SIGN_OUT)).expect("a form that signs out");
    assert!(form.contains("name=\"everywhere\""), "{form}");
    let (_, csrf) = form.split_once("name=\"csrf\" value=\"").expect("a token");
    let csrf = csrf.split_once('"').expect("a value").0.to_owned();
    let sent = [("csrf", csrf.as_str()), ("everywhere", "yes"), ("decision", "sign_out")];
    let reply = one.bench.post(&mut one.browser, page::SIGN_OUT, &sent).await;
    assert_eq!(reply.location(), Some("https://cloud.example/signin/v1/goodbye"), "{}", reply.text);
    assert!(!one.is_alive().await && !one.bench.is_signed_in(other.id).await && !one.counts(&one.access));
}

#[test]
fn what_comes_twice_or_is_too_long_is_refused() {
    let read =
        |query: &str| super::read(&Parameters::of_query(Some(query)).unwrap()).map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(
        read("id_token_hint=a&client_id=b&post_logout_redirect_uri=c&state=d&ui_locales=e&logout_hint=f"),
        Ok(())
    );
    for name in ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint"] {
        assert_eq!(read(&format!("{name}=a&{name}=a")), Err(format!("{name} is given more than once")));
        assert_eq!(read(&format!("{name}={}", "a".repeat(9000))), Err(format!("{name} is too long")));
        assert_eq!(read(&format!("{name}=a%0d%0ab")), Err(format!("{name} has a control character")));
    }
}
