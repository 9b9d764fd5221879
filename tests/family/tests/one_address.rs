//! One process that has a data folder and ports, and nothing else configured: everything is at the URL of the edge.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::{Browser, Landing, Layout, Mode, TestFamily, access_token, log_on, note_secret};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
/// The cookie of a session at the edge.
const COOKIE: &str = "__Host-doorward";

struct OneAddress {
    family: TestFamily,
    /// The URL of the edge, of idp and of its issuer.
    url: String,
    /// The certificate that the edge has made.
    certificate: PathBuf,
}

impl OneAddress {
    async fn start(name: &str) -> Self {
        Self::start_with(name, &[]).await
    }

    async fn start_with(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut layout = Layout::new(name, false);
        for variable in ["PROXY_IDP_BACKEND", "PROXY_AUTH_APP_BACKEND", "PROXY_AUTH_BEARER_BACKEND"] {
            layout.unset(variable);
        }
        for (name, value) in variables {
            layout.set(name, value);
        }
        let port = layout.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
        let certificate = layout.folder().join("data/edge.crt");
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        Self { family, url: format!("https://localhost:{port}"), certificate }
    }

    fn browser(&self) -> Browser {
        Browser::trusting(&self.certificate)
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.browser().open(&format!("{}{path}", self.url)).await.expect("answers");
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        serde_json::from_str(&answer.page).expect("JSON")
    }

    /// An access token that a built-in client gets for einstein at the endpoints of an issuer.
    async fn access_token(&self, issuer: &str, client: &str, redirect_uri: &str) -> String {
        let who = ("einstein", self.family.layout.password.as_str());
        access_token(self.browser(), (&self.url, issuer), (client, redirect_uri), who).await
    }

    async fn navigate(&self, browser: &mut Browser, path: &str) -> Landing {
        browser.request(Method::GET, &format!("{}{path}", self.url), &[HTML]).await.expect("answers")
    }

    /// Signs einstein in, who wanted to go to this page.
    async fn sign_in(&self, browser: &mut Browser, path: &str) {
        let sent = self.navigate(browser, path).await;
        assert_eq!(sent.status, StatusCode::FOUND, "{sent:?}");
        let authorize = browser.open(&sent.location).await.expect("answers");
        assert!(authorize.location.starts_with(&self.url), "{authorize:?}");
        let page = browser.open(&authorize.location).await.expect("answers");
        let who = ("einstein", self.family.layout.password.as_str());
        let back = log_on(browser, &self.url, &page.location, who).await.expect("a sign-in page");
        assert!(back.location.starts_with(&format!("{}/_doorward/callback?", self.url)), "no consent: {back:?}");
        let landed = browser.open(&back.location).await.expect("answers");
        assert_eq!((landed.status, landed.location), (StatusCode::SEE_OTHER, format!("{}{path}", self.url)));
        note_secret(browser.cookie(COOKIE).expect("there is a session"));
    }

    /// Whether the edge knows the user of a request: without a route the answer is 404 then, and 401 otherwise.
    async fn is_known(&self, browser: &mut Browser, headers: &[(&'static str, &str)]) -> bool {
        let headers = [&[("accept", "*/*")][..], headers].concat();
        let answer = browser.request(Method::GET, &format!("{}/nothing", self.url), &headers).await.expect("answers");
        assert!(matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED), "{answer:?}");
        answer.status == StatusCode::NOT_FOUND
    }
}

/// `docs/security-requirements.md#r8`
#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_of_both_endpoint_profiles_open_the_edge() {
    let one = OneAddress::start("one-address-tokens").await;
    let (url, cells) = (one.url.clone(), format!("{}/oidc", one.url));
    assert_eq!(one.json("/.well-known/openid-configuration").await["issuer"], url.as_str());
    assert_eq!(one.json("/oidc/.well-known/openid-configuration").await["issuer"], cells.as_str());
    let callback = format!("{url}/oidc-callback.html");
    for (issuer, client, redirect_uri) in
        [(&url, "web", callback.as_str()), (&cells, "cells-client", "http://localhost:3636")]
    {
        let token = one.access_token(issuer, client, redirect_uri).await;
        let authorization = format!("Bearer {token}");
        assert!(one.is_known(&mut one.browser(), &[("authorization", &authorization)]).await, "{issuer}");
        let (user, _) = one.family.authenticate("bearer", "", &token).await.expect("opens the gateway");
        assert_eq!(user.username, "einstein");
    }
    assert!(!one.is_known(&mut one.browser(), &[]).await);
    assert!(!one.is_known(&mut one.browser(), &[("authorization", "Bearer junk")]).await);
}

/// `docs/security-requirements.md#i61`
#[tokio::test(flavor = "multi_thread")]
async fn webfinger_names_the_issuer_and_the_client_of_a_program() {
    let one = OneAddress::start_with("one-address-webfinger", &[("WEBFINGER_IOS_OIDC_CLIENT_ID", "our-ios")]).await;
    let encoded = one.url.replace(':', "%3A").replace('/', "%2F");
    for (platform, client) in [("desktop", "OpenCloudDesktop"), ("ios", "our-ios")] {
        let path = format!("/.well-known/webfinger?resource={encoded}&platform={platform}");
        let answer = one.json(&path).await;
        assert_eq!(answer["links"][0]["href"], one.url.as_str());
        assert_eq!(answer["properties"]["http://opencloud.eu/ns/oidc/client_id"], client);
        let members: Vec<_> = answer["properties"].as_object().expect("an object").keys().collect();
        assert_eq!(members, ["http://opencloud.eu/ns/oidc/client_id", "http://opencloud.eu/ns/oidc/scopes"]);
    }
}

/// `docs/security-requirements.md#r9`
#[tokio::test(flavor = "multi_thread")]
async fn browser_is_sent_to_sign_in_and_signed_out_with_the_session_of_idp() {
    let one = OneAddress::start("one-address-browser").await;
    let mut browser = one.browser();
    one.sign_in(&mut browser, "/page?q=1").await;
    assert!(one.is_known(&mut browser, &[]).await);

    let ended = browser.open(&format!("{}/signin/v1/identifier/_/endsession", one.url)).await.expect("answers");
    let form = [("csrf", ended.field("csrf"))];
    let target = format!("{}/signin/v1/identifier/_/logoff", one.url);
    let answer = browser.submit(&target, &one.url, &form).await.expect("answers");
    assert!(answer.status.is_success() || answer.status.is_redirection(), "{answer:?}");
    let signed_out = async {
        while one.is_known(&mut browser, &[]).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), signed_out).await.expect("the session has ended at the edge too");
}

/// `docs/security-requirements.md#e18`
#[tokio::test(flavor = "multi_thread")]
async fn restart_keeps_the_certificate_and_sessions() {
    let mut one = OneAddress::start("one-address-restart").await;
    let before = std::fs::read(&one.certificate).expect("a certificate");
    let mut browser = one.browser();
    one.sign_in(&mut browser, "/").await;
    one.family = one.family.restart(Mode::OneProcess, |_| ()).await;
    assert_eq!(std::fs::read(&one.certificate).expect("a certificate"), before);
    assert!(one.is_known(&mut browser, &[]).await, "the browser trusts the certificate, and is signed in");
}

/// `docs/security-requirements.md#e17`
#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_redirected_to_https() {
    let one = OneAddress::start("one-address-plain").await;
    let edge = one.url.trim_start_matches("https://");
    let say = async |request: String| {
        let mut stream = TcpStream::connect(edge).await.expect("connects");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut answer = Vec::new();
        // a connection that is closed while bytes are on their way may be reset
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = say(format!("GET /a?b=c HTTP/1.1\r\nHost: {edge}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains(&format!("location: https://{edge}/a?b=c\r\n")), "{answer}");
    for host in ["", "Host: a b\r\n", "Host: user@evil.example\r\n", "Host: a\r\nHost: b\r\n"] {
        let answer = say(format!("GET / HTTP/1.1\r\n{host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("location"), "{host}: {answer}");
    }
    let answer = say(format!("GET / HTTP/1.1\r\nHost: {edge}\r\nX: {}\r\n\r\n", "x".repeat(20_000))).await;
    assert!(!answer.contains("308"), "the head is bounded: {answer}");
}
