//! Several sign-ins of one browser at the same time.

use reqwest::StatusCode;
use testkit::Browser;

use super::site::Site;

/// The bytes of the cookies of sign-ins under way.
fn begun(browser: &Browser) -> usize {
    let names = browser.cookies().filter(|name| name.starts_with("doorward-login-"));
    names.map(|name| name.len() + browser.cookie(name).map_or(0, str::len)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_tabs_each_come_back_to_their_page() {
    let site = Site::start("edge-session-twelve").await;
    let mut browser = Browser::new();
    let mut tabs = Vec::new();
    for tab in 0..12 {
        let page = format!("/tab/{tab}?view={}", "a".repeat(60));
        tabs.push((site.begin(&mut browser, &page).await, page));
    }
    for (authorize, page) in &tabs {
        let callback = site.prove(&mut browser, authorize).await;
        let landed = browser.open(&callback).await.expect("answers");
        assert_eq!((landed.status, &landed.location), (StatusCode::SEE_OTHER, &format!("{}{page}", site.own)));
        let again = browser.open(&callback).await.expect("answers");
        assert_eq!((again.status, &again.location), (StatusCode::SEE_OTHER, &format!("{}{page}", site.own)), "reload");
    }
    assert!(!site.is_signed_out(&mut browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_of_pages_with_long_addresses_all_end_in_a_session() {
    let site = Site::start("edge-session-long").await;
    let mut browser = Browser::new();
    let page = |tab: usize| format!("{}/search/{tab}?q={}", site.own, "b".repeat(1500));
    let mut tabs = Vec::new();
    for tab in 0..12 {
        tabs.push(site.begin(&mut browser, page(tab).trim_start_matches(&site.own)).await);
        assert!(begun(&browser) <= 8 * 1024, "{} bytes of cookies would fill a request", begun(&browser));
    }
    let mut landings = Vec::new();
    for (tab, authorize) in tabs.iter().enumerate().rev() {
        let callback = site.prove(&mut browser, authorize).await;
        let landed = browser.open(&callback).await.expect("answers");
        assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
        // a tab that has made room for others leads to the first page
        assert!(landed.location == page(tab) || landed.location == format!("{}/", site.own), "{landed:?}");
        landings.push(landed.location);
        assert!(!site.is_signed_out(&mut browser).await);
    }
    assert_eq!(landings[0], page(11), "1,500 characters are remembered");
}
