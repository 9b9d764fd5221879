//! People sign in with a browser, at the family's own provider, and have a session at the edge.

use std::time::Duration;

use authn::{Claim, Directory, Groups};
use doorward::Member;
use reqwest::{Method, StatusCode};
use runtime::Clock;
use testkit::{Browser, Landing, Layout, note_secret};

use crate::backend::header;
use crate::raw;
use crate::world::{World, client};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const CLIENT_SECRET: &str = "k8Zr0wVqT2yN5mXc1bLd7hGf4jPs6aUe";
const COOKIE: &str = "doorward";

/// A family with the provider, the edge as its client, and a clock that the test moves.
struct Site {
    world: World,
    /// The edge, as browsers know it.
    own: String,
    issuer: String,
    clock: Clock,
}

impl Site {
    async fn start(name: &str) -> Self {
        Self::start_with(name, |_| ()).await
    }

    async fn start_with(name: &str, more: impl FnOnce(&mut Layout)) -> Self {
        note_secret(CLIENT_SECRET);
        let clock = Clock::manual(Clock::system().now());
        let (mut own, mut issuer) = (String::new(), String::new());
        let told = |layout: &mut Layout| {
            own = local(layout, "PROXY_HTTP_ADDR");
            issuer = local(layout, "IDP_HTTP_ADDR");
            tell(layout, &own, &issuer);
            more(layout);
        };
        let moved = clock.clone();
        let world = World::start_in(name, told, |context| runtime::Context { clock: moved, ..context }).await;
        Self { world, own, issuer, clock }
    }

    /// A browser goes to a page.
    async fn navigate(&self, browser: &mut Browser, path: &str) -> Landing {
        browser.request(Method::GET, &format!("{}{path}", self.own), &[HTML]).await.expect("the edge answers")
    }

    /// A script of the page asks for data.
    async fn fetch(&self, browser: &mut Browser, method: &str, path: &str, site: &str) -> StatusCode {
        let method = method.parse().expect("a method");
        let headers = [("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-site", site)];
        browser.request(method, &format!("{}{path}", self.own), &headers).await.expect("the edge answers").status
    }

    /// From a page of the edge to that of the provider; where the provider is asked.
    async fn begin(&self, browser: &mut Browser, path: &str) -> String {
        let sent = self.navigate(browser, path).await;
        assert_eq!(sent.status, StatusCode::FOUND, "{sent:?}");
        assert!(sent.location.starts_with(&format!("{}/_doorward/login?rd=", self.own)), "{sent:?}");
        let asked = browser.open(&sent.location).await.expect("answers");
        assert!(asked.location.starts_with(&self.issuer), "{asked:?}");
        asked.location
    }

    /// Proves who somebody is at the provider, unless it knows already; where it sends the browser back to.
    async fn prove(&self, browser: &mut Browser, authorize: &str) -> String {
        let begin = browser.open(authorize).await.expect("answers");
        if begin.location.starts_with(&self.own) {
            return begin.location;
        }
        let page = format!("{}{}", self.issuer, begin.location.trim_start_matches(&self.issuer));
        let page = browser.open(&page).await.expect("answers");
        let password = &self.world.family.layout.password;
        let form = [
            ("flow", page.field("flow")),
            ("csrf", page.field("csrf")),
            ("username", "einstein"),
            ("password", password),
        ];
        let target = format!("{}/signin/v1/identifier/_/logon", self.issuer);
        let back = browser.submit(&target, &self.issuer, &form).await.expect("answers");
        assert!(back.location.starts_with(&format!("{}/_doorward/callback?", self.own)), "{back:?}");
        back.location
    }

    /// Signs einstein in, who wanted to go to this page.
    async fn sign_in(&self, browser: &mut Browser, path: &str) {
        let authorize = self.begin(browser, path).await;
        let callback = self.prove(browser, &authorize).await;
        let landed = browser.open(&callback).await.expect("answers");
        assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
        assert_eq!(landed.location, format!("{}{path}", self.own));
        note_secret(browser.cookie(COOKIE).expect("there is a session"));
    }

    /// Nobody is signed in any more.
    async fn is_signed_out(&self, browser: &mut Browser) -> bool {
        self.fetch(browser, "GET", "/a", "same-origin").await == StatusCode::UNAUTHORIZED
    }
}

fn local(layout: &Layout, name: &str) -> String {
    let port = layout.variables()[name].rsplit_once(':').expect("a port").1.to_owned();
    format!("http://localhost:{port}")
}

fn tell(layout: &mut Layout, own: &str, issuer: &str) {
    let clients = layout.folder().join("clients.yaml");
    let file = format!(
        "clients:\n  - id: edge\n    secret: {CLIENT_SECRET}\n    trusted: true\n    application_type: native\n    \
         redirect_uris: [\"{own}/_doorward/callback\"]\n    post_logout_redirect_uris: [\"{own}/_doorward/logout\"]\n    \
         token_endpoint_auth_method: client_secret_basic\n    access_token_claims: [preferred_username]\n    \
         backchannel_logout_uri: {own}/_doorward/backchannel_logout\n"
    );
    std::fs::write(&clients, file).expect("writes");
    let bearer = layout.address(Member::AuthBearer).to_string();
    let secret = "a-secret-for-cookies-of-32-bytes-or-more";
    note_secret(secret);
    for (name, value) in [
        ("IDP_CLIENTS_FILE", clients.display().to_string().as_str()),
        ("IDP_ISS", issuer),
        ("IDP_ALLOW_PRIVATE_ADDRESSES", "true"),
        ("AUTH_BEARER_OIDC_ISSUER", issuer),
        ("AUTH_BEARER_OIDC_AUDIENCE", "edge"),
        ("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true"),
        ("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer"),
        ("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer),
        ("PROXY_OIDC_ISSUER", issuer),
        ("PROXY_URL", own),
        ("PROXY_SESSION_CLIENT_ID", "edge"),
        ("PROXY_SESSION_CLIENT_SECRET", CLIENT_SECRET),
        ("PROXY_SESSION_SECRET", secret),
    ] {
        layout.set(name, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_who_goes_to_a_page_signs_in_and_comes_back_to_it() {
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

#[tokio::test(flavor = "multi_thread")]
async fn e14_scripts_and_programs_are_not_sent_to_a_page() {
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

#[tokio::test(flavor = "multi_thread")]
async fn e12_another_sites_page_changes_nothing() {
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
async fn only_the_answer_to_what_this_browser_has_begun_is_taken() {
    let site = Site::start("edge-session-answers").await;
    let mut browser = Browser::new();
    let refused = async |browser: &mut Browser, url: &str| {
        let answer = browser.open(url).await.expect("answers");
        assert!(answer.status.is_client_error() && browser.cookie(COOKIE).is_none(), "{url}: {answer:?}");
    };

    let authorize = site.begin(&mut browser, "/a").await;
    let callback = site.prove(&mut browser, &authorize).await;
    refused(&mut browser.clone(), &callback.replace("state=", "state=x")).await;
    refused(&mut Browser::new(), &callback).await;
    let other = format!("{}&iss=http%3A%2F%2Fevil.example", callback.split("&iss=").next().expect("a beginning"));
    refused(&mut browser.clone(), &other).await;
    refused(&mut browser.clone(), &format!("{callback}&iss=http%3A%2F%2Fevil.example")).await;
    refused(&mut browser.clone(), callback.split("&iss=").next().expect("a beginning")).await;
    refused(&mut browser.clone(), &callback.replace("code=", "code=x")).await;
    let before = browser.clone();
    assert_eq!(browser.open(&callback).await.expect("answers").status, StatusCode::SEE_OTHER);
    refused(&mut before.clone(), &callback).await;

    // it is over for this browser too
    let mut again = browser.clone();
    again.forget(COOKIE);
    refused(&mut again, &callback).await;

    let mut other = Browser::new();
    let authorize = site.begin(&mut other, "/a").await;
    let nonce = authorize.split("nonce=").nth(1).and_then(|rest| rest.split('&').next()).expect("a nonce");
    let callback = site.prove(&mut other, &authorize.replace(nonce, "another-nonce")).await;
    refused(&mut other, &callback).await;
    let denied = site.begin(&mut other, "/a").await;
    let state = denied.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    let iss = form_urlencoded::byte_serialize(site.issuer.as_bytes()).collect::<String>();
    let answer = format!("{}/_doorward/callback?error=access_denied&state={state}&iss={iss}", site.own);
    refused(&mut other, &answer).await;
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
    let asked = browser.open(&wanted).await.expect("answers");
    let callback = site.prove(&mut browser, &asked.location).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!(landed.location, format!("{}/", site.own), "nowhere else");
}

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

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_here_at_the_provider_and_in_every_other_browser_of_that_session() {
    let site = Site::start("edge-session-logout").await;
    let mut one = Browser::new();
    site.sign_in(&mut one, "/a").await;
    // the provider's session is the same, the edge's is another
    let mut two = one.clone();
    two.forget(COOKIE);
    site.sign_in(&mut two, "/a").await;
    assert_ne!(one.cookie(COOKIE), two.cookie(COOKIE));
    assert!(!site.is_signed_out(&mut one).await && !site.is_signed_out(&mut two).await);
    let kept = one.cookie(COOKIE).expect("a session").to_owned();

    let url = format!("{}/_doorward/logout", site.own);
    let sent = one.submit(&url, &site.own, &[]).await.expect("answers");
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert!(sent.location.starts_with(&site.issuer) && sent.location.contains("id_token_hint="), "{sent:?}");
    assert_eq!(one.cookie(COOKIE), None);
    let mut thief = Browser::new();
    thief.keep(COOKIE, &kept);
    assert!(site.is_signed_out(&mut thief).await, "the session is no more, whoever has the cookie");

    let ended = one.open(&sent.location).await.expect("answers");
    assert_eq!(ended.location, url, "{ended:?}");
    let page = one.open(&ended.location).await.expect("answers");
    assert!(page.page.contains("You are signed out"), "{page:?}");
    // the provider has told it
    let told = async {
        while !site.is_signed_out(&mut two).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("the other browser's session has ended");
    assert_eq!(site.navigate(&mut two, "/a").await.status, StatusCode::FOUND);

    let authorize = site.begin(&mut one, "/a").await;
    let asked = one.open(&authorize).await.expect("answers");
    assert!(!asked.location.starts_with(&site.own), "the provider asks for the password again: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_word_of_a_sign_out_ends_nothing() {
    let site = Site::start("edge-session-forged").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    let url = format!("{}/_doorward/backchannel_logout", site.own);
    for token in ["", "junk", &site.world.token, "eyJhbGciOiJub25lIn0.e30."] {
        let answer = browser.submit(&url, &site.issuer, &[("logout_token", token)]).await.expect("answers");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{token}");
    }
    assert_eq!(client().post(&url).send().await.expect("answers").status(), StatusCode::BAD_REQUEST);
    assert_eq!(client().get(&url).send().await.expect("answers").status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!site.is_signed_out(&mut browser).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_exchanged_behind_the_scenes_until_the_session_is_over() {
    let site = Site::start("edge-session-refresh").await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    for hours in 1..=3 {
        site.clock.advance(Duration::from_hours(1));
        assert!(!site.is_signed_out(&mut browser).await, "after {hours} hours");
    }
    let seen = site.world.backend.take();
    let tokens: Vec<_> = seen.iter().flat_map(|seen| header(seen, "x-access-token")).collect();
    assert_eq!(tokens.len(), 3, "every request has one: {seen:?}");
    let token = tokens.last().expect("there is one");
    assert_eq!(site.world.family.who_am_i(token).await.expect("the last one is good").username, "einstein");

    site.clock.advance(Duration::from_hours(13));
    assert!(site.is_signed_out(&mut browser).await, "nobody has used it for too long");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_does_not_exchange_any_more_ends_the_session() {
    let site = Site::start_with("edge-session-refused", |layout| {
        layout.set("IDP_REFRESH_TOKEN_EXPIRATION", "30m");
    })
    .await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    site.clock.advance(Duration::from_mins(20));
    assert!(!site.is_signed_out(&mut browser).await, "it is exchanged");
    site.world.backend.take();
    site.clock.advance(Duration::from_hours(1));
    assert!(site.is_signed_out(&mut browser).await);
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::FOUND);
    assert!(site.world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_whoever_is_not_let_in_after_signing_in_is_not_sent_in_circles() {
    let site = Site::start_with("edge-session-circles", |layout| {
        layout.set("AUTH_BEARER_OIDC_AUDIENCE", "somebody-else");
    })
    .await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser, "/a").await;
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::UNAUTHORIZED);
    site.clock.advance(Duration::from_secs(61));
    assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::FOUND, "later it may help");
    assert!(site.world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn schemes_of_other_proxies_compare_without_case_and_include_those_of_websockets() {
    let site = Site::start_with("edge-session-schemes", |layout| {
        layout.set("PROXY_VERIFY_PROXY", "traefik");
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let host = site.own.trim_start_matches("http://");
    for (proto, status) in [("ws", 401), ("HTTP", 401), ("wss", 401), ("HTTPS", 401), ("Wss", 401), ("ftp", 403)] {
        let told = [
            ("x-forwarded-uri", "/a"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-host", host),
            ("x-forwarded-proto", proto),
        ];
        assert_eq!(verify(&site, &told).await.status().as_u16(), status, "{proto}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_at_another_port_of_the_own_host_leads_to_the_sign_in_and_back() {
    let site = Site::start_with("edge-session-port", |layout| {
        layout.set("PROXY_VERIFY_PROXY", "traefik");
        layout.set("PROXY_TRUSTED_PROXIES", "127.0.0.1");
    })
    .await;
    let told = [
        ("x-forwarded-uri", "/a?b"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-host", "localhost:8443"),
        ("x-forwarded-proto", "http"),
    ];
    let sent = verify(&site, &[&told[..], &[HTML]].concat()).await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    let mut browser = Browser::new();
    let login = sent.headers()["location"].to_str().expect("text").to_owned();
    assert!(login.starts_with(&format!("{}/_doorward/login?rd=", site.own)), "{login}");
    let asked = browser.open(&login).await.expect("answers");
    let callback = site.prove(&mut browser, &asked.location).await;
    let landed = browser.open(&callback).await.expect("answers");
    assert_eq!(landed.location, "http://localhost:8443/a?b");
    let cookie = format!("{COOKIE}={}", browser.cookie(COOKIE).expect("a session"));
    let passed = verify(&site, &[&told[..], &[("cookie", cookie.as_str())]].concat()).await;
    assert_eq!(passed.status(), StatusCode::OK, "the session is sent to every port of the host");
}

async fn verify(site: &Site, headers: &[(&'static str, &str)]) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let request = client.expect("a client").get(format!("{}/verify", site.own));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.expect("answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_other_proxies_are_told_where_people_sign_in() {
    for (proxy, prefix, status, told_in) in
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
        let asked = |host: &str| {
            let values = ["/a?b=c".to_owned(), "GET".to_owned(), host.to_owned(), "http".to_owned()];
            names.into_iter().zip(values).collect::<Vec<_>>()
        };
        let plain = asked(&host);
        let plain: Vec<_> = plain.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = verify(&site, &[&plain[..], &[HTML]].concat()).await;
        let login = format!("{}/_doorward/login?rd=%2Fa%3Fb%3Dc", site.own);
        assert_eq!(page.status().as_u16(), status, "{proxy}");
        assert_eq!(page.headers()[told_in].to_str().expect("text"), login, "{proxy}");
        assert_eq!(verify(&site, &plain).await.status(), StatusCode::UNAUTHORIZED, "{proxy}: no page");
        let other = asked("other.example");
        let other: Vec<_> = other.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let elsewhere = verify(&site, &[&other[..], &[HTML]].concat()).await;
        assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED, "{proxy}: it is never sent the session");
        assert!(!elsewhere.headers().contains_key(told_in), "{proxy}");

        let mut browser = Browser::new();
        let asked = browser.open(&login).await.expect("answers");
        let callback = site.prove(&mut browser, &asked.location).await;
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

/// The clock is two hours ahead when a password is changed, and is corrected afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn clock_corrected_backwards_locks_no_user_out() {
    let site = Site::start("edge-session-clock").await;
    let family = &site.world.family;
    let before = site.world.token.clone();
    let mut earlier = Browser::new();
    site.sign_in(&mut earlier, "/a").await;
    // what is from before the change is older
    site.clock.advance(Duration::from_secs(2));
    let password = family.layout.password.clone();
    let passwd = ["user", "passwd", "einstein", "--password-stdin"];
    assert_eq!(family.command(&passwd, &password).await.code, 0);

    site.clock.set(site.clock.now() - Duration::from_hours(2));
    let directory = authn::directory::Remote::users(family.channel(Member::Users));
    let id = directory
        .user_by_claim(&Claim::Username("einstein".to_owned()), Groups::Skip)
        .await
        .expect("einstein")
        .id
        .clone();
    for step in ["at once", "after another change"] {
        let mut browser = Browser::new();
        site.sign_in(&mut browser, "/a").await;
        assert_eq!(site.navigate(&mut browser, "/a").await.status, StatusCode::OK, "{step}");
        let token = family.app_token("einstein").await;
        family.authenticate("appauth", "einstein", &token).await.expect(step);
        family.authenticate("appauth", "einstein", &before).await.expect_err("it is from before the change");
        assert!(site.is_signed_out(&mut earlier).await, "{step}: so is this session");
        let (_, admin) = family.authenticate("basic", "admin", &password).await.expect("an administrator");
        directory.note_password_change(&id, site.clock.now(), &admin).await.expect("an administrator may");
        family.authenticate("appauth", "einstein", &token).await.expect_err("it is from before another change");
    }
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
