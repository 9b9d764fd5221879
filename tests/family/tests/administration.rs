//! The administration pages behind the edge, in one process with nothing configured.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::{Browser, Landing, Layout, Mode, TestFamily, access_token, note_secret, report_missing, signed_in};
use tokio::process::Command;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
/// How long a credential may still be accepted.
const AT_ONCE: Duration = Duration::from_secs(1);

struct World {
    family: TestFamily,
    /// The URL of the edge, and of the issuer.
    url: String,
    certificate: PathBuf,
}

impl World {
    async fn start(name: &str) -> Self {
        let mut layout = Layout::new(name, false);
        for variable in [
            "PROXY_IDP_BACKEND",
            "PROXY_AUTH_APP_BACKEND",
            "PROXY_AUTH_BEARER_BACKEND",
            "AUTH_SERVICE_STORE_ACCOUNTS",
            "ACCOUNT_AUTH_SERVICE_ENDPOINT",
        ] {
            layout.unset(variable);
        }
        let port = layout.variables()["PROXY_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
        let certificate = layout.folder().join("data/edge.crt");
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        Self { family, url: format!("https://localhost:{port}"), certificate }
    }

    fn browser(&self) -> Browser {
        Browser::trusting(&self.certificate)
    }

    async fn get(&self, browser: &mut Browser, path: &str) -> Landing {
        browser.request(Method::GET, &format!("{}{path}", self.url), &[HTML]).await.expect("answers")
    }

    async fn post(&self, browser: &mut Browser, path: &str, form: &[(&str, &str)]) -> Landing {
        browser.submit(&format!("{}{path}", self.url), &self.url, form).await.expect("answers")
    }

    /// A browser in which this user has signed in at the edge.
    async fn signed_in(&self, login: &str) -> Browser {
        signed_in(self.browser(), &self.url, "/account", (login, &self.family.layout.password)).await
    }

    /// An access token of this user that a built-in client has got.
    async fn access_token(&self, login: &str) -> String {
        let redirect_uri = format!("{}/oidc-callback.html", self.url);
        let who = (login, self.family.layout.password.as_str());
        access_token(self.browser(), (&self.url, &self.url), ("web", &redirect_uri), who).await
    }

    /// An app token that this browser's user makes on the page.
    async fn app_token(&self, browser: &mut Browser) -> String {
        let list = self.get(browser, "/account/tokens").await;
        let csrf = last_field(&list.page, "csrf");
        let form = [("csrf", &*csrf), ("label", "phone"), ("expiry", "30"), ("access", "user")];
        let created = self.post(browser, "/account/tokens", &form).await;
        let (_, rest) = created.page.split_once("id=\"secret\">").expect("the page shows a token");
        let secret = rest.split('<').next().expect("a text").to_owned();
        note_secret(&secret);
        secret
    }
}

/// The value of the last hidden field with this name.
fn last_field(page: &str, name: &str) -> String {
    let field = page.rsplit(&format!("name=\"{name}\" value=\"")).next().and_then(|rest| rest.split('"').next());
    field.expect("the page has the field").to_owned()
}

/// What a program gets for a request of the API, by `curl`: the status, and the response without its last line.
async fn curl(world: &World, token: &str, arguments: &[&str], path: &str) -> (String, Value) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}", "--cacert"]);
    command.arg(&world.certificate).arg("--header").arg(format!("Authorization: Bearer {token}"));
    let output = command.args(arguments).arg(format!("{}{path}", world.url)).output().await.expect("curl runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    let (body, status) = text.rsplit_once('\n').expect("the status");
    (status.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Rows [A50](../../../docs/security-requirements.md#a50) and [N50](../../../docs/security-requirements.md#n50).
#[tokio::test(flavor = "multi_thread")]
async fn programs_use_the_api_with_the_access_token_of_a_user() {
    const JSON: [&str; 2] = ["--header", "Content-Type: application/json"];
    if Command::new("curl").arg("--version").output().await.is_err() {
        return report_missing("curl", "install the package curl");
    }
    let world = World::start("administration-api").await;
    let einstein = world.access_token("einstein").await;
    let (status, account) = curl(&world, &einstein, &[], "/account/api/v1/account").await;
    assert_eq!((&*status, &account["username"]), ("200", &Value::from("einstein")), "{account}");
    let new = [&JSON[..], &["--data", r#"{"label": "script", "expires_in": 600}"#]].concat();
    let (status, created) = curl(&world, &einstein, &new, "/account/api/v1/tokens").await;
    assert_eq!(status, "201", "{created}");
    let secret = created["secret"].as_str().expect("a secret");
    note_secret(secret);
    world.family.authenticate("appauth", "einstein", secret).await.expect("the app token is accepted");
    let (_, sessions) = curl(&world, &einstein, &[], "/account/api/v1/sessions").await;
    assert!(
        sessions["sessions"].as_array().is_some_and(|all| all.iter().any(|one| one["current"] == true)),
        "{sessions}"
    );
    let form = ["--data", "label=script"];
    assert_eq!(curl(&world, &einstein, &form, "/account/api/v1/tokens").await.0, "415");
    let foreign = [&new[..], &["--header", "Origin: https://evil.example"]].concat();
    assert_eq!(curl(&world, &einstein, &foreign, "/account/api/v1/tokens").await.0, "403");
    assert_eq!(curl(&world, &einstein, &[], "/admin/api/v1/users").await.0, "403", "no administrator");
    let (_, document) = curl(&world, &einstein, &[], "/account/api/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");

    let admin = world.access_token("admin").await;
    for root in ["/admin", "/account/admin"] {
        let (status, found) = curl(&world, &admin, &[], &format!("{root}/api/v1/users?query=einstein")).await;
        assert_eq!((&*status, &found["users"][0]["username"]), ("200", &Value::from("einstein")), "{root}: {found}");
    }
    let user = [&JSON[..], &["--data", r#"{"username": "lise", "roles": ["user"]}"#]].concat();
    let (status, created) = curl(&world, &admin, &user, "/admin/api/v1/users").await;
    assert_eq!(status, "201", "a recent sign-in: {created}");
    let path = format!("/admin/api/v1/users/{}", created["user"]["id"].as_str().expect("an id"));
    let (status, _) = curl(&world, &admin, &["--request", "DELETE"], &path).await;
    assert_eq!((&*status, &*curl(&world, &admin, &[], &path).await.0), ("204", "404"));
}

/// Rows [N22](../../../docs/security-requirements.md#n22) and [N61](../../../docs/security-requirements.md#n61).
#[tokio::test(flavor = "multi_thread")]
async fn administrators_use_the_api_for_service_accounts_and_health() {
    const JSON: [&str; 2] = ["--header", "Content-Type: application/json"];
    if Command::new("curl").arg("--version").output().await.is_err() {
        return report_missing("curl", "install the package curl");
    }
    let world = World::start("administration-api-accounts").await;
    let admin = world.access_token("admin").await;
    let accounts = "/admin/api/v1/service-accounts";
    let new = [&JSON[..], &["--data", r#"{"id": "backup"}"#]].concat();
    let (status, created) = curl(&world, &admin, &new, accounts).await;
    assert_eq!(status, "201", "a recent sign-in: {created}");
    let secret = created["secret"].as_str().expect("a secret");
    note_secret(secret);
    world.family.authenticate("serviceaccounts", "backup", secret).await.expect("the secret is accepted");
    let (_, listed) = curl(&world, &admin, &[], accounts).await;
    assert_eq!(listed["service_accounts"][0]["id"], "backup", "{listed}");
    let (status, _) = curl(&world, &admin, &["--request", "DELETE"], &format!("{accounts}/backup")).await;
    assert_eq!(status, "204");
    assert!(world.family.authenticate("serviceaccounts", "backup", secret).await.is_err(), "the account is deleted");

    let (status, health) = curl(&world, &admin, &[], "/admin/api/v1/health").await;
    assert_eq!((&*status, &health["ready"]), ("200", &Value::from(true)), "{health}");
    assert!(health["services"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "idp")), "{health}");
    assert!(health["signing_keys"][0]["kid"].is_string(), "{health}");
    let (_, policy) = curl(&world, &admin, &[], "/admin/api/v1/invitation-policy").await;
    assert_eq!(policy["enabled"], false, "no mail server is named: {policy}");
    let einstein = world.access_token("einstein").await;
    assert_eq!(curl(&world, &einstein, &[], "/admin/api/v1/health").await.0, "403");
}

/// Row [N6](../../../docs/security-requirements.md#n6).
#[tokio::test(flavor = "multi_thread")]
async fn user_disabled_on_a_page_is_out_everywhere() {
    let world = World::start("administration-disable").await;
    let mut einstein = world.signed_in("einstein").await;
    let app_token = world.app_token(&mut einstein).await;
    let access_token = world.access_token("einstein").await;
    let authorization = format!("Bearer {access_token}");
    world.family.authenticate("appauth", "einstein", &app_token).await.expect("the app token is accepted");
    let bearer = [("authorization", authorization.as_str())];
    let account = format!("{}/account", world.url);
    let by_token = world.browser().request(Method::GET, &account, &bearer).await.expect("answers");
    assert_eq!(by_token.status, StatusCode::OK, "{by_token:?}");
    assert_eq!(world.get(&mut einstein, "/account").await.status, StatusCode::OK);
    assert_eq!(world.get(&mut einstein, "/admin/users").await.status, StatusCode::FORBIDDEN);

    let mut admin = world.signed_in("admin").await;
    let found = world.get(&mut admin, "/admin/users?q=einstein").await;
    assert_eq!(found.status, StatusCode::OK, "{found:?}");
    let links = found.page.split("href=\"/admin/users/").skip(1).filter_map(|rest| rest.split('"').next());
    let id = links.filter(|id| *id != "new").last().unwrap_or_else(|| panic!("no user: {found:?}")).to_owned();
    let path = format!("/admin/users/{id}/disable");
    let confirm = world.get(&mut admin, &path).await;
    assert_eq!(confirm.status, StatusCode::OK, "a recent sign-in: {confirm:?}");
    let form = [("csrf", confirm.field("csrf"))];
    let disabled = world.post(&mut admin, &path, &form).await;
    assert_eq!(disabled.status, StatusCode::SEE_OTHER, "{disabled:?}");

    let out = async {
        while world.get(&mut einstein, "/account").await.status == StatusCode::OK
            || world.browser().request(Method::GET, &account, &bearer).await.expect("answers").status == StatusCode::OK
            || world.family.authenticate("appauth", "einstein", &app_token).await.is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(AT_ONCE, out).await.expect("session, access token and app token are refused");
    let page = world.get(&mut admin, &disabled.location).await;
    assert!(page.page.contains("The account is disabled."), "{page:?}");
}

/// Row [N20](../../../docs/security-requirements.md#n20).
#[tokio::test(flavor = "multi_thread")]
async fn added_client_is_shown_its_secret_and_the_issuers_that_discovery_has() {
    let world = World::start("administration-client").await;
    let mut admin = world.signed_in("admin").await;
    let form = world.get(&mut admin, "/admin/clients/new").await;
    assert_eq!(form.status, StatusCode::OK, "a recent sign-in: {form:?}");
    let redirect_uri = ("redirect_uris", "https://wiki.example.org/callback");
    let new = [("csrf", form.field("csrf")), ("name", "Wiki"), ("kind", "web"), redirect_uri];
    let added = world.post(&mut admin, "/admin/clients/new", &new).await;
    let (_, rest) = added.page.split_once("id=\"secret\">").unwrap_or_else(|| panic!("no secret: {added:?}"));
    note_secret(rest.split('<').next().expect("a text"));
    for below in ["", "/oidc"] {
        let (issuer, document) = (format!("{}{below}", world.url), format!("{below}/.well-known/openid-configuration"));
        let discovered = world.get(&mut world.browser(), &document).await;
        let discovered: Value = serde_json::from_str(&discovered.page).expect("JSON");
        assert_eq!(discovered["issuer"], issuer.as_str());
        for shown in [issuer, format!("{}{document}", world.url)] {
            assert!(added.page.contains(&format!("<code>{shown}</code>")), "{shown}: {added:?}");
        }
    }
}

/// Row [N61](../../../docs/security-requirements.md#n61).
#[tokio::test(flavor = "multi_thread")]
async fn health_page_lists_every_service_of_the_process() {
    let world = World::start("administration-health").await;
    let mut einstein = world.signed_in("einstein").await;
    assert_eq!(world.get(&mut einstein, "/admin/health").await.status, StatusCode::FORBIDDEN);
    let mut admin = world.signed_in("admin").await;
    let page = world.get(&mut admin, "/admin/health").await;
    assert!(page.status == StatusCode::OK && page.page.contains("All services listed here are ready."), "{page:?}");
    for service in ["users", "auth-basic", "auth-app", "idp", "auth-bearer", "account", "gateway", "proxy"] {
        assert!(page.page.contains(&format!(">{service}</th>")), "{service}: {page:?}");
    }
    assert!(page.page.contains("HTTPS") && page.page.contains("Signs since"), "certificate and key: {page:?}");
}

/// Row [N22](../../../docs/security-requirements.md#n22).
#[tokio::test(flavor = "multi_thread")]
async fn service_account_of_a_page_is_accepted() {
    let world = World::start("administration-service-account").await;
    let mut admin = world.signed_in("admin").await;
    let path = "/admin/service-accounts/new";
    let form = world.get(&mut admin, path).await;
    assert_eq!(form.status, StatusCode::OK, "a recent sign-in: {form:?}");
    let added = world.post(&mut admin, path, &[("csrf", form.field("csrf")), ("id", "backup")]).await;
    let (_, rest) = added.page.split_once("id=\"secret\">").unwrap_or_else(|| panic!("no secret: {added:?}"));
    let secret = rest.split('<').next().expect("a text");
    note_secret(secret);
    world.family.authenticate("serviceaccounts", "backup", secret).await.expect("the secret is accepted");
    let listed = world.get(&mut admin, "/admin/service-accounts").await;
    assert!(listed.page.contains("/admin/service-accounts/of/backup"), "{listed:?}");
}
