//! Sessions where another proxy asks `/verify`.

use reqwest::StatusCode;
use testkit::Browser;

use super::site::Site;
use super::{COOKIE, HTML};

#[tokio::test(flavor = "multi_thread")]
async fn schemes_of_other_proxies_compare_without_case_and_include_those_of_websockets() {
    let site = Site::start_with("edge-session-schemes", |layout| {
        layout.set("PROXY_VERIFY_PROXY", "traefik");
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let host = site.own.trim_start_matches("http://");
    for (proto, status) in [("ws", 401), ("HTTP", 401), ("wss", 401), ("HTTPS", 401), ("Wss", 401), ("ftp", 403)] {
        let forwarded = [
            ("x-forwarded-uri", "/a"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-host", host),
            ("x-forwarded-proto", proto),
        ];
        assert_eq!(verify(&site, &forwarded).await.status().as_u16(), status, "{proto}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_at_another_port_of_the_own_host_leads_to_the_sign_in_and_back() {
    let site = Site::start_with("edge-session-port", |layout| {
        layout.set("PROXY_VERIFY_PROXY", "traefik");
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let forwarded = [
        ("x-forwarded-uri", "/a?b"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-host", "localhost:8443"),
        ("x-forwarded-proto", "http"),
    ];
    let sent = verify(&site, &[&forwarded[..], &[HTML]].concat()).await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    let mut browser = Browser::new();
    let login = sent.headers()["location"].to_str().expect("text").to_owned();
    assert!(login.starts_with(&format!("{}/_doorward/login?rd=", site.own)), "{login}");
    let authorize = browser.open(&login).await.expect("answers");
    let callback = site.prove(&mut browser, &authorize.location).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!(landed.location, "http://localhost:8443/a?b");
    let cookie = format!("{COOKIE}={}", browser.cookie(COOKIE).expect("a session"));
    let passed = verify(&site, &[&forwarded[..], &[("cookie", cookie.as_str())]].concat()).await;
    assert_eq!(passed.status(), StatusCode::OK, "the session is sent to every port of the host");

    // both the origin of the edge and that of the page may change something, another port may not (row E12)
    for (origin, status) in [("http://localhost:8443", 200), (&*site.own, 200), ("http://localhost:1", 403)] {
        let post = [
            ("x-forwarded-uri", "/a"),
            ("x-forwarded-method", "POST"),
            ("x-forwarded-host", "localhost:8443"),
            ("x-forwarded-proto", "http"),
            ("cookie", cookie.as_str()),
            ("origin", origin),
        ];
        assert_eq!(verify(&site, &post).await.status().as_u16(), status, "{origin}");
    }
}

async fn verify(site: &Site, headers: &[(&'static str, &str)]) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let request = client.expect("a client").get(format!("{}/verify", site.own));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.expect("answers")
}

/// Row E14.
#[tokio::test(flavor = "multi_thread")]
async fn other_proxies_get_the_sign_in_address() {
    for (proxy, prefix, status, location_header) in
        [("caddy", "forwarded", 302, "location"), ("nginx", "original", 401, "x-doorward-login")]
    {
        let site = Site::start_with(&format!("edge-session-{proxy}"), |layout| {
            layout.set("PROXY_VERIFY_PROXY", proxy);
            layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
        })
        .await;
        let host = site.own.trim_start_matches("http://").to_owned();
        let names: [&'static str; 4] = match prefix {
            "forwarded" => ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-host", "x-forwarded-proto"],
            _ => ["x-original-uri", "x-original-method", "x-original-host", "x-original-proto"],
        };
        let verified = |host: &str| {
            let values = ["/a?b=c".to_owned(), "GET".to_owned(), host.to_owned(), "http".to_owned()];
            names.into_iter().zip(values).collect::<Vec<_>>()
        };
        let plain = verified(&host);
        let plain: Vec<_> = plain.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = verify(&site, &[&plain[..], &[HTML]].concat()).await;
        let login = format!("{}/_doorward/login?rd=%2Fa%3Fb%3Dc", site.own);
        assert_eq!(page.status().as_u16(), status, "{proxy}");
        assert_eq!(page.headers()[location_header].to_str().expect("text"), login, "{proxy}");
        assert_eq!(verify(&site, &plain).await.status(), StatusCode::UNAUTHORIZED, "{proxy}: no page");
        let other = verified("other.example");
        let other: Vec<_> = other.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let elsewhere = verify(&site, &[&other[..], &[HTML]].concat()).await;
        assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED, "{proxy}: it is never sent the session");
        assert!(!elsewhere.headers().contains_key(location_header), "{proxy}");

        let mut browser = Browser::new();
        let authorize = browser.open(&login).await.expect("answers");
        let callback = site.prove(&mut browser, &authorize.location).await;
        browser.open(&callback).await.expect("answers");
        let cookie = format!("{COOKIE}={}", browser.cookie(COOKIE).expect("a session"));
        let passed = verify(&site, &[&plain[..], &[("cookie", cookie.as_str())]].concat()).await;
        assert_eq!(passed.status(), StatusCode::OK, "{proxy}");
        let token = passed.headers()["x-access-token"].to_str().expect("text");
        assert_eq!(site.world.family.who_am_i(token).await.expect("the token is good").username, "einstein");

        // a proxy does not pass Upgrade on when it asks
        for (origin, status) in [("http://evil.example", StatusCode::FORBIDDEN), (&*site.own, StatusCode::OK)] {
            let handshake = [("cookie", cookie.as_str()), ("sec-websocket-key", "a2V5"), ("origin", origin)];
            let answer = verify(&site, &[&plain[..], &handshake].concat()).await;
            assert_eq!(answer.status(), status, "{proxy}: a WebSocket of {origin}");
        }
    }
}
