//! Browsers that come back from the provider without the cookie of their sign-in.

use reqwest::StatusCode;
use testkit::Browser;

use super::COOKIE;
use super::site::Site;

/// The browser, without the cookies of sign-ins under way.
fn without_login_cookies(browser: &Browser) -> Browser {
    let mut forgetful = browser.clone();
    for name in browser.cookies().filter(|name| name.starts_with("doorward-login-")) {
        forgetful.forget(name);
    }
    forgetful
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_whose_cookie_is_lost_is_begun_again_and_ends_in_a_session() {
    let site = Site::start("edge-session-lost").await;
    let mut browser = Browser::new();
    let authorize = site.begin(&mut browser, "/wanted").await;
    let callback = site.prove(&mut browser, &authorize).await;

    let mut browser = without_login_cookies(&browser);
    let lost = browser.open(&format!("{callback}&rd=https%3A%2F%2Fevil.example")).await.expect("answers");
    assert_eq!(lost.status, StatusCode::SEE_OTHER, "{lost:?}");
    assert_eq!(lost.location, format!("{}/_doorward/login?again=1", site.own));
    let authorize = browser.open(&lost.location).await.expect("answers").location;
    assert!(authorize.starts_with(&site.issuer), "{authorize}");
    // the provider knows the user already
    let callback = site.prove(&mut browser, &authorize).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!((landed.status, landed.location), (StatusCode::SEE_OTHER, format!("{}/", site.own)));
    assert!(!site.is_signed_out(&mut browser).await);
    let reloaded = browser.open(&callback).await.expect("answers");
    assert_eq!((reloaded.status, reloaded.location), (StatusCode::SEE_OTHER, format!("{}/", site.own)));
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_without_cookies_is_shown_a_page_after_one_more_attempt() {
    let site = Site::start("edge-session-no-cookies").await;
    let mut browser = Browser::new();
    let authorize = site.begin(&mut browser, "/wanted").await;
    let callback = site.prove(&mut browser, &authorize).await;

    let mut browser = without_login_cookies(&browser);
    let lost = browser.open(&callback).await.expect("answers");
    let authorize = browser.open(&lost.location).await.expect("answers").location;
    let mut browser = without_login_cookies(&browser);
    let callback = site.prove(&mut browser, &authorize).await;
    let shown = browser.open(&callback).await.expect("answers");
    assert_eq!((shown.status, shown.location.as_str()), (StatusCode::BAD_REQUEST, ""), "no third attempt");
    assert!(shown.page.contains("does not accept cookies"), "{}", shown.page);
    assert!(shown.page.contains("<a class=\"button\" href=\"/_doorward/login\">Sign in again</a>"), "{}", shown.page);
    assert!(browser.cookie(COOKIE).is_none());
    // the link of the page begins a sign-in, for which cookies are kept
    let authorize = browser.open(&format!("{}/_doorward/login", site.own)).await.expect("answers").location;
    let callback = site.prove(&mut browser, &authorize).await;
    assert_eq!(browser.open(&callback).await.expect("answers").status, StatusCode::SEE_OTHER);
    assert!(!site.is_signed_out(&mut browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_with_an_error_whose_cookie_is_lost_is_not_begun_again() {
    let site = Site::start("edge-session-lost-error").await;
    for query in ["error=access_denied&state=x", "error=a&error=b&state=x", "error=access_denied"] {
        let answer = Browser::new().open(&format!("{}/_doorward/callback?{query}", site.own)).await.expect("answers");
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::BAD_REQUEST, ""), "{query}");
        assert!(answer.page.contains("Sign in again"), "{}", answer.page);
    }
}
