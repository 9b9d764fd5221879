//! People and passwords from a real LDAP server, through the whole family.

use ldap::testing::{EINSTEIN, MARIE, Slapd};
use status::Kind;
use testkit::{Layout, Mode, TestFamily};

#[tokio::test(flavor = "multi_thread")]
async fn slapd_is_the_directory_of_the_family() {
    let Some(slapd) = Slapd::start() else { return };
    let mut layout = Layout::new("ldap", false);
    for name in slapd.environment().names() {
        layout.set(name, slapd.environment().get(name).unwrap_or_default());
    }
    layout.set("USERS_DRIVER", "ldap");
    layout.set("AUTH_BASIC_AUTH_MANAGER", "ldap");
    let family = TestFamily::start_empty(layout, Mode::Inside).await;

    let (user, token) = family.authenticate("basic", EINSTEIN.uid, EINSTEIN.password).await.expect("einstein");
    assert_eq!((user.username.as_str(), user.mail.as_str()), (EINSTEIN.uid, EINSTEIN.mail));
    assert!(!user.groups.is_empty());
    assert_eq!(family.who_am_i(&token).await.expect("a good token").username, EINSTEIN.uid);
    let machine = family.layout.machine_key.clone();
    for (login, password) in
        [(EINSTEIN.uid, "wrong"), (EINSTEIN.uid, ""), ("nobody", EINSTEIN.password), ("*", EINSTEIN.password)]
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
    let unknown = family.authenticate("machine", "username:nobody", &machine).await.expect_err("nobody");
    assert_eq!(unknown.0, Kind::NotFound);
}
