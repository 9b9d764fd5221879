//! People sign in with a browser, at the family's own provider, and have a session at the edge.

mod end;
mod forward_auth;
mod lost_cookies;
mod site;
mod tabs;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use testkit::{Browser, SignIn};

use crate::edge::backend::header;
use crate::edge::raw;
use crate::edge::world::client;
use site::Site;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const COOKIE: &str = SignIn::COOKIE;

/// Row E14.
#[tokio::test(flavor = "multi_thread")]
async fn navigation_without_session_signs_in_and_returns_to_the_page() {
    let site = Site::start("edge-session-sign-in").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/page?q=1").await;
    assert!(site.world.backend.take().is_empty(), "nothing has reached the backend yet");

    browser.keep("theirs", "1");
    let page = site.navigate(&mut browser, "/page?q=1").await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let seen = site.world.backend.take();
    assert_eq!(seen[0]["target"], "/page?q=1");
    let tokens = header(&seen[0], "x-access-token");
    let [token] = &tokens[..] else { panic!("there is one token: {seen:?}") };
    assert_eq!(site.world.family.who_am_i(token).await.expect("the token is good").username, "einstein");
    let cookies = header(&seen[0], "cookie").concat();
    assert!(cookies.contains("theirs=1") && !cookies.contains("doorward="), "{cookies}");
    assert!(header(&seen[0], "authorization").is_empty());
    assert!(browser.cookies().all(|name| !name.starts_with("doorward-login-")), "no sign-in is left over");
}

/// Row E14.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_and_programs_are_not_sent_to_a_page() {
    let site = Site::start("edge-session-programs").await;
    let mut browser = Browser::new();
    for (method, headers) in [
        ("GET", &[("accept", "*/*")][..]),
        ("GET", &[HTML, ("x-requested-with", "XMLHttpRequest")]),
        ("GET", &[HTML, ("sec-fetch-mode", "cors")]),
        ("GET", &[HTML, ("authorization", "Bearer junk")]),
        ("PROPFIND", &[HTML]),
        ("POST", &[HTML]),
        ("GET", &[]),
    ] {
        let method: Method = method.parse().expect("a method");
        let answer = browser.request(method.clone(), &format!("{}/dav/a", site.own), headers).await.expect("answers");
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::UNAUTHORIZED, ""), "{method} {headers:?}");
    }
    browser.keep(COOKIE, "guessed");
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::FOUND, "it names no session");
    assert!(site.is_signed_out(&mut browser).await && site.world.backend.take().is_empty());
}

/// Row E12.
#[tokio::test(flavor = "multi_thread")]
async fn cross_site_request_with_the_cookie_is_refused() {
    let site = Site::start("edge-session-csrf").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    for method in ["POST", "PUT", "DELETE", "PROPFIND", "MOVE"] {
        for from in ["cross-site", "same-site"] {
            assert_eq!(site.fetch(&mut browser, method, "/a", from).await, StatusCode::FORBIDDEN, "{method} {from}");
        }
        assert_eq!(site.fetch(&mut browser, method, "/a", "same-origin").await, StatusCode::OK, "{method}");
    }
    assert_eq!(site.world.backend.take().len(), 5, "only the own pages' requests have passed");
    assert_eq!(site.fetch(&mut browser, "GET", "/a", "cross-site").await, StatusCode::OK);
    site.world.backend.take();

    let cookie = format!("Cookie: {COOKIE}={}", browser.cookie(COOKIE).expect("a session"));
    let upgrade = [&*cookie, "Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13"];
    let own = format!("Origin: {}", site.own);
    for (origin, passes) in [("Origin: http://evil.example", false), ("Origin: null", false), (&*own, true)] {
        let headers: Vec<&str> = upgrade.iter().copied().chain([origin]).collect();
        let status = raw::request(site.world.edge, "GET /a", &headers).await.status();
        assert_eq!((status != 403, site.world.backend.take().len()), (passes, usize::from(passes)), "{origin}");
        let headers = [&*cookie, origin];
        let status = raw::request(site.world.edge, "POST /a", &headers).await.status();
        assert_eq!((status, site.world.backend.take().len()), (if passes { 200 } else { 403 }, usize::from(passes)));
    }
    let url = format!("{}/_doorward/logout", site.own);
    let logout = browser.submit(&url, "http://evil.example", &[]).await.expect("answers");
    assert_eq!(logout.status, StatusCode::FORBIDDEN);
    let shown = browser.open(&url).await.expect("answers");
    assert!(shown.status == StatusCode::OK && shown.page.contains("<form method=\"post\""), "{shown:?}");
    assert!(!site.is_signed_out(&mut browser).await, "a link does not sign out");
    let answer = client().post(format!("{}/a", site.own)).bearer_auth(&site.world.token).send().await;
    assert_eq!(answer.expect("answers").status(), StatusCode::OK, "a program with a credential is no browser");
}

#[tokio::test(flavor = "multi_thread")]
async fn callback_that_this_browser_did_not_begin_is_refused() {
    let site = Site::start("edge-session-answers").await;
    let mut browser = Browser::new();
    let refused = async |browser: &mut Browser, url: &str| {
        let answer = browser.open(url).await.expect("answers");
        assert!(answer.status.is_client_error() && browser.cookie(COOKIE).is_none(), "{url}: {answer:?}");
    };
    let begins_again = async |browser: &mut Browser, url: &str| {
        let answer = browser.open(url).await.expect("answers");
        assert_eq!(answer.location, format!("{}/_doorward/login?again=1", site.own), "{url}: {answer:?}");
        assert!(browser.cookie(COOKIE).is_none(), "{url}");
    };

    let authorize = site.begin(&mut browser, "/a").await;
    let callback = site.prove(&mut browser, &authorize).await;
    begins_again(&mut browser.clone(), &callback.replace("state=", "state=x")).await;
    begins_again(&mut Browser::new(), &callback).await;
    let (own, evil) = (format!("&iss={}", encoded(&site.issuer)), "&iss=http%3A%2F%2Fevil.example");
    assert!(callback.contains(&own), "{callback}");
    refused(&mut browser.clone(), &callback.replace(&own, evil)).await;
    refused(&mut browser.clone(), &format!("{callback}{evil}")).await;
    refused(&mut browser.clone(), &callback.replace(&own, "")).await;
    refused(&mut browser.clone(), &callback.replace("code=", "code=x")).await;
    let before = browser.clone();
    assert_eq!(browser.open(&callback).await.expect("answers").status, StatusCode::SEE_OTHER);
    refused(&mut before.clone(), &callback).await;

    // it is over for this browser too
    let mut again = browser.clone();
    again.forget(COOKIE);
    begins_again(&mut again, &callback).await;

    let mut other = Browser::new();
    let authorize = site.begin(&mut other, "/a").await;
    let nonce = authorize.split("nonce=").nth(1).and_then(|rest| rest.split('&').next()).expect("a nonce");
    let callback = site.prove(&mut other, &authorize.replace(nonce, "another-nonce")).await;
    refused(&mut other, &callback).await;
    let denied = site.begin(&mut other, "/a").await;
    let state = denied.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    refused(&mut other, &format!("{}/_doorward/callback?error=access_denied&state={state}{own}", site.own)).await;
}

/// A value as it stands in a query.
fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sign_ins_may_be_under_way_and_each_begins_another_session() {
    let site = Site::start("edge-session-tabs").await;
    let mut browser = Browser::new();
    let (one, two) = (site.begin(&mut browser, "/one").await, site.begin(&mut browser, "/two").await);
    let mut cookies = Vec::new();
    for (authorize, page) in [(two, "/two"), (one, "/one")] {
        let callback = site.prove(&mut browser, &authorize).await;
        let landed = browser.open(&callback).await.expect("answers");
        assert_eq!((landed.status, landed.location), (StatusCode::SEE_OTHER, format!("{}{page}", site.own)));
        cookies.push(browser.cookie(COOKIE).expect("a session").to_owned());
    }
    assert_ne!(cookies[0], cookies[1]);
    assert!(!site.is_signed_out(&mut browser).await);
    browser.keep(COOKIE, &cookies[0]);
    assert!(site.is_signed_out(&mut browser).await, "the former session has ended");

    let wanted = format!("{}/_doorward/login?rd=https%3A%2F%2Fevil.example", site.own);
    let authorize = browser.open(&wanted).await.expect("answers");
    let callback = site.prove(&mut browser, &authorize.location).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!(landed.location, format!("{}/", site.own), "nowhere else");
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_factor_header_follows_the_level_of_the_sign_in() {
    // the provider signs users in at level 1
    for (level, expected) in [("1", &["true"][..]), ("advanced", &[])] {
        let site = Site::start_with(&format!("edge-session-mfa-{level}"), |layout| {
            layout.set("OCIS_MFA_ENABLED", "true");
            layout.set("OCIS_MFA_AUTH_LEVEL_NAMES", level);
        })
        .await;
        let mut browser = Browser::new();
        site.sign_in(&mut browser, "/a").await;
        assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::OK);
        let seen = site.world.backend.take();
        assert_eq!(header(&seen[0], "x-multi-factor-authentication"), expected, "{level}");
        site.clock.advance(Duration::from_hours(1));
        assert!(!site.is_signed_out(&mut browser).await);
        let seen = site.world.backend.take();
        assert_eq!(header(&seen[0], "x-multi-factor-authentication"), expected, "{level}, after an exchange of tokens");
    }
}

/// Row F12.
#[tokio::test(flavor = "multi_thread")]
async fn rule_that_needs_several_factors_sends_a_browser_to_the_sign_in_and_challenges_a_program() {
    // the provider signs users in at level 1
    for (level, is_enough) in [("1", true), ("advanced", false)] {
        let site = Site::start_with(&format!("edge-session-several-{level}"), |layout| {
            layout.set("OCIS_MFA_AUTH_LEVEL_NAMES", level);
        })
        .await;
        let mut browser = Browser::new();
        site.sign_in(&mut browser, "/a").await;
        let page = site.navigate(&mut browser, "/several/a").await;
        if is_enough {
            assert_eq!(page.status, StatusCode::OK, "{page:?}");
            continue;
        }
        assert_eq!(page.status, StatusCode::FOUND, "{page:?}");
        assert!(page.location.ends_with("?rd=%2Fseveral%2Fa&step_up=1"), "{page:?}");
        let authorize = browser.open(&page.location).await.expect("answers");
        assert!(authorize.location.contains("acr_values=advanced"), "{authorize:?}");
        assert_eq!(site.fetch(&mut browser, "GET", "/several/a", "same-origin").await, StatusCode::UNAUTHORIZED);
        let answer = client().get(format!("{}/several/a", site.own)).bearer_auth(&site.world.token).send().await;
        let answer = answer.expect("answers");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "an app token has one factor");
        let challenge = answer.headers()["www-authenticate"].to_str().expect("text").to_owned();
        assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(challenge.contains("acr_values=\"advanced\""), "{challenge}");
        assert!(site.world.backend.take().is_empty(), "nothing has reached the backend");
    }
}

/// Row F40.
#[tokio::test(flavor = "multi_thread")]
async fn rule_with_max_age_sends_an_old_session_to_sign_in_again() {
    let site = Site::start("edge-session-max-age").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    assert_eq!(site.navigate(&mut browser, "/recent/a").await.status, StatusCode::OK);
    site.clock.advance(Duration::from_mins(11));
    let page = site.navigate(&mut browser, "/recent/a").await;
    assert_eq!(page.status, StatusCode::FOUND, "{page:?}");
    assert!(page.location.ends_with("?rd=%2Frecent%2Fa&max_age=600"), "{page:?}");
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::OK, "the session goes on elsewhere");
    let authorize = browser.open(&page.location).await.expect("answers");
    assert!(authorize.location.contains("max_age=600"), "{authorize:?}");
    let callback = site.prove(&mut browser, &authorize.location).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!((landed.status, &*landed.location), (StatusCode::SEE_OTHER, &*format!("{}/recent/a", site.own)));
    assert_eq!(site.navigate(&mut browser, "/recent/a").await.status, StatusCode::OK);

    let answer = client().get(format!("{}/recent/a", site.own)).bearer_auth(&site.world.token).send().await;
    let answer = answer.expect("answers");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "an app token has no sign-in");
    let challenge = answer.headers()["www-authenticate"].to_str().expect("text").to_owned();
    assert!(challenge.contains(", max_age=\"600\", resource_metadata=\""), "{challenge}");
}
