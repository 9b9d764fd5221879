//! People and passwords from a real LDAP server, through the whole family.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ldap::testing::{EINSTEIN, MARIE, Options, PHYSICS, Person, Slapd};
use reqwest::{Method, StatusCode};
use status::Kind;
use testkit::{Browser, Landing, Layout, Mode, TestFamily, binary, note_secret, run};

const NEW: &str = "seven otters juggle lamps";

/// A family over this server.
fn layout(slapd: &Slapd, name: &str) -> Layout {
    let mut layout = Layout::new(name, false);
    for name in slapd.environment().names() {
        layout.set(name, slapd.environment().get(name).unwrap_or_default());
    }
    layout.set("USERS_DRIVER", "ldap");
    layout.set("AUTH_BASIC_AUTH_MANAGER", "ldap");
    layout
}

#[tokio::test(flavor = "multi_thread")]
async fn slapd_is_the_directory_of_the_family() {
    let Some(slapd) = Slapd::start() else { return };
    let family = TestFamily::start_empty(layout(&slapd, "ldap"), Mode::Inside).await;

    let (user, token) = family.authenticate("basic", EINSTEIN.uid, EINSTEIN.password).await.expect("einstein");
    assert_eq!((user.username.as_str(), user.mail.as_str()), (EINSTEIN.uid, EINSTEIN.mail));
    assert!(!user.groups.is_empty());
    assert_eq!(family.who_am_i(&token).await.expect("a good token").username, EINSTEIN.uid);
    let machine = family.layout.machine_key.clone();
    for (login, password) in
        [(EINSTEIN.uid, "wrong"), (EINSTEIN.uid, ""), ("unknown", EINSTEIN.password), ("*", EINSTEIN.password)]
    {
        let (kind, text) = family.authenticate("basic", login, password).await.expect_err(login);
        assert_eq!((kind, text.as_str()), (Kind::Unauthenticated, "invalid credentials"), "{login}");
    }
    // LDAP holds no roles: with the default rule the key could act as an administrator
    let marie = format!("mail:{}", MARIE.mail);
    let refused = family.authenticate("machine", &marie, &machine).await.expect_err("her roles are unknown");
    assert_eq!(refused.0, Kind::PermissionDenied);
    let log = std::fs::read_to_string(&family.layout.variables()["OCIS_LOG_FILE"]).expect("a log");
    assert!(log.contains("AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins"), "the log names the remedy");
    let rules = |layout: &mut Layout| layout.set("AUTH_MACHINE_ALLOW_IMPERSONATION", "*=users,*=admins");
    let family = family.restart(Mode::Inside, rules).await;
    let (user, _) = family.authenticate("machine", &marie, &machine).await.expect("marie");
    assert_eq!(user.username, MARIE.uid);
    let unknown =
        family.authenticate("machine", "username:unknown", &machine).await.expect_err("there is no such user");
    assert_eq!(unknown.0, Kind::NotFound);

    let list = family.command(&["user", "list"], "").await;
    assert_eq!((list.code, list.stdout.lines().count()), (0, 7), "{}{}", list.stdout, list.stderr);
    assert!(list.stdout.contains(EINSTEIN.mail) && list.stdout.contains(MARIE.id), "{}", list.stdout);
    let shown = family.command(&["user", "show", MARIE.uid], "").await;
    assert!(shown.stdout.contains("groups  physics-lovers, radium-lovers"), "{}{}", shown.stdout, shown.stderr);
    let unknown = family.command(&["user", "show", "unknown"], "").await;
    assert_eq!(unknown.code, 1, "{}", unknown.stdout);
    let list = family.command(&["group", "list"], "").await;
    assert_eq!((list.code, list.stdout.lines().count()), (0, 4), "{}{}", list.stdout, list.stderr);
    let physicists = list.stdout.lines().find(|line| line.starts_with("physics-lovers")).expect("the physicists");
    let columns: Vec<_> = physicists.split_whitespace().collect();
    assert_eq!(columns, ["physics-lovers", "4", "in", "Berlin", PHYSICS]);
    let list = family.command(&["group", "member", "list", "physics-lovers"], "").await;
    assert_eq!((list.code, list.stdout.lines().count()), (0, 5), "{}{}", list.stdout, list.stderr);
    assert!(list.stdout.contains(EINSTEIN.name) && list.stdout.contains(MARIE.id), "{}", list.stdout);
    let unknown = family.command(&["group", "member", "list", "chemists"], "").await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""), "{}", unknown.stderr);
    for arguments in [
        &["user", "add", "niels", "--no-password"][..],
        &["user", "disable", EINSTEIN.uid],
        &["user", "passwd", EINSTEIN.uid, "--generate"],
        &["user", "delete", EINSTEIN.uid, "--yes"],
        &["group", "add", "chemists"],
        &["group", "delete", "physics-lovers", "--yes"],
        &["group", "member", "add", "physics-lovers", EINSTEIN.uid],
    ] {
        let refused = family.command(arguments, "").await;
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("kept in LDAP"), "{arguments:?}: {}", refused.stderr);
    }
}

/// A family with the edge over this server, and the account pages there.
struct World {
    family: TestFamily,
    edge: String,
}

impl World {
    async fn start(slapd: &Slapd, name: &str, mode: Mode) -> Self {
        let mut layout = layout(slapd, name);
        let edge = format!("http://{}", layout.variables()["PROXY_HTTP_ADDR"]);
        layout.set("PROXY_TLS", "false");
        layout.set("PROXY_ENABLE_BASIC_AUTH", "true");
        layout.set("OCIS_URL", &edge);
        layout.set("AUTH_MACHINE_ALLOW_IMPERSONATION", "*=users,*=admins");
        note_secret(NEW);
        Self { family: TestFamily::start_empty(layout, mode).await, edge }
    }

    /// The status of the overview for a credential.
    async fn status(&self, authorization: &str) -> StatusCode {
        let headers = [("authorization", authorization)];
        let url = format!("{}/account", self.edge);
        Browser::new().request(Method::GET, &url, &headers).await.expect("answers").status
    }

    /// Sends the form for the password of a user. `None` if the page has no form.
    async fn change(&self, user: &Person, old: &str, new: &str) -> Option<Landing> {
        let (mut browser, url) = (Browser::new(), format!("{}/account/password", self.edge));
        let authorization = basic(user.uid, user.password);
        let headers = [("authorization", &*authorization)];
        let page = browser.request(Method::GET, &url, &headers).await.expect("answers");
        if page.status != StatusCode::OK || !page.page.contains("<form") {
            return None;
        }
        let csrf = page.page.rsplit("name=\"csrf\" value=\"").next().and_then(|rest| rest.split('"').next());
        let form = [("csrf", csrf.expect("the form has it")), ("old", old), ("new", new)];
        Some(browser.submit_with(&url, &self.edge, &form, &headers).await.expect("answers"))
    }
}

fn basic(login: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")))
}

async fn change_own_password(world: &World) {
    let token = world.family.app_token(EINSTEIN.uid).await;
    assert_eq!(world.status(&basic(EINSTEIN.uid, &token)).await, StatusCode::OK, "an app token");
    let refused = world.change(&EINSTEIN, "not the old password", NEW).await.expect("a form");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.page);
    let refused = world.change(&EINSTEIN, EINSTEIN.password, "short").await.expect("a form");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.page);
    assert_eq!(world.status(&basic(EINSTEIN.uid, &token)).await, StatusCode::OK, "nothing has changed");

    let changed = world.change(&EINSTEIN, EINSTEIN.password, NEW).await.expect("a form");
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.page);
    assert_eq!(world.status(&basic(EINSTEIN.uid, NEW)).await, StatusCode::OK, "the new password");
    for (secret, what) in [(EINSTEIN.password, "the old password"), (&*token, "an app token from before")] {
        assert_eq!(world.status(&basic(EINSTEIN.uid, secret)).await, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(world.status(&basic(MARIE.uid, MARIE.password)).await, StatusCode::OK, "another user");
}

/// Row [B22](../../../docs/security-requirements.md#b22).
#[tokio::test(flavor = "multi_thread")]
async fn own_password_in_ldap_is_changed_and_ends_what_is_older() {
    let Some(slapd) = Slapd::start_with(Options { self_write: true, ..Options::default() }) else { return };
    change_own_password(&World::start(&slapd, "ldap-password", Mode::Inside).await).await;
}

/// Row [B22](../../../docs/security-requirements.md#b22).
#[tokio::test(flavor = "multi_thread")]
async fn own_password_in_ldap_is_changed_with_separate_processes() {
    let Some(slapd) = Slapd::start_with(Options { self_write: true, ..Options::default() }) else { return };
    change_own_password(&World::start(&slapd, "ldap-password-processes", Mode::Processes).await).await;
}

/// Row [B22](../../../docs/security-requirements.md#b22).
#[tokio::test(flavor = "multi_thread")]
async fn ldap_server_that_lets_no_user_change_passwords_refuses_clearly() {
    let Some(slapd) = Slapd::start() else { return };
    let world = World::start(&slapd, "ldap-password-closed", Mode::Inside).await;
    let token = world.family.app_token(EINSTEIN.uid).await;
    let refused = world.change(&EINSTEIN, EINSTEIN.password, NEW).await.expect("a form");
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.page);
    assert!(refused.page.contains("does not let you change your password here"), "{}", refused.page);
    for secret in [EINSTEIN.password, &*token] {
        assert_eq!(world.status(&basic(EINSTEIN.uid, secret)).await, StatusCode::OK, "nothing has changed");
    }
    let off = |layout: &mut Layout| layout.set("AUTH_BASIC_LDAP_PASSWORD_CHANGE", "false");
    let world = World { family: world.family.restart(Mode::Inside, off).await, edge: world.edge };
    assert!(world.change(&EINSTEIN, EINSTEIN.password, NEW).await.is_none(), "there is no form");
}

#[test]
fn stopped_family_lists_the_users_of_ldap() {
    let Some(slapd) = Slapd::start() else { return };
    let layout = layout(&slapd, "ldap-stopped");
    let list = run("doorward", &["user", "list", "office@"], layout.variables(), "");
    assert_eq!((list.code, list.stdout.lines().count()), (0, 3), "{}{}", list.stdout, list.stderr);
}

#[test]
fn quickstart_over_ldap_adds_no_users_and_reports_that() {
    let Some(slapd) = Slapd::start() else { return };
    let layout = layout(&slapd, "ldap-quickstart");
    let mut command = Command::new(binary("doorward"));
    command.arg("quickstart").env_clear().envs(layout.variables()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut text = String::new();
    while !text.contains("user list") {
        assert_ne!(output.read_line(&mut text).expect("a line"), 0, "it ends: {text}");
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert!(text.contains("The users are read from LDAP") && text.contains("Doorward is ready"), "{text}");
}
