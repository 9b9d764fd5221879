//! The administration pages for service accounts over auth-service itself.

mod api;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auth_service::{NewAccount, ServiceAccount, Verification};
use authn::testing::{MemoryDirectory, user};
use authn::{Credentials, Directory, User, role};
use axum::http::StatusCode;
use proto::doorward::idp::v1::{AccountSession, GetCurrentSessionResponse};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::support::{Bench, Browser, Reply, SECRET, context};
use crate::administration::Administration;
use crate::self_service::SelfService;

const ACCOUNTS: &str = "/account/admin/service-accounts";
const BACKUP: &str = "/account/admin/service-accounts/of/backup";

struct World {
    bench: Bench,
    service: auth_service::Components,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = auth_service::Config {
            service_account: ServiceAccount {
                id: "jobs".into(),
                secret: "0123456789abcdef-long".into(),
                ..ServiceAccount::default()
            },
            store_accounts: true,
            database_url: format!("sqlite://{}/auth-service.db", folder.path().display()).into(),
            token_manager: Verification { jwt_secret: SECRET.into(), ..Verification::default() },
            ..auth_service::Config::default()
        };
        let context = context();
        let service = auth_service::open(&config, &context).await.expect("opens");
        let app = auth_service::app(&service, &config, &context).expect("is built");
        let directory = MemoryDirectory::new(["marie", "admin"].map(user));
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let routes = app.grpc.expect("it serves gRPC");
        let services = (SelfService::default(), Administration::default().with_auth_service(routes));
        let bench = Box::pin(Bench::over((directory, users), services, true, "")).await;
        let world = Self { bench, service, _folder: folder };
        world.signed_in(Duration::ZERO);
        world
    }

    /// The administrator has signed in so long ago.
    fn signed_in(&self, ago: Duration) {
        let now = context().clock.now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.bench.idp.lists().current = GetCurrentSessionResponse {
            session: Some(AccountSession::default()),
            signed_in: i64::try_from(now.saturating_sub(ago).as_secs()).expect("a time"),
            ..GetCurrentSessionResponse::default()
        };
    }

    fn admin(&self) -> Browser<'_> {
        self.bench.browser_of(User { roles: vec![role::ADMIN.to_owned()], ..user("admin") })
    }

    /// Adds the account `backup`; returns its secret.
    async fn backup(&self) -> String {
        let new = NewAccount { id: "backup".to_owned(), ..NewAccount::default() };
        let administration = self.service.administration.as_ref().expect("accounts are stored");
        let made = administration.create(new, "id-of-admin").await.expect("is added");
        made.secret.expose_secret().to_owned()
    }

    /// The identifiers of the secrets of the account `backup`.
    async fn secrets(&self) -> Vec<String> {
        let administration = self.service.administration.as_ref().expect("accounts are stored");
        let account = administration.get("backup").await.expect("is there");
        account.secrets.iter().map(|secret| secret.id.to_string()).collect()
    }

    async fn accepts(&self, secret: &str) -> bool {
        self.service.authenticator.authenticate(&Credentials::new("backup", secret)).await.is_ok()
    }
}

/// Sends a form with the token that the page at `path` has for it.
async fn submit(browser: &mut Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Reply {
    let csrf = browser.get(path).await.field("csrf", 1);
    browser.post(path, &[&[("csrf", csrf.as_str())], fields].concat()).await
}

/// `docs/security-requirements.md#n22`
#[tokio::test]
async fn service_account_is_added_changed_and_deleted() {
    let world = World::new().await;
    let mut admin = world.admin();
    let form = format!("{ACCOUNTS}/new");
    for (id, problem) in [("A B", "1 to 64"), ("jobs", "the configuration")] {
        let refused = submit(&mut admin, &form, &[("id", id), ("name", "<Backup>")]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.page.contains(problem) && refused.page.contains("&#60;Backup&#62;"), "{}", refused.page);
    }
    let refused = submit(&mut admin, &form, &[("id", "backup"), ("valid_until", "2026-02-30")]).await;
    assert!(refused.page.contains("valid_until-error"), "{}", refused.page);
    let new = [("id", "backup"), ("name", "Nightly"), ("valid_until", "2100-01-31")];
    let added = submit(&mut admin, &form, &new).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.page);
    let secret = added.secret();
    assert!(added.page.contains("data-copies=\"secret\"") && world.accepts(&secret).await);

    let listed = admin.get(&format!("{ACCOUNTS}?q=NIGHT")).await;
    assert!(listed.page.contains("/admin/service-accounts/of/backup"), "{}", listed.page);
    let other = admin.get(&format!("{ACCOUNTS}?q=other")).await;
    assert!(!other.page.contains("of/backup") && other.page.contains("No service account found"), "{}", other.page);
    let shown = admin.get(BACKUP).await;
    assert_eq!(shown.page.matches("<bdi>admin</bdi>").count(), 2, "who has made it, and its secret: {}", shown.page);
    assert!(shown.page.contains("2100-01-31") && !shown.page.contains(&secret), "{}", shown.page);

    let saved = submit(&mut admin, BACKUP, &[("name", "Nightly"), ("valid_until", ""), ("disabled", "yes")]).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.page);
    assert!(!world.accepts(&secret).await);
    assert!(admin.get(BACKUP).await.page.contains("Disabled"));
    assert_eq!(submit(&mut admin, BACKUP, &[("name", "")]).await.status, StatusCode::SEE_OTHER);
    assert!(world.accepts(&secret).await);

    let delete = format!("{BACKUP}/delete");
    assert_eq!(submit(&mut admin, &delete, &[("id", "other")]).await.status, StatusCode::BAD_REQUEST);
    let deleted = submit(&mut admin, &delete, &[("id", "backup")]).await;
    assert_eq!((deleted.status, deleted.location()), (StatusCode::SEE_OTHER, "/admin/service-accounts?done=deleted"));
    assert!(!world.accepts(&secret).await);
    assert_eq!(admin.get(BACKUP).await.status, StatusCode::NOT_FOUND);
}

/// `docs/security-requirements.md#n22`
#[tokio::test]
async fn secret_is_replaced_without_an_interruption() {
    let world = World::new().await;
    let first = world.backup().await;
    let old = world.secrets().await.remove(0);
    let mut admin = world.admin();
    let form = format!("{BACKUP}/secret");
    let added = submit(&mut admin, &form, &[("end", "86400")]).await;
    assert_eq!(added.status, StatusCode::OK, "{}", added.page);
    let second = added.secret();
    assert!(world.accepts(&first).await && world.accepts(&second).await);
    let shown = admin.get(BACKUP).await;
    assert!(!shown.page.contains(&second) && shown.page.contains("two secrets at most"), "{}", shown.page);
    let third = submit(&mut admin, &form, &[]).await;
    assert!(third.status != StatusCode::OK && third.page.contains("remove one first"), "{}", third.page);

    let new = world.secrets().await.into_iter().find(|id| *id != old).expect("two secrets");
    let (remove_old, remove_new) = (format!("{BACKUP}/secret/{old}"), format!("{BACKUP}/secret/{new}"));
    let csrf = admin.get(&remove_old).await.field("csrf", 1);
    let other = admin.post(&remove_new, &[("csrf", &csrf)]).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "the form was for another secret");
    let removed = admin.post(&remove_old, &[("csrf", &csrf)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER, "{}", removed.page);
    assert!(!world.accepts(&first).await && world.accepts(&second).await);
    assert_eq!(admin.get(&remove_old).await.status, StatusCode::NOT_FOUND);
}

/// `docs/security-requirements.md#n22`
#[tokio::test]
async fn service_accounts_are_for_administrators_who_have_signed_in_a_short_time_ago() {
    let world = World::new().await;
    let secret = world.backup().await;
    let old = world.secrets().await.remove(0);
    let acts = [
        format!("{ACCOUNTS}/new"),
        format!("{BACKUP}/secret"),
        format!("{BACKUP}/secret/{old}"),
        format!("{BACKUP}/delete"),
    ];
    let mut marie = world.bench.browser("marie");
    for path in acts.iter().map(String::as_str).chain([ACCOUNTS, BACKUP]) {
        assert_eq!(marie.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut admin = world.admin();
    let mut forms = Vec::new();
    for path in acts.iter().map(String::as_str).chain([BACKUP]) {
        forms.push((path, admin.get(path).await.field("csrf", 1)));
    }
    world.signed_in(Duration::from_mins(11));
    for path in &acts {
        let reply = admin.get(path).await;
        assert!(reply.status == StatusCode::SEE_OTHER && reply.location().contains("max_age=300"), "{path}");
    }
    for (path, csrf) in forms {
        let fields = [("csrf", csrf.as_str()), ("id", "backup"), ("disabled", "yes")];
        assert_eq!(admin.post(path, &fields).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!((world.secrets().await, world.accepts(&secret).await), (vec![old], true), "nothing has changed");
}

#[tokio::test]
async fn navigation_has_service_accounts_only_with_their_service() {
    let world = World::new().await;
    let mut admin = world.admin();
    let listed = admin.get(ACCOUNTS).await;
    assert!(listed.page.contains("href=\"/admin/service-accounts\""), "{}", listed.page);
    let bench = Bench::new().await;
    let mut admin = bench.browser_of(User { roles: vec![role::ADMIN.to_owned()], ..user("admin") });
    for path in [ACCOUNTS, BACKUP] {
        assert_eq!(admin.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
