//! The account pages behind the edge.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use testkit::{Browser, Landing, Layout, Mode, TestFamily, note_secret};

/// A family with the edge, and a user at a browser that proves itself by Basic credentials.
struct World {
    family: TestFamily,
    edge: String,
}

impl World {
    async fn start(name: &str, mode: Mode) -> Self {
        let mut layout = Layout::new(name, false);
        let edge = format!("http://{}", layout.variables()["PROXY_HTTP_ADDR"]);
        layout.set("PROXY_TLS", "false");
        layout.set("PROXY_ENABLE_BASIC_AUTH", "true");
        layout.set("OCIS_URL", &edge);
        Self { family: TestFamily::start_with(layout, mode, |context| context).await, edge }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.edge)
    }

    fn password(&self, login: &str) -> String {
        basic(login, &self.family.layout.password)
    }

    async fn get(&self, browser: &mut Browser, authorization: &str, path: &str) -> Landing {
        let headers = [("authorization", authorization)];
        browser.request(Method::GET, &self.url(path), &headers).await.expect("answers")
    }

    async fn post(
        &self,
        browser: &mut Browser,
        (authorization, origin): (&str, &str),
        path: &str,
        form: &[(&str, &str)],
    ) -> Landing {
        let headers = [("authorization", authorization)];
        browser.submit_with(&self.url(path), origin, form, &headers).await.expect("answers")
    }
}

fn basic(login: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")))
}

/// The value of the last hidden field with this name.
fn last_field(page: &str, name: &str) -> String {
    let field = page.rsplit(&format!("name=\"{name}\" value=\"")).next().and_then(|rest| rest.split('"').next());
    field.expect("the page has the field").to_owned()
}

/// Makes an app token by the form, and returns it.
async fn create(world: &World, browser: &mut Browser, authorization: &str) -> String {
    let list = world.get(browser, authorization, "/account/tokens").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.page);
    let csrf = last_field(&list.page, "csrf");
    let form = [("csrf", &*csrf), ("label", "phone"), ("expiry", "30"), ("access", "user")];
    let created = world.post(browser, (authorization, &world.edge), "/account/tokens", &form).await;
    assert_eq!(created.status, StatusCode::OK, "{}", created.page);
    let (_, rest) = created.page.split_once("id=\"secret\">").expect("the page shows a token");
    let secret = rest.split('<').next().expect("a text").to_owned();
    note_secret(&secret);
    secret
}

/// Users see the pages that idp answers for, and app tokens do not.
async fn see_sessions(world: &World, with_password: &str, with_token: &str) {
    for path in ["/account/sessions", "/account/connected", "/account/activity"] {
        let shown = world.get(&mut Browser::new(), with_password, path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.page);
        assert!(shown.page.contains("aria-current=\"page\""), "{path}: {}", shown.page);
        let refused = world.get(&mut Browser::new(), with_token, path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
    }
}

async fn manage_app_tokens(world: &World) {
    let (einstein, marie) = (world.password("einstein"), world.password("marie"));
    let mut browser = Browser::new();
    let front = world.get(&mut browser, &einstein, "/").await;
    assert!(front.status == StatusCode::OK && front.page.contains("Your applications"), "{}", front.page);
    let overview = world.get(&mut browser, &einstein, "/account").await;
    assert!(overview.page.contains("einstein@example.org"), "{}", overview.page);
    assert_eq!(browser.open(&world.url("/account")).await.expect("answers").status, StatusCode::UNAUTHORIZED);

    let secret = create(world, &mut browser, &einstein).await;
    let with_token = basic("einstein", &secret);
    let opened = world.get(&mut Browser::new(), &with_token, "/account").await;
    assert!(
        opened.status == StatusCode::OK && opened.page.contains("einstein@example.org"),
        "the token opens the edge"
    );
    let refused = world.get(&mut Browser::new(), &with_token, "/account/tokens").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "an app token does not see app tokens");
    see_sessions(world, &einstein, &with_token).await;

    let list = world.get(&mut browser, &einstein, "/account/tokens").await;
    assert!(list.page.contains("phone") && !list.page.contains(&secret));
    let (csrf, id) = (list.field("csrf").to_owned(), last_field(&list.page, "id"));
    let form = [("csrf", &*csrf), ("id", &id)];
    let path = "/account/tokens/revoke";
    let forged = world.post(&mut browser, (&einstein, "https://evil.example"), path, &form).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "a form of another site");

    let mut hers = Browser::new();
    create(world, &mut hers, &marie).await;
    let of_marie = world.get(&mut hers, &marie, "/account/tokens").await.field("csrf").to_owned();
    let guess = [("csrf", &*of_marie), ("id", &id)];
    let guessed = world.post(&mut hers, (&marie, &world.edge), path, &guess).await;
    assert_eq!(guessed.status, StatusCode::NOT_FOUND, "the token of another user");
    let opened = world.get(&mut Browser::new(), &with_token, "/account").await;
    assert_eq!(opened.status, StatusCode::OK, "still valid");

    let revoked = world.post(&mut browser, (&einstein, &world.edge), path, &form).await;
    assert_eq!((revoked.status, &*revoked.location), (StatusCode::SEE_OTHER, "/account/tokens?done=revoked"));
    let refused = world.get(&mut Browser::new(), &with_token, "/account").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "on the very next request");
}

/// Changes the profile and the password of marie by the forms.
async fn manage_profile_and_password(world: &World) {
    const NEW: &str = "seven otters juggle lamps";
    note_secret(NEW);
    let marie = world.password("marie");
    let (mut browser, profile) = (Browser::new(), "/account/profile");
    let csrf = last_field(&world.get(&mut browser, &marie, profile).await.page, "csrf");
    let form = [("csrf", &*csrf), ("nickname", "Manya"), ("given_name", "Mallory")];
    let saved = world.post(&mut browser, (&marie, &world.edge), profile, &form).await;
    assert_eq!((saved.status, &*saved.location), (StatusCode::SEE_OTHER, "/account/profile?done=saved"));
    let page = world.get(&mut browser, &marie, profile).await.page;
    assert!(page.contains("value=\"Manya\"") && !page.contains("Mallory"), "{page}");

    // without a credential
    let found = browser.open(&world.url("/.well-known/change-password")).await.expect("answers");
    assert_eq!((found.status, &*found.location), (StatusCode::SEE_OTHER, "/account/password"));
    let csrf = last_field(&world.get(&mut browser, &marie, &found.location).await.page, "csrf");
    let wrong = [("csrf", &*csrf), ("old", "not the old password"), ("new", NEW)];
    let refused = world.post(&mut browser, (&marie, &world.edge), &found.location, &wrong).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.page);
    let form = [("csrf", &*csrf), ("old", &*world.family.layout.password), ("new", NEW)];
    let changed = world.post(&mut browser, (&marie, &world.edge), &found.location, &form).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.page);
    let opened = world.get(&mut Browser::new(), &basic("marie", NEW), "/account").await;
    assert_eq!(opened.status, StatusCode::OK, "the new password opens the edge");
}

/// Rows [A20](../../../docs/security-requirements.md#a20), [A24](../../../docs/security-requirements.md#a24) and
/// [A26](../../../docs/security-requirements.md#a26).
#[tokio::test(flavor = "multi_thread")]
async fn account_pages_of_the_edge_manage_app_tokens() {
    let world = World::start("account-inside", Mode::Inside).await;
    manage_app_tokens(&world).await;
    manage_profile_and_password(&world).await;

    // past the edge there is no page, whatever the credential
    let direct = format!("http://{}/account", world.family.layout.variables()["ACCOUNT_HTTP_ADDR"]);
    let (mut browser, password) = (Browser::new(), world.password("einstein"));
    for headers in [&[][..], &[("authorization", &*password)], &[("x-access-token", "eyJhbGciOiJub25lIn0.e30.")]] {
        let reply = browser.request(Method::GET, &direct, headers).await.expect("answers");
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn account_pages_of_separate_processes_manage_app_tokens() {
    let world = World::start("account-processes", Mode::Processes).await;
    manage_app_tokens(&world).await;
    manage_profile_and_password(&world).await;
}
