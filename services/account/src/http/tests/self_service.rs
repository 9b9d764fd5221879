//! The profile over users itself, and the password over auth-basic itself.

mod api;
mod mail;

use std::sync::Arc;

use auth_basic::password::Cost;
use authn::testing::{MemoryDirectory, user};
use authn::{Authenticator, Claim, Credentials, Directory, Groups, User, UserId};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_FRAME_OPTIONS};
use config::{Secret, TokenManager};
use ldap::testing::{EINSTEIN, Options, Slapd};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use users::{GroupRef, NewPerson, PersonRef};

use super::support::{Bench, SECRET, context};
use crate::administration::Administration;
use crate::self_service::{Passwords, Profiles, SelfService};

const PROFILE: &str = "/account/profile";
const PASSWORD: &str = "/account/password";
const STRENGTH: &str = "/account/password/strength";
const OLD: &str = "violet anchor pedals a tune";
const NEW: &str = "seven otters juggle lamps";

fn token_manager() -> TokenManager {
    TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() }
}

fn database(folder: &TempDir) -> Secret {
    format!("sqlite://{}/service.db", folder.path().display()).into()
}

/// The pages over users, where einstein may change these attributes.
async fn with_users(self_service_attributes: &[&str]) -> (Bench, User, TempDir) {
    let (bench, einstein, _, folder) = with_members(self_service_attributes, &[]).await;
    (bench, einstein, folder)
}

/// The same, where einstein is in these groups; returns their identifiers too.
async fn with_members(self_service_attributes: &[&str], names: &[&str]) -> (Bench, User, Vec<String>, TempDir) {
    over_users(self_service_attributes, names, false).await
}

/// The same with or without auth-app and idp.
async fn over_users(
    self_service_attributes: &[&str],
    names: &[&str],
    has_services: bool,
) -> (Bench, User, Vec<String>, TempDir) {
    let (folder, context) = (tempfile::tempdir().expect("a folder"), context());
    let config = users::Config {
        database_url: database(&folder),
        token_manager: token_manager(),
        self_service_attributes: self_service_attributes.iter().map(|&name| name.to_owned()).collect(),
        ..users::Config::default()
    };
    let opened = users::open(&config, &context).await.expect("opens");
    let new = NewPerson { username: "einstein".to_owned(), display_name: "Albert".to_owned(), ..NewPerson::default() };
    let administration = opened.administration.as_ref().expect("a database");
    let person = administration.create_person(new).await.expect("is created");
    let mut groups = Vec::new();
    for &name in names {
        let group = administration.create_group(name, None, None).await.expect("is created");
        let (which, who) = (GroupRef::Id(group.id.clone()), PersonRef::Id(person.id.clone()));
        administration.add_member(&which, &who).await.expect("is added");
        groups.push(group.id);
    }
    let routes = users::app(&opened, &config, &context).expect("is built").grpc.expect("gRPC");
    let claim = Claim::Username("einstein".to_owned());
    let einstein = User::clone(&*opened.directory.user_by_claim(&claim, Groups::Skip).await.expect("is there"));
    let self_service = SelfService { profiles: Some(Profiles::new(routes)), passwords: None };
    let directories = (MemoryDirectory::new([]), opened.directory);
    let administration = Administration::default();
    let bench = Box::pin(Bench::over(directories, (self_service, administration), has_services, "")).await;
    (bench, einstein, groups, folder)
}

/// The pages over auth-basic, where einstein and marie have the password [`OLD`].
async fn with_auth_basic() -> (Bench, Arc<dyn Authenticator>, TempDir) {
    let (folder, context) = (tempfile::tempdir().expect("a folder"), context());
    let config = auth_basic::Config {
        database_url: database(&folder),
        token_manager: token_manager(),
        argon2: Cost { memory: 64, iterations: 1, parallelism: 1 },
        ..auth_basic::Config::default()
    };
    let directory = MemoryDirectory::new(["einstein", "marie"].map(user));
    directory.fail_password_changes(None);
    let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
    let opened = auth_basic::open(&config, Arc::clone(&users), &context).await.expect("opens");
    let administration = opened.administration.as_ref().expect("a database");
    for id in ["id-of-einstein", "id-of-marie"] {
        administration.set_password(id, &SecretString::from(OLD), "a token").await.expect("is accepted");
    }
    let routes = auth_basic::app(&opened, &config, &context).expect("is built").grpc.expect("gRPC");
    let self_service = SelfService { profiles: None, passwords: Some(Passwords::new(routes)) };
    (
        Box::pin(Bench::over((directory, users), (self_service, Administration::default()), false, "")).await,
        opened.authenticator,
        folder,
    )
}

/// Row [A41](../../../../docs/security-requirements.md#a41).
#[tokio::test]
async fn profile_form_changes_only_what_the_operator_permits() {
    let (bench, einstein, _folder) = with_users(&["display_name", "nickname", "address"]).await;
    let mut browser = bench.browser_of(einstein);
    let form = browser.get(PROFILE).await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.page);
    for name in ["display_name", "nickname", "address.country"] {
        assert!(form.page.contains(&format!(" name=\"{name}\"")), "{name}: {}", form.page);
    }
    assert!(!form.page.contains("name=\"given_name\"") && form.page.contains("<bdi>einstein</bdi>"));
    let csrf = form.field("csrf", 1);
    let change = [
        ("csrf", &*csrf),
        ("display_name", "Albert <E>"),
        ("nickname", " Al "),
        ("address.street_address", "Kramgasse 49\r\nStairs"),
        ("given_name", "Mallory"),
        ("username", "mallory"),
        ("email", "mallory@evil.example"),
        ("phone_number_verified", "true"),
    ];
    let saved = browser.post(PROFILE, &change).await;
    assert_eq!((saved.status, saved.location()), (StatusCode::SEE_OTHER, "/account/profile?done=saved"));
    let page = browser.get(saved.location()).await.page;
    for text in ["note success", "value=\"Albert &#60;E&#62;\"", "value=\"Al\"", "Kramgasse 49\nStairs</textarea>"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("allory"), "{page}");
    let theirs = bench.browser("marie").post(PROFILE, &change).await;
    assert_eq!(theirs.status, StatusCode::FORBIDDEN, "a form of another browser");
}

#[tokio::test]
async fn profile_with_an_error_shows_it_at_the_field_and_saves_nothing() {
    let (bench, einstein, _folder) = with_users(&["nickname", "website", "birthdate"]).await;
    let mut browser = bench.browser_of(einstein);
    browser.headers = vec![("accept-language", "de".to_owned())];
    let csrf = browser.get(PROFILE).await.field("csrf", 1);
    let change = [("csrf", &*csrf), ("nickname", "Al"), ("website", "javascript:alert(1)"), ("birthdate", "1879")];
    let refused = browser.post(PROFILE, &change).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    for text in ["id=\"website-error\"", "beginnt und höchstens", "value=\"javascript:alert(1)\"", "value=\"1879\""] {
        assert!(refused.page.contains(text), "{text}: {}", refused.page);
    }
    assert_eq!(refused.page.matches("aria-invalid").count(), 1);
    assert!(!browser.get(PROFILE).await.page.contains("value=\"Al\""), "nothing is saved");
}

/// Row [N8](../../../../docs/security-requirements.md#n8).
#[tokio::test]
async fn profile_form_overwrites_nothing_that_was_changed_meanwhile() {
    let (bench, einstein, _folder) = with_users(&["nickname", "address"]).await;
    let mut browser = bench.browser_of(einstein);
    let street = ("address.street_address", "Kramgasse 49\r\nStairs");
    let form = browser.get(PROFILE).await;
    let (csrf, shown) = (form.field("csrf", 1), form.field("shown_nickname", 1));
    let form = |nickname| [("csrf", &*csrf), ("nickname", nickname), ("shown_nickname", &*shown), street];
    assert_eq!(browser.post(PROFILE, &form("Al")).await.status, StatusCode::SEE_OTHER);
    let old = browser.post(PROFILE, &form("")).await;
    assert_eq!(old.status, StatusCode::SEE_OTHER, "this form changes nothing: {}", old.page);
    let conflict = browser.post(PROFILE, &form("Bert")).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.page.contains("Now stored: Al.") && conflict.page.contains("value=\"Bert\""), "{}", conflict.page);
    assert_eq!(conflict.field("shown_address.street_address", 1), "Kramgasse 49\nStairs");
    let page = browser.get(PROFILE).await.page;
    assert!(page.contains("value=\"Al\"") && page.contains("Kramgasse 49\nStairs</textarea>"), "{page}");
}

#[tokio::test]
async fn profile_that_only_the_administration_changes_has_no_form() {
    let (bench, einstein, _folder) = with_users(&[]).await;
    let page = bench.browser_of(einstein).get(PROFILE).await;
    assert!(page.status == StatusCode::OK && !page.page.contains("<form"), "{}", page.page);
    assert!(page.page.contains("<bdi>Albert</bdi>") && page.page.contains("Managed by your administrators"));
}

/// Row [A40](../../../../docs/security-requirements.md#a40).
#[tokio::test]
async fn password_is_changed_only_with_the_old_one() {
    let (bench, authenticator, _folder) = with_auth_basic().await;
    let accepts =
        async |password: &str| authenticator.authenticate(&Credentials::new("einstein", password)).await.is_ok();
    let mut browser = bench.browser("einstein");
    let form = browser.get(PASSWORD).await;
    assert!(form.status == StatusCode::OK && form.page.contains("At least 15 characters"), "{}", form.page);
    let csrf = form.field("csrf", 1);
    for (old, new, text) in [
        ("", NEW, "Enter your current password."),
        ("not the old password", NEW, "This is not your current password."),
        (OLD, OLD, "Choose another one."),
        (OLD, "einstein", "It has fewer than 15 characters."),
        (OLD, "einstein", "It is made of your name"),
        (OLD, "einstein", "very weak"),
    ] {
        let refused = browser.post(PASSWORD, &[("csrf", &csrf), ("old", old), ("new", new)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{text}");
        assert!(refused.page.contains(text), "{text}: {}", refused.page);
        assert!(!refused.page.contains(OLD) && !refused.page.contains(NEW), "no page contains a password");
    }
    let change = [("csrf", &*csrf), ("old", OLD), ("new", NEW)];
    let mut other = bench.browser("einstein");
    other.get(PASSWORD).await;
    assert_eq!(other.post(PASSWORD, &change).await.status, StatusCode::FORBIDDEN, "the form of another browser");
    assert!(accepts(OLD).await && !accepts(NEW).await);

    let changed = browser.post(PASSWORD, &change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.page);
    assert!(changed.page.contains("class=\"button\" href=\"/account\""), "{}", changed.page);
    assert!(accepts(NEW).await && !accepts(OLD).await);
    for page in [form, changed] {
        assert_eq!(page.headers[CACHE_CONTROL], "no-store");
        assert_eq!(page.headers[X_FRAME_OPTIONS], "DENY");
    }
}

/// The pages over auth-basic with this LDAP section, for einstein of the server.
async fn with_ldap(ldap: ldap::Ldap, is_allowed: bool) -> (Bench, Arc<dyn Authenticator>, TempDir) {
    let (folder, context) = (tempfile::tempdir().expect("a folder"), context());
    let config = auth_basic::Config {
        auth_manager: "ldap".to_owned(),
        auth_providers: auth_basic::Providers { ldap },
        ldap_password_change: is_allowed,
        database_url: database(&folder),
        token_manager: token_manager(),
        ..auth_basic::Config::default()
    };
    let directory = MemoryDirectory::new([einstein_of_ldap()]);
    directory.fail_password_changes(None);
    let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
    let opened = auth_basic::open(&config, Arc::clone(&users), &context).await.expect("opens");
    let routes = auth_basic::app(&opened, &config, &context).expect("is built").grpc.expect("gRPC");
    let self_service = SelfService { profiles: None, passwords: Some(Passwords::new(routes)) };
    let services = (self_service, Administration::default());
    (Box::pin(Bench::over((directory, users), services, false, "")).await, opened.authenticator, folder)
}

fn einstein_of_ldap() -> User {
    let id = UserId { opaque_id: EINSTEIN.id.to_owned(), ..UserId::default() };
    User { id, ..user("einstein") }
}

#[tokio::test]
async fn password_in_ldap_that_users_may_not_change_here_has_no_form() {
    let (bench, _authenticator, _folder) = with_ldap(ldap::Ldap::default(), false).await;
    let page = bench.browser_of(einstein_of_ldap()).get(PASSWORD).await;
    assert!(page.status == StatusCode::OK && !page.page.contains("<form"), "{}", page.page);
    assert!(page.page.contains("kept in the directory of your organisation"), "{}", page.page);
}

/// Row [B22](../../../../docs/security-requirements.md#b22).
#[tokio::test]
async fn password_in_ldap_is_changed_by_the_form_where_the_server_lets_users() {
    let Some(slapd) = Slapd::start_with(Options { self_write: true, ..Options::default() }) else { return };
    let (bench, authenticator, _folder) = with_ldap(slapd.config(), true).await;
    let accepts =
        async |password: &str| authenticator.authenticate(&Credentials::new("einstein", password)).await.is_ok();
    let mut browser = bench.browser_of(einstein_of_ldap());
    let form = browser.get(PASSWORD).await;
    assert!(form.status == StatusCode::OK && form.page.contains("At least 15 characters"), "{}", form.page);
    let csrf = form.field("csrf", 1);
    for (old, new, text) in [
        ("not the old password", NEW, "This is not your current password."),
        (EINSTEIN.password, "einstein", "It has fewer than 15 characters."),
    ] {
        let refused = browser.post(PASSWORD, &[("csrf", &csrf), ("old", old), ("new", new)]).await;
        assert!(refused.status == StatusCode::BAD_REQUEST && refused.page.contains(text), "{text}: {}", refused.page);
    }
    assert!(accepts(EINSTEIN.password).await);
    let change = [("csrf", &*csrf), ("old", EINSTEIN.password), ("new", NEW)];
    let changed = browser.post(PASSWORD, &change).await;
    assert!(changed.status == StatusCode::OK && changed.page.contains("Sign in again"), "{}", changed.page);
    assert!(accepts(NEW).await && !accepts(EINSTEIN.password).await);
    assert_eq!(bench.directory.password_changes().len(), 1, "other sessions end");
}

/// Row [B22](../../../../docs/security-requirements.md#b22).
#[tokio::test]
async fn refusal_of_the_ldap_server_is_explained() {
    let password_policy = "pwdInHistory: 3\npwdMinLength: 20\npwdCheckQuality: 2";
    let options = Options { self_write: true, password_policy, ..Options::default() };
    let Some(strict) = Slapd::start_with(options) else { return };
    let Some(closed) = Slapd::start() else { return };
    for (slapd, new, text) in [
        (strict, "seven otters juggle", "does not accept this password"),
        (closed, NEW, "does not let you change your password here"),
    ] {
        let (bench, authenticator, _folder) = with_ldap(slapd.config(), true).await;
        let mut browser = bench.browser_of(einstein_of_ldap());
        let csrf = browser.get(PASSWORD).await.field("csrf", 1);
        let change = [("csrf", &*csrf), ("old", EINSTEIN.password), ("new", new)];
        let refused = browser.post(PASSWORD, &change).await;
        assert!(refused.status == StatusCode::BAD_REQUEST && refused.page.contains(text), "{text}: {}", refused.page);
        let old = Credentials::new("einstein", EINSTEIN.password);
        assert!(authenticator.authenticate(&old).await.is_ok(), "is still the password");
        assert!(bench.directory.password_changes().is_empty());
    }
}

/// Row [B22](../../../../docs/security-requirements.md#b22).
#[tokio::test]
async fn ldap_server_that_does_not_answer_makes_no_password_wrong() {
    let Some(mut slapd) = Slapd::start_with(Options { self_write: true, ..Options::default() }) else { return };
    let (bench, _authenticator, _folder) = with_ldap(slapd.config(), true).await;
    let mut browser = bench.browser_of(einstein_of_ldap());
    let csrf = browser.get(PASSWORD).await.field("csrf", 1);
    slapd.stop();
    let change = [("csrf", &*csrf), ("old", EINSTEIN.password), ("new", NEW)];
    let refused = browser.post(PASSWORD, &change).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.page);
    assert!(!refused.page.contains("This is not your current password"), "{}", refused.page);
}

/// Row [A40](../../../../docs/security-requirements.md#a40).
#[tokio::test]
async fn guessing_the_old_password_is_throttled_and_the_page_says_how_long() {
    let (bench, _authenticator, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("marie");
    let csrf = browser.get(PASSWORD).await.field("csrf", 1);
    let mut last = None;
    for attempt in 0..100 {
        let guess = format!("a guess that is wrong {attempt}");
        let reply = browser.post(PASSWORD, &[("csrf", &csrf), ("old", &guess), ("new", NEW)]).await;
        if reply.status != StatusCode::BAD_REQUEST {
            last = Some(reply);
            break;
        }
    }
    let reply = last.expect("is throttled");
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.headers.contains_key(RETRY_AFTER) && reply.page.contains("Try again in "), "{}", reply.page);
}

#[tokio::test]
async fn app_token_changes_no_password() {
    let (bench, _authenticator, _folder) = with_auth_basic().await;
    assert_eq!(bench.restricted("app", &["user"]).get(PASSWORD).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn pages_without_their_service_are_absent() {
    let bench = Bench::with(false, "").await;
    let mut browser = bench.browser("einstein");
    assert!(!browser.get("/account").await.page.contains("/account/p"));
    for path in [PROFILE, PASSWORD, "/account/change-password"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// Row [A42](../../../../docs/security-requirements.md#a42).
#[tokio::test]
async fn change_password_redirects_to_the_form_whatever_the_query() {
    let (bench, _authenticator, _folder) = with_auth_basic().await;
    for query in ["", "?rd=https://evil.example", "?//evil.example"] {
        let reply = bench.stranger().get(&format!("/account/change-password{query}")).await;
        assert_eq!((reply.status, reply.location()), (StatusCode::SEE_OTHER, PASSWORD));
    }
}

#[tokio::test]
async fn overview_shows_groups_by_name_where_users_tells_it() {
    let (bench, einstein, ids, _folder) = with_members(&[], &["Physicists <1905>", "violinists"]).await;
    let page = bench.browser_of(einstein).get("/account").await.page;
    assert!(page.contains("<bdi>Physicists &#60;1905&#62;</bdi>") && page.contains("<bdi>violinists</bdi>"), "{page}");
    assert!(ids.iter().all(|id| !page.contains(id.as_str())), "no identifiers: {page}");

    // a directory whose groups users does not know
    let bench = Bench::new().await;
    bench.change("einstein", |user| User { groups: vec!["physicists".to_owned()], ..user });
    let page = bench.browser("einstein").get("/account").await.page;
    assert!(page.contains("<bdi>physicists</bdi>"), "{page}");
}

/// Row [A46](../../../../docs/security-requirements.md#a46).
#[tokio::test]
async fn new_password_is_judged_while_it_is_typed_and_nothing_changes() {
    let (bench, authenticator, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("einstein");
    let form = browser.get(PASSWORD).await;
    assert!(form.page.contains(&format!("data-url=\"{STRENGTH}\"")), "{}", form.page);
    let csrf = form.field("csrf", 1);
    for (language, password, score, lines) in [
        ("en", "einstein", 0..=1, ["Strength: very weak", "It has fewer than 15 characters."]),
        ("de", "aaaaaaaaaaaaaaaaaaaa", 0..=1, ["Stärke: sehr schwach", "Wiederholung"]),
        ("en", NEW, 3..=4, ["Strength: ", "good"]),
    ] {
        browser.headers = vec![("accept-language", language.to_owned())];
        let reply = browser.post(STRENGTH, &[("csrf", &csrf), ("new", password)]).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.page);
        assert_eq!(reply.headers[CONTENT_TYPE], "application/json");
        assert_eq!(reply.headers[CACHE_CONTROL], "no-store");
        let judged: Value = serde_json::from_str(&reply.page).expect("JSON");
        assert!(judged["score"].as_u64().is_some_and(|found| score.contains(&found)), "{judged}");
        assert!(lines.iter().all(|line| reply.page.contains(line)), "{judged}");
        assert!(!reply.page.contains(password), "{judged}");
    }
    assert!(authenticator.authenticate(&Credentials::new("einstein", OLD)).await.is_ok(), "nothing has changed");
}

/// Row [A46](../../../../docs/security-requirements.md#a46).
#[tokio::test]
async fn judgement_is_only_for_the_form_of_the_same_user_and_site() {
    let (bench, _authenticator, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("einstein");
    let csrf = browser.get(PASSWORD).await.field("csrf", 1);
    let form = [("csrf", &*csrf), ("new", NEW)];
    assert_eq!(browser.post_from("https://evil.example", STRENGTH, &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post(STRENGTH, &[("new", NEW)]).await.status, StatusCode::FORBIDDEN, "no token");
    let mut marie = bench.browser("marie");
    marie.get(PASSWORD).await;
    assert_eq!(marie.post(STRENGTH, &form).await.status, StatusCode::FORBIDDEN, "the form of another user");
    assert_eq!(bench.stranger().post(STRENGTH, &form).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.restricted("app", &["user"]).post(STRENGTH, &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(STRENGTH).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let absent = Bench::with(false, "").await;
    assert_eq!(absent.browser("einstein").post(STRENGTH, &form).await.status, StatusCode::NOT_FOUND);
}

/// Row [A46](../../../../docs/security-requirements.md#a46).
#[tokio::test]
async fn only_the_page_for_the_password_sends_requests_by_script() {
    let (bench, _authenticator, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("einstein");
    for (path, is_allowed) in [(PASSWORD, true), ("/account", false), ("/account/applications", false)] {
        let reply = browser.get(path).await;
        let policy = reply.headers[CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert_eq!(policy.contains("connect-src 'self'"), is_allowed, "{path}: {policy}");
    }
}
