//! The administration pages for app tokens over auth-app itself, and those for sessions and the audit log over a stand-in for idp.

mod api;

use std::sync::Arc;
use std::time::Duration;

use authn::testing::{MemoryDirectory, user};
use authn::{Authenticated, Authenticator, Credentials, Directory, User, role};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use config::TokenManager;
use proto::doorward::apptokens::v1::{CreateOwnTokenRequest, own_tokens_api_client::OwnTokensApiClient};
use proto::doorward::idp::v1::{AccountEvent, AccountSession, GetCurrentSessionResponse, account_user::Name};
use runtime::Clock;
use secrecy::SecretString;
use tempfile::TempDir;
use token::{KeyRing, METADATA_KEY, Minter, Verifier};
use tonic::Request;
use tonic::service::Routes;

use super::fake_account_admin::FakeAccountAdmin;
use super::support::{Bench, Browser, SECRET, context};
use crate::administration::Administration;
use crate::self_service::SelfService;

const TOKENS: &str = "/account/admin/tokens";
const SESSIONS: &str = "/account/admin/sessions";
const AUDIT: &str = "/account/admin/audit";
/// The time of the bench.
const NOW: i64 = 29_933_253 * 60;

struct World {
    bench: Bench,
    idp: FakeAccountAdmin,
    /// auth-app behind the pages.
    auth_app: Routes,
    authenticator: Arc<dyn Authenticator>,
    minter: Minter,
    clock: Clock,
    _folder: TempDir,
}

impl World {
    /// einstein and marie have sessions, and the administrator has signed in just now.
    async fn new() -> Self {
        let (folder, context) = (tempfile::tempdir().expect("a folder"), context());
        let directory = MemoryDirectory::new(["einstein", "marie", "admin"].map(user));
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let config = auth_app::Config {
            token_manager: TokenManager { jwt_secret: SECRET.into(), ..TokenManager::default() },
            token_key: "the-key-of-the-token-digests-32-bytes".into(),
            database_url: format!("sqlite://{}/auth-app.db", folder.path().display()).into(),
            ..auth_app::Config::default()
        };
        let opened = auth_app::open(&config, Arc::clone(&users), &context).await.expect("opens");
        let auth_app = auth_app::app(&opened).grpc.expect("gRPC");
        let keys = Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough"));
        let (minter, clock) = (Minter::new(Arc::clone(&keys), Duration::from_hours(1), false), context.clock.clone());
        let idp = FakeAccountAdmin::new(Verifier::new(keys), clock.clone());
        idp.lists().sessions = vec![session("einstein", "one"), session("einstein", "two"), session("marie", "hers")];
        idp.lists().calls = 1;
        let administration = Administration::default().with_auth_app(auth_app.clone()).with_idp(idp.server());
        let services = (SelfService::default(), administration);
        let bench = Box::pin(Bench::over((directory, users), services, true, "")).await;
        let authenticator = opened.authenticator;
        let world = Self { bench, idp, auth_app, authenticator, minter, clock, _folder: folder };
        world.signed_in(NOW - 60);
        world
    }

    /// The administrator has signed in at this time.
    fn signed_in(&self, time: i64) {
        let session = AccountSession { current: true, ..session("admin", "current") };
        self.bench.idp.lists().current = GetCurrentSessionResponse {
            session: Some(session),
            signed_in: time,
            ..GetCurrentSessionResponse::default()
        };
    }

    /// Makes a token of this user; returns its secret.
    async fn token(&self, name: &str, label: &str) -> String {
        let token =
            self.minter.mint(self.clock.now(), &Authenticated::full(Arc::new(user(name)), "pwd")).expect("mints");
        let scopes = vec!["user".to_owned()];
        let mut request = Request::new(CreateOwnTokenRequest { label: label.to_owned(), scopes, life: None });
        request.metadata_mut().insert(METADATA_KEY, token.parse().expect("is ASCII"));
        let mut api = OwnTokensApiClient::new(self.auth_app.clone());
        api.create_own_token(request).await.expect("is made").into_inner().secret
    }

    /// Whether an app token is accepted with this login name.
    async fn accepts(&self, login: &str, secret: &str) -> bool {
        self.authenticator.authenticate(&Credentials::new(login, secret)).await.is_ok()
    }

    fn admin(&self) -> Browser<'_> {
        self.bench.browser_of(User { roles: vec![role::ADMIN.to_owned()], ..user("admin") })
    }

    fn left(&self) -> Vec<String> {
        self.idp.lists().sessions.iter().map(|session| session.id.clone()).collect()
    }
}

fn session(name: &str, id: &str) -> AccountSession {
    AccountSession {
        id: id.to_owned(),
        user_id: user(name).id.opaque_id,
        created: NOW,
        last_used: NOW,
        user_agent: "<mirall>/5.0".to_owned(),
        ..AccountSession::default()
    }
}

fn event(number: usize, user_agent: &str) -> AccountEvent {
    AccountEvent {
        id: format!("event-{number}"),
        time: NOW,
        user_id: user("einstein").id.opaque_id,
        administrator_id: user("admin").id.opaque_id,
        event: "session_end_by_administrator".to_owned(),
        outcome: "done".to_owned(),
        address: "192.0.2.7".to_owned(),
        user_agent: user_agent.to_owned(),
        object: "one".to_owned(),
        ..AccountEvent::default()
    }
}

/// Rows [N40](../../../../docs/security-requirements.md#n40) to [N43](../../../../docs/security-requirements.md#n43).
#[tokio::test]
async fn pages_for_what_all_users_have_are_for_administrators_alone() {
    let world = World::new().await;
    let mut marie = world.bench.browser("marie");
    for path in [TOKENS, SESSIONS, AUDIT, "/account/admin/tokens/show/1", "/account/admin/audit/export?format=csv"] {
        let reply = marie.get(path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!reply.page.contains("einstein"), "{path}: {}", reply.page);
    }
    for path in [
        "/tokens/revoke",
        "/tokens/revoke-all?user=id-of-einstein",
        "/sessions/end",
        "/sessions/end-all?user=id-of-einstein",
        "/sessions/end-everyone",
    ] {
        let form = [("id", "one")];
        let reply = marie.post(&format!("/account/admin{path}"), &form).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        let forged = world.admin().post(&format!("/account/admin{path}"), &form).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{path} of another page");
    }
    assert_eq!(world.left(), ["one", "two", "hers"]);
}

/// Rows [N40](../../../../docs/security-requirements.md#n40) and [N41](../../../../docs/security-requirements.md#n41).
#[tokio::test]
async fn administrator_searches_shows_and_revokes_tokens() {
    let world = World::new().await;
    let phone = world.token("einstein", "Phone <1>").await;
    let laptop = world.token("einstein", "laptop").await;
    let tablet = world.token("marie", "tablet").await;
    let mut admin = world.admin();
    let all = admin.get(TOKENS).await;
    assert_eq!(all.status, StatusCode::OK, "{}", all.page);
    for text in ["Phone &#60;1&#62;", "laptop", "tablet", "<bdi>einstein</bdi>", "<bdi>marie</bdi>"] {
        assert!(all.page.contains(text), "{text}: {}", all.page);
    }
    assert!(!all.page.contains(&phone) && !all.page.contains("revoke-all"), "{}", all.page);
    let found = admin.get(&format!("{TOKENS}?user=einstein&label=PHONE")).await;
    assert!(found.page.contains("Phone &#60;1&#62;") && !found.page.contains("laptop"), "{}", found.page);
    assert!(found.page.contains("/admin/tokens/revoke-all?user=id-of-einstein"), "{}", found.page);
    let (csrf, id) = (found.field("csrf", 1), found.field("id", 1));
    let shown = admin.get(&format!("{TOKENS}/show/{id}")).await;
    assert!(shown.page.contains("Everything that you may do") && shown.page.contains(&id), "{}", shown.page);
    let none = admin.get(&format!("{TOKENS}?unused=30")).await;
    assert!(none.page.contains("No app token fits."), "{}", none.page);

    let other = (1..=3).map(|row| all.field("id", row)).find(|other| *other != id).expect("another token");
    let forged = admin.post(&format!("{TOKENS}/revoke"), &[("csrf", &csrf), ("id", &other)]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "the form is for another token");
    let revoked = admin.post(&format!("{TOKENS}/revoke"), &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!(revoked.location(), "/admin/tokens?done=revoked", "{}", revoked.page);
    assert!(!world.accepts("einstein", &phone).await && world.accepts("einstein", &laptop).await);

    world.signed_in(NOW - 601);
    let form_path = format!("{TOKENS}/revoke-all?user=id-of-einstein");
    assert_eq!(admin.get(&form_path).await.status, StatusCode::SEE_OTHER, "to a sign-in");
    world.signed_in(NOW - 60);
    let confirm = admin.get(&form_path).await;
    assert!(confirm.page.contains("Revoke all tokens of einstein?"), "{}", confirm.page);
    let csrf = confirm.field("csrf", 1);
    let form = [("csrf", &*csrf)];
    let of_marie = admin.post(&format!("{TOKENS}/revoke-all?user=id-of-marie"), &form).await;
    assert_eq!(of_marie.status, StatusCode::FORBIDDEN, "the form is for einstein");
    world.signed_in(NOW - 601);
    let late = admin.post(&form_path, &form).await;
    assert_eq!((late.status, world.accepts("einstein", &laptop).await), (StatusCode::FORBIDDEN, true));
    world.signed_in(NOW - 60);
    admin.post(&form_path, &form).await;
    assert!(!world.accepts("einstein", &laptop).await && world.accepts("marie", &tablet).await);
}

/// Rows [N42](../../../../docs/security-requirements.md#n42) and [N45](../../../../docs/security-requirements.md#n45).
#[tokio::test]
async fn administrator_ends_sessions_of_one_user_or_of_all() {
    let world = World::new().await;
    let mut admin = world.admin();
    let all = admin.get(SESSIONS).await;
    assert!(all.page.contains("&#60;mirall&#62;") && all.page.contains("<bdi>marie</bdi>"), "{}", all.page);
    let of_einstein = admin.get(&format!("{SESSIONS}?user=einstein")).await;
    assert!(!of_einstein.page.contains("<bdi>marie</bdi>"), "{}", of_einstein.page);
    let (csrf, id) = (of_einstein.field("csrf", 1), of_einstein.field("id", 1));
    for other in ["hers", "one", ""] {
        let form = [("csrf", &*csrf), ("id", other)];
        let forged = admin.post(&format!("{SESSIONS}/end"), &form).await;
        assert_eq!(
            (forged.status, world.left().len()),
            (StatusCode::FORBIDDEN, 3),
            "the form is for {id}, not {other}"
        );
    }
    admin.post(&format!("{SESSIONS}/end"), &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!((id.as_str(), world.left()), ("two", vec!["one".to_owned(), "hers".to_owned()]));

    let form_path = format!("{SESSIONS}/end-all?user=id-of-einstein");
    let csrf = admin.get(&form_path).await.field("csrf", 1);
    let form = [("csrf", &*csrf)];
    world.signed_in(NOW - 601);
    assert_eq!(admin.post(&form_path, &form).await.status, StatusCode::FORBIDDEN);
    world.signed_in(NOW - 60);
    admin.post(&form_path, &form).await;
    assert_eq!(world.left(), ["hers"]);

    world.idp.lists().calls = 25;
    let everyone = format!("{SESSIONS}/end-everyone");
    let csrf = admin.get(&everyone).await.field("csrf", 1);
    for confirm in ["", "yes"] {
        let wrong = admin.post(&everyone, &[("csrf", &csrf), ("confirm", confirm)]).await;
        assert_eq!((wrong.status, world.left().len()), (StatusCode::BAD_REQUEST, 1), "{confirm}");
    }
    let form = [("csrf", &*csrf), ("confirm", "Sign everyone out "), ("page_token", "")];
    let some = admin.post(&everyone, &form).await;
    assert!(some.page.contains("Signed out so far: 20 users."), "{}", some.page);
    let page_token = some.field("page_token", 1);
    let form = [("csrf", &*csrf), ("confirm", "sign everyone out"), ("page_token", &*page_token)];
    let done = admin.post(&everyone, &form).await;
    assert!(done.page.contains("All users are signed out") && world.left().is_empty(), "{}", done.page);
}

#[tokio::test]
async fn acts_on_a_user_are_offered_for_those_that_there_are() {
    let world = World::new().await;
    world
        .idp
        .lists()
        .sessions
        .push(AccountSession { user_id: "id-of-one-who-is-gone".to_owned(), ..session("x", "left") });
    let phone = world.token("einstein", "phone").await;
    world.bench.change("einstein", |user| User { mail: "einstein@example.org".to_owned(), ..user });
    let mut admin = world.admin();
    for (list, act) in [(SESSIONS, "end-all"), (TOKENS, "revoke-all")] {
        for named in ["Einstein", "id-of-einstein", "einstein@example.org"] {
            let found = admin.get(&format!("{list}?user={named}")).await.page;
            assert!(found.contains(&format!("{act}?user=id-of-einstein")), "{named}: {found}");
        }
        let unknown = admin.get(&format!("{list}?user=einstien")).await.page;
        assert!(unknown.contains("There is no such user.") && !unknown.contains(act), "{unknown}");
        let confirm = admin.get(&format!("{list}/{act}?user=einstien")).await;
        assert!(confirm.status == StatusCode::NOT_FOUND && confirm.page.contains("There is no such user."));
    }
    let gone = admin.get(&format!("{SESSIONS}?user=id-of-one-who-is-gone")).await.page;
    assert!(gone.contains("end-all?user=id-of-one-who-is-gone"), "{gone}");
    let form_path = format!("{SESSIONS}/end-all?user=id-of-one-who-is-gone");
    let csrf = admin.get(&form_path).await.field("csrf", 1);
    admin.post(&form_path, &[("csrf", &csrf)]).await;
    assert!(!world.left().contains(&"left".to_owned()) && world.accepts("einstein", &phone).await);
}

/// Row [N43](../../../../docs/security-requirements.md#n43).
#[tokio::test]
async fn audit_log_is_filtered_and_described() {
    let world = World::new().await;
    world.idp.lists().events = (0..5).map(|number| event(number, "<b>")).collect();
    let mut admin = world.admin();
    let query = "user=einstein&event=sign_in&outcome=failure&address=192.0.2.7&from=2026-11-29&until=2026-11-29";
    let page = admin.get(&format!("{AUDIT}?{query}")).await.page;
    for text in ["An administrator ended a session", "&#60;b&#62;", "<bdi>admin</bdi>", "event-0", "after=2"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains("<option value=\"sign_in\" selected>"), "{page}");
    for outcome in ["begun", "cancelled", "taken_back", "second_factor_required", "throttled", "no_password", "taken"] {
        assert!(page.contains(&format!("<option value=\"{outcome}\">")), "{outcome}: {page}");
    }
    assert!(page.contains("write them to their own audit logs"), "{page}");
    let asked = world.idp.lists().asked.pop().expect("idp was asked");
    assert_eq!(asked.user.and_then(|user| user.name), Some(Name::Id("id-of-einstein".to_owned())));
    assert_eq!((&*asked.event, &*asked.outcome, &*asked.address), ("sign_in", "failure", "192.0.2.7"));
    assert_eq!((asked.since, asked.until, asked.is_export), (Some(1_795_910_400), Some(1_795_996_800), false));
    let bad = admin.get(&format!("{AUDIT}?address=localhost")).await;
    assert!(bad.status == StatusCode::BAD_REQUEST && bad.page.contains("id=\"address-error\""), "{}", bad.page);
    assert!(world.idp.lists().asked.is_empty(), "nothing is listed without the filter");
}

/// Rows [N44](../../../../docs/security-requirements.md#n44) and [N46](../../../../docs/security-requirements.md#n46).
#[tokio::test]
async fn export_has_all_events_and_says_that_it_is_one() {
    let world = World::new().await;
    world.idp.lists().events = (0..5).map(|number| event(number, "=cmd()")).collect();
    let mut admin = world.admin();
    let file = admin.get(&format!("{AUDIT}/export?format=csv&user=einstein")).await;
    assert_eq!(file.headers[CONTENT_TYPE], "text/csv; charset=utf-8");
    assert_eq!(file.headers[CONTENT_DISPOSITION], "attachment; filename=\"audit-log.csv\"");
    assert_eq!(file.headers[CACHE_CONTROL], "no-store");
    assert_eq!((file.page.lines().count(), file.page.matches("id,time,event").count()), (6, 1), "{}", file.page);
    assert!(file.page.contains(",'=cmd()\r\n"), "{}", file.page);
    let exported: Vec<_> = world.idp.lists().exported.drain(..).filter_map(|request| request.filter?.user).collect();
    assert_eq!(exported.len(), 1, "in one call, which is authorised when it begins");
    assert_eq!(exported[0].name, Some(Name::Id("id-of-einstein".to_owned())));
    assert!(world.idp.lists().asked.is_empty());
    let lines = admin.get(&format!("{AUDIT}/export?format=jsonl")).await;
    assert_eq!(lines.page.lines().filter(|line| line.starts_with('{')).count(), 5, "{}", lines.page);
    assert_eq!(admin.get(&format!("{AUDIT}/export?format=html")).await.status, StatusCode::NOT_FOUND);
}
