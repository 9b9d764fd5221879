//! Pushed requests (RFC 9126), and the `DPoP` key that they and other requests bind the code to (RFC 9449 10).

use super::*;

const PUSHED: &str = "/konnect/v1/par";
const TOKEN: &str = "/konnect/v1/token";

/// A provider with the trusted client `app`, and a browser with a session.
async fn signed_in() -> (Bench, Browser) {
    let bench = Bench::new().await;
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    (bench, browser)
}

async fn push(bench: &Bench, more: &[(&str, &str)], proof: Option<&str>) -> Reply {
    let mut form = vec![("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    form.extend_from_slice(more);
    let headers: Vec<_> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
    bench.post_with(&mut Browser::default(), PUSHED, &form, &headers).await
}

/// The `request_uri` of a request that was pushed.
#[track_caller]
fn uri(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["request_uri"].as_str().expect("text").to_owned()
}

async fn load(bench: &Bench, browser: &mut Browser, uri: &str) -> Reply {
    authorize(bench, browser, &[("client_id", "app"), ("request_uri", uri)]).await
}

#[tokio::test]
async fn pushed_request_with_a_proof_of_another_key_than_dpop_jkt_is_rejected() {
    let (bench, _) = signed_in().await;
    let (one, other) = (DpopKey::new(), DpopKey::new());
    let reply = push(&bench, &[("dpop_jkt", &other.thumbprint())], Some(&one.proof(&bench, PUSHED))).await;
    assert_refused(&reply, "invalid_dpop_proof");
    let object = unsigned(&json!({
        "client_id": "app", "response_type": "code", "redirect_uri": BACK, "scope": "openid",
        "dpop_jkt": other.thumbprint(),
    }));
    let form = [("client_id", "app"), ("request", object.as_str())];
    let proof = one.proof(&bench, PUSHED);
    let reply = bench.post_with(&mut Browser::default(), PUSHED, &form, &[("dpop", &proof)]).await;
    assert_refused(&reply, "invalid_dpop_proof");
    let same = push(&bench, &[("dpop_jkt", &one.thumbprint())], Some(&one.proof(&bench, PUSHED))).await;
    assert_eq!(same.status, 201, "{}", same.text);
    let elsewhere = push(&bench, &[], Some(&one.proof(&bench, TOKEN))).await;
    assert_refused(&elsewhere, "invalid_dpop_proof");
}

#[tokio::test]
async fn code_is_bound_to_the_dpop_key_of_the_request_however_that_was_sent() {
    let (bench, mut browser) = signed_in().await;
    let (own, other) = (DpopKey::new(), DpopKey::new());
    let jkt = own.thumbprint();
    let plain = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    let object = unsigned(&json!({
        "client_id": "app", "response_type": "code", "redirect_uri": BACK, "scope": "openid", "dpop_jkt": jkt,
    }));
    for way in ["proof at the pushed request", "dpop_jkt pushed", "dpop_jkt", "request object", "pushed object"] {
        for (key, is_own) in [(Some(&other), false), (None, false), (Some(&own), true)] {
            // a pushed request is answered once, so that each try needs its own
            let reply = match way {
                "proof at the pushed request" => push(&bench, &[], Some(&own.proof(&bench, PUSHED))).await,
                "dpop_jkt pushed" => push(&bench, &[("dpop_jkt", &jkt)], None).await,
                "pushed object" => {
                    let form = [("client_id", "app"), ("request", object.as_str())];
                    bench.post_with(&mut Browser::default(), PUSHED, &form, &[]).await
                }
                way => {
                    let name =
                        if way == "dpop_jkt" { ("dpop_jkt", jkt.as_str()) } else { ("request", object.as_str()) };
                    let query: Vec<_> = plain.into_iter().chain([name]).collect();
                    authorize(&bench, &mut browser, &query).await
                }
            };
            let reply = if reply.status == 201 { load(&bench, &mut browser, &uri(&reply)).await } else { reply };
            let code = answered(&reply, "code").unwrap_or_else(|| panic!("{way}: {} {}", reply.status, reply.text));
            let proof = key.map(|key| key.proof(&bench, TOKEN));
            let reply = redeem(&bench, &code, proof.as_deref()).await;
            if is_own {
                assert_eq!((reply.status.as_u16(), &reply.json()["token_type"]), (200, &json!("DPoP")), "{way}");
            } else {
                assert_refused(&reply, "invalid_grant");
            }
        }
    }
}

#[tokio::test]
async fn pushed_request_can_be_loaded_again_until_it_is_answered() {
    let (bench, _) = signed_in().await;
    let uri = uri(&push(&bench, &[("state", "s")], None).await);
    let mut browser = Browser::default();
    for _ in 0..2 {
        let reply = load(&bench, &mut browser, &uri).await;
        assert!(reply.location().is_some_and(|to| to.contains("/signin/v1/identifier?flow=")), "{}", reply.text);
    }
    bench.sign_in(&mut browser, EINSTEIN).await;
    let answer = load(&bench, &mut browser, &uri).await;
    assert!(answered(&answer, "code").is_some(), "{answer:?}");
    let again = load(&bench, &mut browser, &uri).await;
    assert_eq!((again.status.as_u16(), again.location()), (400, None), "it was answered");
}

#[tokio::test]
async fn pushed_request_is_answered_once_however_many_flows_began_with_it() {
    let (bench, _) = signed_in().await;
    let uri = uri(&push(&bench, &[], None).await);
    let mut browsers = [Browser::default(), Browser::default()];
    let mut flows = Vec::new();
    for browser in &mut browsers {
        let reply = load(&bench, browser, &uri).await;
        flows.push(answered(&reply, "flow").expect("a flow"));
        bench.sign_in(browser, EINSTEIN).await;
    }
    let [first, second] = &mut browsers;
    let answer = follow(&bench, first, &flows[0]).await;
    assert!(answered(&answer, "code").is_some(), "{answer:?}");
    let late = follow(&bench, second, &flows[1]).await;
    assert_eq!((late.status.as_u16(), late.location()), (400, None), "{}", late.text);
}

#[tokio::test]
async fn pushed_request_is_used_up_by_an_error_too_and_not_by_another_client() {
    let (bench, _) = signed_in().await;
    bench.add("other", &json!({ "pkce": "optional" })).await;
    let uri = uri(&push(&bench, &[("prompt", "none")], None).await);
    let foreign = [("client_id", "other"), ("request_uri", uri.as_str())];
    assert_eq!(authorize(&bench, &mut Browser::default(), &foreign).await.location(), None);
    let reply = load(&bench, &mut Browser::default(), &uri).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("login_required"));
    assert_eq!(load(&bench, &mut Browser::default(), &uri).await.location(), None, "it was answered");
}

#[tokio::test]
async fn client_that_has_to_push_its_requests_cannot_send_a_request_object_instead() {
    let (bench, mut browser) = signed_in().await;
    let listed = json!(["http://127.0.0.1:1/request.jwt"]);
    let more = json!({
        "pkce": "optional", "consent": "trusted", "require_pushed_authorization_requests": true,
        "request_uris": listed,
    });
    bench.add("pushing", &more).await;
    let plain = [("client_id", "pushing"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    let object = unsigned(&json!({
        "client_id": "pushing", "response_type": "code", "redirect_uri": BACK, "scope": "openid",
    }));
    for more in [None, Some(("request", object.as_str())), Some(("request_uri", "http://127.0.0.1:1/request.jwt"))] {
        let query: Vec<_> = plain.into_iter().chain(more).collect();
        let reply = authorize(&bench, &mut browser, &query).await;
        assert_eq!(answered(&reply, "error").as_deref(), Some("invalid_request"), "{more:?}: {reply:?}");
    }
}

#[tokio::test]
async fn flow_of_a_request_that_was_not_pushed_ends_when_its_client_has_to_push() {
    let bench = Bench::new().await;
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", "openid")];
    let mut browser = Browser::default();
    let reply = authorize(&bench, &mut browser, &query).await;
    let flow = answered(&reply, "flow").expect("a flow");
    let pushed = uri(&push(&bench, &[], None).await);
    let changes = serde_json::Map::from_iter([("require_pushed_authorization_requests".to_owned(), json!(true))]);
    bench.provider.clients.update("app", &changes, |_| Ok(())).await.expect("is changed");
    bench.sign_in(&mut browser, EINSTEIN).await;
    let reply = follow(&bench, &mut browser, &flow).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("invalid_request"), "{reply:?}");
    assert!(answered(&load(&bench, &mut browser, &pushed).await, "code").is_some(), "one that was pushed goes on");
}
