//! Clients that cannot prove who they are: without PKCE the user confirms them each time (row I21).

use super::*;

/// A built-in native client: trusted (Cells) or with a remembered consent (OpenCloud).
struct Native {
    layout: EndpointProfile,
    client: &'static str,
    back: &'static str,
}

const NATIVE: [Native; 4] = [
    Native { layout: EndpointProfile::Cells, client: "cells-sync", back: "http://localhost:3636" },
    Native { layout: EndpointProfile::Cells, client: "cells-mobile", back: "cellsauth://callback" },
    Native { layout: EndpointProfile::OpenCloud, client: "OpenCloudDesktop", back: "http://127.0.0.1:51004" },
    Native { layout: EndpointProfile::OpenCloud, client: "OpenCloudIOS", back: "oc://ios.opencloud.eu" },
];

impl Native {
    async fn ask(&self, bench: &Bench, browser: &mut Browser, more: &[(&str, &str)]) -> Reply {
        let path = bench.provider.endpoints(self.layout).expect("is served").paths.authorization;
        let mut query = vec![("client_id", self.client), ("redirect_uri", self.back), ("scope", "openid")];
        if !more.iter().any(|(name, _)| *name == "response_type") {
            query.push(("response_type", "code"));
        }
        query.extend_from_slice(more);
        bench.get(browser, path, &query).await
    }

    /// Goes on from a request that leads to the question for consent, and agrees.
    async fn confirm(&self, bench: &Bench, browser: &mut Browser, reply: &Reply) -> Reply {
        let form = self.question(bench, browser, reply).await;
        let flow = form.field("flow").expect("a flow").to_owned();
        let csrf = form.csrf();
        let sent = [("flow", flow.as_str()), ("csrf", csrf.as_str()), ("decision", "allow")];
        bench.post(browser, page::CONSENT, &sent).await
    }

    async fn question(&self, bench: &Bench, browser: &mut Browser, reply: &Reply) -> Reply {
        let flow = answered(reply, "flow").unwrap_or_else(|| panic!("{}: {reply:?}", self.client));
        let form = follow(bench, browser, &flow).await;
        assert!(form.text.contains("value=\"allow\""), "{}: {}", self.client, form.text);
        form
    }
}

const PKCE: [(&str, &str); 2] = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];

#[tokio::test]
async fn native_client_without_pkce_is_confirmed_at_each_visit() {
    let bench = Bench::new().await;
    for native in &NATIVE {
        let mut browser = Browser::default();
        bench.sign_in(&mut browser, EINSTEIN).await;
        for _ in 0..2 {
            let reply = native.ask(&bench, &mut browser, &[("state", "s")]).await;
            let answer = native.confirm(&bench, &mut browser, &reply).await;
            assert!(answered(&answer, "code").is_some(), "{}: {answer:?}", native.client);
        }
    }
}

#[tokio::test]
async fn native_client_with_pkce_is_answered_without_a_question_at_the_second_visit() {
    let bench = Bench::new().await;
    for native in &NATIVE {
        let mut browser = Browser::default();
        bench.sign_in(&mut browser, EINSTEIN).await;
        let first = native.ask(&bench, &mut browser, &PKCE).await;
        if answered(&first, "code").is_none() {
            native.confirm(&bench, &mut browser, &first).await;
        }
        let second = native.ask(&bench, &mut browser, &PKCE).await;
        assert!(answered(&second, "code").is_some(), "{}: {second:?}", native.client);
        let silent = native.ask(&bench, &mut browser, &[PKCE.as_slice(), &[("prompt", "none")]].concat()).await;
        assert!(answered(&silent, "code").is_some(), "{}: {silent:?}", native.client);
    }
}

#[tokio::test]
async fn native_client_without_pkce_gets_interaction_required_for_prompt_none() {
    let bench = Bench::new().await;
    for native in &NATIVE {
        let mut browser = Browser::default();
        let silent = native.ask(&bench, &mut browser, &[("prompt", "none")]).await;
        assert_eq!(answered(&silent, "error").as_deref(), Some("login_required"), "{}", native.client);
        bench.sign_in(&mut browser, EINSTEIN).await;
        let reply = native.ask(&bench, &mut browser, &[]).await;
        native.confirm(&bench, &mut browser, &reply).await;
        let silent = native.ask(&bench, &mut browser, &[("prompt", "none")]).await;
        assert_eq!(answered(&silent, "error").as_deref(), Some("interaction_required"), "{}", native.client);
    }
}

#[tokio::test]
async fn pkce_does_not_spare_the_confirmation_where_a_token_comes_by_the_browser() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let desktop = &NATIVE[2];
    for kind in ["token", "code token", "code id_token"] {
        let more = [PKCE.as_slice(), &[("response_type", kind), ("nonce", "n")]].concat();
        for _ in 0..2 {
            let reply = desktop.ask(&bench, &mut browser, &more).await;
            let answer = desktop.confirm(&bench, &mut browser, &reply).await;
            assert!(answered(&answer, "iss").is_some() && answered(&answer, "error").is_none(), "{kind}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn secret_spares_the_confirmation_of_a_code_and_not_of_a_token_that_comes_by_the_browser() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let back = "http://127.0.0.1/cb";
    let more = json!({
        "application_type": "native", "token_endpoint_auth_method": "client_secret_basic", "pkce": "optional",
        "consent": "trusted", "redirect_uris": [back], "response_types": ["code", "code token"],
    });
    bench.add("app", &more).await;
    for (kind, is_asked) in [("code", false), ("code token", true)] {
        let query = [("client_id", "app"), ("response_type", kind), ("redirect_uri", back), ("scope", "openid")];
        let reply = authorize(&bench, &mut browser, &query).await;
        assert_eq!(answered(&reply, "code").is_none(), is_asked, "{kind}: {reply:?}");
        assert_eq!(answered(&reply, "flow").is_some(), is_asked, "{kind}: {reply:?}");
    }
}

#[tokio::test]
async fn consent_is_remembered_where_the_redirect_uri_proves_the_client() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    bench.sign_in(&mut browser, EINSTEIN).await;
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    let reply = authorize(&bench, &mut browser, &query).await;
    assert!(answered(&reply, "code").is_some(), "{reply:?}");
}

#[tokio::test]
async fn built_in_web_client_needs_pkce() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let back = "https://cloud.example/oidc-callback.html";
    let plain = [("client_id", "web"), ("response_type", "code"), ("redirect_uri", back), ("scope", "openid")];
    let reply = authorize(&bench, &mut browser, &plain).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("invalid_request"), "{reply:?}");
    let query: Vec<_> = plain.into_iter().chain(PKCE).collect();
    let reply = authorize(&bench, &mut browser, &query).await;
    assert!(answered(&reply, "code").is_some(), "{reply:?}");
}
