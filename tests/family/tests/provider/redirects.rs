//! The provider redirects browsers to registered addresses only, whatever the request names (rows I1 to I4).

use testkit::{Browser, CODE_CHALLENGE, Landing};

use crate::provider::flow::{AUTHORIZE, at};
use crate::provider::world::{ASKING, CALLBACK, NATIVE, TRUSTED, World};

/// The authorization endpoints of both issuers, and what each issuer adds to the site's address.
const ENDPOINTS: [(&str, &str); 2] = [(AUTHORIZE, ""), ("/oidc/oauth2/auth", "/oidc")];
const END_SESSION: [&str; 2] = ["/signin/v1/identifier/_/endsession", "/oidc/oauth2/sessions/logout"];
const CONSENTS: &str = "/signin/v1/consents";
/// Values of other origins in place of a path of the own origin.
const ELSEWHERE: [&str; 8] = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "\t//evil.example",
    "%09//evil.example",
    "javascript:alert('evil.example')",
    "/\t/evil.example",
];

fn encoded(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// An authorization request that is valid apart from the client and the redirect URI.
fn request<'a>(client: &'a str, redirect_uri: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "of the test"),
        // the browser has no session: the provider redirects at once or not at all
        ("prompt", "none"),
        ("code_challenge", CODE_CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// The same with this value of a parameter; without it if there is none.
fn with<'a>(mut request: Vec<(&'a str, &'a str)>, name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    request.retain(|(given, _)| *given != name);
    request.extend(value.map(|value| (name, value)));
    request
}

/// Sends the request from browsers without a session, by GET and by POST.
async fn ask(world: &World, endpoint: &str, parameters: &[(&str, &str)]) -> [Landing; 2] {
    let url = format!("{}{endpoint}", world.base(0));
    let by_get = Browser::new().open(&format!("{url}?{}", encoded(parameters))).await.expect("the provider answers");
    let by_post = Browser::new().submit(&url, "https://rp.example", parameters).await.expect("the provider answers");
    [by_get, by_post]
}

/// Asserts that the response is a page that does not lead to another origin.
#[track_caller]
fn stays(landing: &Landing, about: &str) {
    assert_eq!(landing.location, "", "{about}: it redirects");
    let page = landing.page.to_ascii_lowercase();
    assert!(page.contains("<main") && page.contains("</html>"), "{about}: no page: {landing:?}");
    // the own scripts show what is typed as a password, copy a code, and sign in with a passkey
    let own = page.matches("<script src=\"/signin/v1/static/").count();
    let scripts = page.matches("<script").count();
    assert!(!page.contains("http-equiv=\"refresh\"") && scripts == own, "{about}: it may redirect: {page}");
    assert!(!page.contains("evil"), "{about}: the page repeats the address: {page}");
}

/// Asserts that both issuers reject the request with a page and do not inform the client.
async fn refuses(world: &World, parameters: &[(&str, &str)]) {
    for (endpoint, _) in ENDPOINTS {
        for landing in ask(world, endpoint, parameters).await {
            let about = format!("{endpoint} {parameters:?}");
            stays(&landing, &about);
            assert_eq!(landing.status, 400, "{about}");
        }
    }
}

/// Asserts that both issuers redirect with this error and their issuer identifier.
async fn sends_back(world: &World, parameters: &[(&str, &str)], redirect_uri: &str, error: &str) {
    for (endpoint, path) in ENDPOINTS {
        for landing in ask(world, endpoint, parameters).await {
            let about = format!("{endpoint} {parameters:?}: {landing:?}");
            assert_eq!(landing.status, 303, "{about}");
            let (target, _) = landing.location.split_once(['?', '#']).expect("there are parameters");
            assert_eq!(target, redirect_uri, "{about}");
            assert_eq!(landing.parameter("error").as_deref(), Some(error), "{about}");
            assert_eq!(landing.parameter("state").as_deref(), Some("of the test"), "{about}");
            assert_eq!(landing.parameter("iss"), Some(format!("{}{path}", world.issuer)), "{about}");
            assert_eq!(landing.parameter("code"), None, "{about}");
        }
    }
}

/// Row I1.
#[tokio::test(flavor = "multi_thread")]
async fn process_redirects_to_the_exact_registered_redirect_uri_only() {
    let world = World::alone("exact", &[]).await;
    sends_back(&world, &request(ASKING, CALLBACK), CALLBACK, "login_required").await;
    let near = [
        "https://rp.example/callback/",
        "https://rp.example/callback?x=1",
        "https://rp.example/callback#x",
        "https://rp.example/callback/../x",
        "https://rp.example/x/../callback",
        "HTTPS://RP.EXAMPLE/callback",
        "https://RP.example/callback",
        "https://rp.example%2fcallback",
        "https://rp.example@evil/callback",
        "https://rp.example.evil/callback",
        "https://rp.example:443/callback",
        "https://rp.example:1/callback",
        "https://rp.example\\@evil/callback",
        "https://rp.example/callback\r\nLocation: https://evil",
        "https://rp.example/callback%0d%0aLocation:%20https://evil",
        "https://rp.example/callback\0",
        " https://rp.example/callback",
        "http://rp.example/callback",
        "https://rp.example/CALLBACK",
        "//rp.example/callback",
        "/callback",
        "javascript:alert('evil')",
        "data:text/html,evil",
        "https://evil/?https://rp.example/callback",
        "",
    ];
    for uri in near {
        refuses(&world, &request(ASKING, uri)).await;
    }
}

/// Row I2.
#[tokio::test(flavor = "multi_thread")]
async fn process_ignores_the_port_of_loopback_redirect_uris_only() {
    let world = World::alone("loopback", &[]).await;
    for uri in ["http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://[::1]:51004/cb", "http://localhost/cb"] {
        sends_back(&world, &request(NATIVE, uri), uri, "login_required").await;
    }
    let others = [
        "http://127.0.0.1.evil/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb/",
        "http://127.0.0.1:51004/cb?x=1",
        "https://127.0.0.1:1/cb",
        "http://127.0.0.1:1@evil/cb",
        "http://evil@127.0.0.1:1/cb",
        "http://127.1:1/cb",
        "http://2130706433:1/cb",
        "http://[::ffff:127.0.0.1]:1/cb",
        "http://127.0.0.1:65536/cb",
        "http://localhost:51004/cb",
        "http://localhost.evil/cb",
    ];
    for uri in others {
        refuses(&world, &request(NATIVE, uri)).await;
    }
}

/// Row I3.
#[tokio::test(flavor = "multi_thread")]
async fn process_does_not_redirect_for_invalid_client_or_redirect_uri() {
    let world = World::alone("addressees", &[]).await;
    for uri in [CALLBACK, "https://evil.example/", "http://127.0.0.1/cb", ""] {
        refuses(&world, &request("unknown", uri)).await;
    }
    let good = || request(ASKING, CALLBACK);
    refuses(&world, &with(good(), "client_id", None)).await;
    refuses(&world, &with(good(), "client_id", Some(""))).await;
    refuses(&world, &with(request(NATIVE, ""), "redirect_uri", None)).await;
    for (name, value) in [("client_id", TRUSTED), ("redirect_uri", "https://evil.example/"), ("redirect_uri", CALLBACK)]
    {
        refuses(&world, &[good(), vec![(name, value)]].concat()).await;
    }
    // whatever else is wrong as well
    refuses(&world, &with(request(ASKING, "https://evil.example/"), "response_type", Some("junk"))).await;
    refuses(&world, &with(request("unknown", CALLBACK), "scope", None)).await;

    let wrong = [
        ("response_type", Some("junk"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("prompt", Some("none login"), "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("max_age", Some("-1"), "invalid_request"),
    ];
    for (name, value, error) in wrong {
        sends_back(&world, &with(good(), name, value), CALLBACK, error).await;
    }
    let implicit = with(with(good(), "response_type", Some("id_token")), "nonce", Some("n"));
    sends_back(&world, &implicit, CALLBACK, "unauthorized_client").await;
}

/// Row I4.
#[tokio::test(flavor = "multi_thread")]
async fn process_redirects_only_to_registered_addresses_after_sign_in_and_sign_out() {
    let world = World::alone("elsewhere", &[]).await;
    let base = world.base(0);
    for elsewhere in ELSEWHERE {
        let mut browser = Browser::new();
        let addresses = encoded(&[("return_to", elsewhere), ("next", elsewhere), ("continue", elsewhere)]);
        // a page that needs a session redirects to the sign-in page, which redirects back
        let on = browser.open(&format!("{base}{CONSENTS}?{addresses}")).await.expect("the provider answers");
        assert!(on.location.starts_with(&format!("{}/signin/v1/identifier?flow=", world.issuer)), "{on:?}");
        let on = format!("{}&{addresses}", at(base, &on.location, &world.issuer));
        let page = browser.open(&on).await.expect("the provider answers");
        stays(&page, elsewhere);
        let (flow, csrf) = (page.field("flow"), page.field("csrf"));
        let form = [("flow", flow), ("csrf", csrf), ("username", "einstein"), ("password", world.password())];
        let form = [form.as_slice(), &[("return_to", elsewhere), ("next", elsewhere)]].concat();
        let url = format!("{base}/signin/v1/identifier/_/logon?{addresses}");
        let back = browser.submit(&url, &world.issuer, &form).await.expect("the provider answers");
        assert_eq!(back.location, format!("{}{CONSENTS}", world.issuer), "{elsewhere}");

        let forged = format!("{base}/signin/v1/identifier?{}", encoded(&[("flow", elsewhere)]));
        stays(&browser.open(&forged).await.expect("the provider answers"), elsewhere);

        // with a session and without one: an unregistered address is not used
        for path in END_SESSION {
            let query = encoded(&[("post_logout_redirect_uri", elsewhere), ("state", "x")]);
            let url = format!("{base}{path}?{query}");
            let signed_in = browser.open(&url).await.expect("the provider answers");
            let signed_out = Browser::new().open(&url).await.expect("the provider answers");
            stays(&signed_in, &url);
            if elsewhere.contains(char::is_control) {
                stays(&signed_out, &url);
                assert_eq!((signed_in.status.as_u16(), signed_out.status.as_u16()), (400, 400), "{url}");
            } else {
                assert_eq!(signed_in.status, 200, "{url}");
                assert_eq!(signed_out.location, format!("{}/signin/v1/goodbye", world.issuer), "{url}");
            }
            for client in [ASKING, "unknown"] {
                let url = format!("{url}&client_id={client}");
                for browser in [&mut browser, &mut Browser::new()] {
                    let landing = browser.open(&url).await.expect("the provider answers");
                    stays(&landing, &url);
                    assert_eq!(landing.status, 400, "{url}");
                }
            }
        }
    }
}
