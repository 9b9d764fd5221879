//! Links that web clients sign, with keys that end with what has fetched them.

mod without_machine_key;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use runtime::{Clock, Context};
use serde_json::Value;
use testkit::{Browser, Layout, Mode, SignIn, authorization_query, code_redemption, note_secret};

use crate::edge::backend::header;
use crate::edge::world::{World, client};

const KEY_PATH: &str = "/ocs/v1.php/cloud/user/signing-key";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

/// A family with the provider, and the edge as its client.
struct Site {
    world: World,
    /// The edge, as browsers know it.
    own: String,
    issuer: String,
    /// The test's own where the family is inside its process.
    clock: Clock,
    provider: SignIn,
}

impl Site {
    /// `clients` are lines of YAML for further clients of the provider.
    async fn start(name: &str, processes: Mode, clients: &str, more: impl FnOnce(&mut Layout)) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let mut provider = None;
        let configure = |layout: &mut Layout| {
            provider = Some(SignIn::configure(layout, clients));
            more(layout);
        };
        let moved = clock.clone();
        let world = World::start_as(name, processes, configure, |context| Context { clock: moved, ..context }).await;
        let clock = if processes == Mode::Inside { clock } else { Clock::system() };
        let provider = provider.expect("it is configured");
        Self { world, own: provider.edge.clone(), issuer: provider.issuer.clone(), clock, provider }
    }

    /// Signs einstein in at the edge.
    async fn sign_in(&self, browser: &mut Browser) {
        let begin = browser.open(&format!("{}/_doorward/login?rd=%2Fa", self.own)).await.expect("answers");
        let back = format!("{}/_doorward/callback?", self.own);
        let landing = self.provider.prove(browser, &begin.location, &back).await.expect("comes back");
        let landed = browser.open(&landing.location).await.expect("answers");
        assert_eq!(landed.status, StatusCode::SEE_OTHER, "{landed:?}");
        note_secret(browser.cookie(SignIn::COOKIE).expect("there is a session"));
    }
}

/// A link for einstein, as web clients sign it.
fn link(site: &Site, key: &str, path: &str) -> String {
    let host = site.own.trim_start_matches("http://");
    let now = time::OffsetDateTime::from(site.clock.now())
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a date");
    let parameters = [("OC-Credential", "einstein"), ("OC-Date", &now), ("OC-Expires", "60"), ("OC-Verb", "GET")];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let text = format!("https://{host}{path}?{query}");
    let mut out = [0; 32];
    let rounds = std::num::NonZeroU32::new(10_000).expect("is not zero");
    aws_lc_rs::pbkdf2::derive(aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA512, rounds, key.as_bytes(), text.as_bytes(), &mut out);
    let signature = out.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("{}{path}?{query}&OC-Algo=PBKDF2%2F10000-SHA512&OC-Signature={signature}", site.own)
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.expect("answers").status()
}

/// Whether a link that is signed now with this key opens; else it is refused.
async fn opens(site: &Site, key: &str) -> bool {
    match status(client().get(link(site, key, "/dav/a.txt"))).await {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

/// The key in an answer.
fn key_of(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    assert_eq!(answer["ocs"]["meta"]["status"], "ok", "{answer}");
    assert_eq!(answer["ocs"]["data"]["user"], "einstein");
    let key = answer["ocs"]["data"]["signing-key"].as_str().expect("a key").to_owned();
    note_secret(&key);
    key
}

async fn key_of_session(site: &Site, browser: &mut Browser) -> String {
    let url = format!("{}{KEY_PATH}?format=json", site.own);
    let answer = browser.request(Method::GET, &url, &[("accept", "*/*")]).await.expect("answers");
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    key_of(&answer.page)
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_a_browser_session_signs_until_the_session_ends() {
    let site = Site::start("edge-signed-session", Mode::Inside, "", |_| ()).await;
    let mut browser = Browser::new();
    site.sign_in(&mut browser).await;
    let key = key_of_session(&site, &mut browser).await;
    assert_eq!(key_of_session(&site, &mut browser).await, key);
    let url = link(&site, &key, "/dav/a.txt");
    assert_eq!(status(client().get(&url)).await, StatusCode::OK);
    let token = header(&site.world.backend.take()[0], "x-access-token").concat();
    assert_eq!(site.world.family.who_am_i(&token).await.expect("good").username, "einstein");
    for (request, name) in [
        (client().get(url.replace("a.txt", "b.txt")), "another path"),
        (client().get(url.replace("einstein", "marie")), "another person"),
        (client().put(&url), "another method"),
    ] {
        assert_eq!(status(request).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    let logout = format!("{}/_doorward/logout", site.own);
    assert_eq!(browser.submit(&logout, &site.own, &[]).await.expect("answers").status, StatusCode::SEE_OTHER);
    assert_eq!(status(client().get(&url)).await, StatusCode::UNAUTHORIZED, "a link from before");
    assert!(!opens(&site, &key).await && site.world.backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn app_tokens_and_passwords_are_given_no_key() {
    let site = Site::start("edge-signed-refused", Mode::Inside, "", |_| ()).await;
    let (token, password) = (site.world.token.clone(), site.world.family.layout.password.clone());
    for version in ["v1", "v2"] {
        let url = format!("{}/ocs/{version}.php/cloud/user/signing-key", site.own);
        assert_eq!(status(client().get(&url)).await, StatusCode::UNAUTHORIZED);
        let basic = |url: &str, secret: &str| client().get(url).basic_auth("einstein", Some(secret));
        let all = |url: &str| [basic(url, &token), client().get(url).bearer_auth(&token), basic(url, &password)];
        for (xml, json) in all(&url).into_iter().zip(all(&format!("{url}?format=json"))) {
            let answer = xml.send().await.expect("answers");
            assert_eq!(answer.status(), StatusCode::FORBIDDEN);
            assert_eq!(answer.headers()["content-type"], "text/xml; charset=utf-8");
            let text = answer.text().await.expect("text");
            assert!(text.contains("<status>failure</status><statuscode>403</statuscode>"), "{text}");
            let answer: Value = json.send().await.expect("answers").json().await.expect("JSON");
            assert_eq!(answer["ocs"]["meta"]["statuscode"], 403, "{answer}");
            assert!(!answer.to_string().contains("signing-key"), "{answer}");
        }
    }
    assert!(site.world.backend.take().is_empty());
}

/// A family of processes, so that the time of the change comes from users by way of auth-machine and the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn key_ends_with_the_password_and_is_not_passed_to_the_next_owner_of_the_login() {
    let site = Site::start("edge-signed-password", Mode::Processes, "", |_| ()).await;
    let family = &site.world.family;
    let password = family.layout.password.clone();
    let mut browser = Browser::new();
    site.sign_in(&mut browser).await;
    let key = key_of_session(&site, &mut browser).await;
    assert!(opens(&site, &key).await);
    let changed = family.command(&["user", "passwd", "einstein", "--password-stdin"], &password).await;
    assert_eq!(changed.code, 0, "{}", changed.stderr);
    assert!(!opens(&site, &key).await, "at once, not only when the provider has ended the session");

    let mut browser = Browser::new();
    site.sign_in(&mut browser).await;
    let key = key_of_session(&site, &mut browser).await;
    assert!(opens(&site, &key).await);
    let deleted = family.command(&["user", "delete", "einstein", "--yes"], "").await;
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    assert!(!opens(&site, &key).await, "the user is gone");
    let mail = "einstein@example.org";
    let add = ["user", "add", "einstein", "--role", "user", "--mail", mail, "--password-stdin"];
    let added = family.command(&add, &password).await;
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert!(!opens(&site, &key).await, "nor is it another's of that login");
}

/// A client of the provider that brings access tokens, which name their session. It is the last of the file.
fn client_with_sid() -> String {
    format!(
        "  - id: app\n    trusted: true\n    redirect_uris: [\"{CALLBACK}\"]\n    application_type: native\n    \
         token_endpoint_auth_method: none\n    access_token_claims: [preferred_username, sid]\n"
    )
}

/// Also with auth-bearer as a process, which does not trust the claims of idp about its clients.
fn accept_all_clients(layout: &mut Layout) {
    layout.unset("AUTH_BEARER_OIDC_AUDIENCE");
    layout.set("AUTH_BEARER_OIDC_AUTHORIZED_PARTIES", "edge,app");
}

/// Signs einstein in at that client: the access token, and the ID token.
async fn tokens_of_client(site: &Site, browser: &mut Browser) -> [String; 2] {
    let issuer = &site.issuer;
    let query = authorization_query("app", CALLBACK, "openid profile", &[("state", "s")]);
    let authorize = format!("{issuer}/signin/v1/identifier/_/authorize?{query}");
    let back = site.provider.prove(browser, &authorize, CALLBACK).await.expect("comes back");
    let code = back.parameter("code").expect("a code");
    let form = [&code_redemption(&code, CALLBACK)[..], &[("client_id", "app")]].concat();
    let answer = browser.submit(&format!("{issuer}/konnect/v1/token"), issuer, &form).await.expect("answers");
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let tokens: Value = serde_json::from_str(&answer.page).expect("JSON");
    ["access_token", "id_token"].map(|name| {
        let token = tokens[name].as_str().expect("a token").to_owned();
        note_secret(&token);
        token
    })
}

/// The key that an access token of that client has fetched, and the ID token.
async fn key_of_client(site: &Site, browser: &mut Browser) -> (String, String) {
    let [access, id] = tokens_of_client(site, browser).await;
    let fetch = client().get(format!("{}{KEY_PATH}?format=json", site.own)).bearer_auth(&access);
    let key = key_of(&fetch.send().await.expect("answers").text().await.expect("text"));
    assert!(opens(site, &key).await);
    (key, id)
}

async fn sign_out(site: &Site, browser: &mut Browser, id_token: &str) {
    let end = format!("{}/signin/v1/identifier/_/endsession?id_token_hint={id_token}", site.issuer);
    let answer = browser.open(&end).await.expect("answers");
    assert!(answer.status.is_success() || answer.status.is_redirection(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_an_access_token_ends_with_its_session_at_the_provider_of_the_process() {
    let site = Site::start("edge-signed-bearer", Mode::Inside, &client_with_sid(), accept_all_clients).await;
    let mut browser = Browser::new();
    let (key, id) = key_of_client(&site, &mut browser).await;
    // from now on the token is nothing to ask about
    site.clock.advance(Duration::from_mins(20));
    assert!(opens(&site, &key).await, "the session outlasts the token");
    sign_out(&site, &mut browser, &id).await;
    assert!(!opens(&site, &key).await, "the key ends although no client is notified");
}

/// In a family of processes the edge learns of it by the logout token that it passes on.
#[tokio::test(flavor = "multi_thread")]
async fn key_of_an_access_token_ends_with_a_logout_notification() {
    let site = Site::start("edge-signed-logout", Mode::Processes, &client_with_sid(), |layout| {
        accept_all_clients(layout);
        let clients = layout.folder().join("clients.yaml");
        let file = std::fs::read_to_string(&clients).expect("reads");
        let receiver = format!("    backchannel_logout_uri: {}/backchannel_logout\n", layout.variables()["PROXY_URL"]);
        std::fs::write(&clients, file + &receiver).expect("writes");
        // so short that the gateway does not get the token again
        layout.set("IDP_ACCESS_TOKEN_EXPIRATION", "10s");
    })
    .await;
    let mut browser = Browser::new();
    let (key, id) = key_of_client(&site, &mut browser).await;
    let (receiver, forged) =
        (format!("{}/backchannel_logout", site.own), [("logout_token", "eyJhbGciOiJub25lIn0.e30.")]);
    let answer = Browser::new().submit(&receiver, &site.issuer, &forged).await.expect("answers");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(opens(&site, &key).await);
    sign_out(&site, &mut browser, &id).await;
    let ended = async {
        while opens(&site, &key).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the key ends with the session");
}
