use proptest::prelude::*;

use super::*;
use crate::{OpaqueEntry, Role, Scope};

const NODE: &str = "1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11";
const OTHER: &str = "00000000-0000-0000-0000-000000000002";

fn grants(words: &[&str]) -> Grants {
    Grants::parse(words.iter().copied()).expect("grants")
}

fn scopes(words: &[&str]) -> Scopes {
    grants(words).to_cs3()
}

fn tree<'a>(permission: Permission, node: Option<&'a str>, path: Option<&'a str>) -> Access<'a> {
    Access::Tree { permission, node, ancestors: &[], path }
}

#[test]
fn a13_scopes_are_parsed_strictly() {
    for good in ["user", "profile", "tokens:read", "tokens:write", "path:/:r", "path:/a b/ü:c:rw"] {
        assert_eq!(grants(&[good]).words(), [good]);
    }
    for permission in ["r", "w", "rw"] {
        let word = format!("node:{NODE}:{permission}");
        assert_eq!(grants(&[&word]).words(), [word]);
    }
    assert_eq!(grants(&[&format!("node:{}:wr", NODE.to_uppercase())]).words(), [format!("node:{NODE}:rw")]);
    assert_eq!(grants(&["path:/photos/:r"]).words(), ["path:/photos:r"]);
    let wrong = [
        "",
        "node:*:rw",
        "node:x:rwx",
        &format!("node:{NODE}:"),
        &format!("node:{NODE}:rwx"),
        &format!("node:{NODE}:rr"),
        &format!("node:{NODE}:R"),
        &format!("node:{NODE}"),
        &format!("node:{}:r", NODE.replace('-', "")),
        &format!("node:{{{NODE}}}:r"),
        &format!("nodes:{NODE}:r"),
        "User",
        " user",
        "user ",
        "user,user",
        "*",
        "tokens",
        "tokens:rw",
        "path::r",
        "path:photos:r",
        "path://:r",
        "path:/a//b:r",
        "path:/a/../b:r",
        "path:/./b:r",
        "path:/a%2fb:r",
        "path:/a\\b:r",
        "path:/a\nb:r",
        "path:/a;v=1:r",
        &format!("path:/{}:r", "x".repeat(MAX_PATH)),
    ];
    for wrong in wrong {
        assert_eq!(Grants::parse([wrong]), Err(GrantError::Unknown(wrong.to_owned())), "{wrong:?}");
    }
    assert_eq!(Grants::parse([]), Err(GrantError::Missing), "empty is not all");
    assert!(!GrantError::Unknown("a\nb".repeat(100)).to_string().contains('\n'), "one line of the log");
}

#[test]
fn a13_duplicates_become_one() {
    assert_eq!(grants(&["user", "user"]).words(), ["user"]);
    let (read, write) = (format!("node:{NODE}:r"), format!("node:{NODE}:w"));
    assert_eq!(grants(&[&write, &read, &write]).words(), [format!("node:{NODE}:rw")]);
    assert_eq!(grants(&["tokens:write", "tokens:read"]).words(), ["tokens:write"]);
    let many: Vec<String> = (0..=MAX_GRANTS).map(|number| format!("path:/{number}:r")).collect();
    assert_eq!(Grants::parse(many.iter().map(String::as_str)), Err(GrantError::TooMany));
}

#[test]
fn a13_cs3_scopes_are_read_as_strictly() {
    let scope = |role| Scope { resource: OpaqueEntry::json(r#"{"path":"/"}"#), role };
    let of = |key: &str, role| Scopes([(key.to_owned(), scope(role))].into());
    assert_eq!(Grants::from_cs3(&Scopes::full_user()), Ok(Grants::user()));
    assert_eq!(Grants::from_cs3(&Scopes::default()), Err(GrantError::Missing));
    for role in [Role::Invalid, Role::Viewer, Role::Editor, Role::CoOwner] {
        assert!(matches!(Grants::from_cs3(&of("user", role)), Err(GrantError::Unknown(_))), "{role:?}");
    }
    for key in ["publicshare:1", "resourceinfo:1", "users", "node:*", "path:..", "lightweight"] {
        assert!(matches!(Grants::from_cs3(&of(key, Role::Viewer)), Err(GrantError::Unknown(_))), "{key}");
    }
    for role in [Role::Owner, Role::Invalid] {
        assert!(Grants::from_cs3(&of(&format!("node:{NODE}"), role)).is_err(), "{role:?}");
    }
    let many = (0..=MAX_GRANTS).map(|number| (format!("path:/{number}"), scope(Role::Viewer))).collect();
    assert_eq!(Grants::from_cs3(&Scopes(many)), Err(GrantError::TooMany));
}

#[test]
fn roles_are_those_of_the_permission() {
    let role = |word: &str| scopes(&[word]).0.into_values().next().map(|scope| scope.role);
    assert_eq!(role(&format!("node:{NODE}:r")), Some(Role::Viewer));
    assert_eq!(role(&format!("node:{NODE}:rw")), Some(Role::Editor));
    assert_eq!(role(&format!("node:{NODE}:w")), Some(Role::Uploader));
    assert_eq!(scopes(&["user"]), Scopes::full_user());
    assert!(!scopes(&["tokens:write", "profile", "path:/:rw"]).is_full_user());
}

#[test]
fn grants_outside_the_own_scope_cannot_be_passed_on() {
    let (read, write) = (format!("node:{NODE}:r"), format!("node:{NODE}:rw"));
    let other = format!("node:{OTHER}:r");
    let within = |wish: &[&str], own: &[&str]| grants(wish).check_within(&scopes(own)).is_ok();
    assert!(within(&["user"], &["user"]) && within(&["tokens:write", &write, "path:/a:w"], &["user"]));
    assert!(within(&[&read], &[&write]) && !within(&[&write], &[&read]));
    assert!(!within(&[&other], &[&write]) && !within(&["user"], &[&write]));
    assert!(within(&["path:/a/b:r"], &["path:/a:rw"]) && !within(&["path:/ab:r"], &["path:/a:rw"]));
    assert!(!within(&["path:/:r"], &["path:/a:r"]) && !within(&[&read], &["path:/:rw"]));
    assert!(within(&["tokens:read"], &["tokens:write"]) && !within(&["tokens:write"], &["tokens:read"]));
    assert!(!within(&["profile"], &["tokens:write"]));
    assert_eq!(Grants::user().check_within(&Scopes::default()), Err(GrantError::TooWide));
}

#[test]
fn a_node_scope_reaches_its_node_and_what_the_server_says_is_below() {
    let read = scopes(&[&format!("node:{NODE}:r")]);
    assert!(read.allow(&tree(Permission::Read, Some(NODE), None)));
    assert!(!read.allow(&tree(Permission::Write, Some(NODE), None)), "row G12: it reads");
    assert!(!read.allow(&tree(Permission::Read, Some(OTHER), None)));
    assert!(!read.allow(&tree(Permission::Read, None, Some("/"))));
    let below = |ancestors| Access::Tree { permission: Permission::Read, node: Some(OTHER), ancestors, path: None };
    assert!(read.allow(&below(&["root", NODE])) && !read.allow(&below(&["root"])));
    let write = scopes(&[&format!("node:{NODE}:w")]);
    assert!(write.allow(&tree(Permission::Write, Some(NODE), None)));
    assert!(!write.allow(&tree(Permission::Read, Some(NODE), None)));
}

#[test]
fn a_path_scope_reaches_every_name_below_and_no_path_that_leads_elsewhere() {
    let photos = scopes(&["path:/photos:rw"]);
    let read = |path| photos.allow(&tree(Permission::Read, None, Some(path)));
    for below in
        ["/photos", "/photos/", "/photos/2026/a.jpg", "/photos/a;b", "/photos/a\\b", "/photos/100%", "/photos/;#?"]
    {
        assert!(read(below), "{below}");
    }
    for other in [
        "/",
        "/photos-of-others",
        "/docs",
        "photos",
        "/photos/../docs",
        "/photos//x",
        "/photos/%2e%2E/docs",
        "/photos/..;x/docs",
        "/photos/%2e.;/docs",
        "/photos/a\u{7f}",
        "/photos;x/a",
        "/photos\\a",
        "/photos%2Fa",
    ] {
        assert!(!read(other), "{other}");
    }
}

#[test]
fn outside_the_tree_only_what_is_said_is_granted() {
    let narrow = scopes(&[&format!("node:{NODE}:rw"), "path:/:rw"]);
    for access in [Access::Tokens(Permission::Read), Access::Tokens(Permission::Write), Access::Profile, Access::Other]
    {
        assert!(!narrow.allow(&access), "{access:?}");
        assert!(Scopes::full_user().allow(&access), "{access:?}");
        assert!(!Scopes::default().allow(&access), "{access:?}");
    }
    assert!(scopes(&["tokens:read"]).allow(&Access::Tokens(Permission::Read)));
    assert!(!scopes(&["tokens:read"]).allow(&Access::Tokens(Permission::Write)));
    assert!(scopes(&["tokens:write"]).allow(&Access::Tokens(Permission::Write)));
    assert!(scopes(&["profile"]).allow(&Access::Profile) && !scopes(&["profile"]).allow(&Access::Other));
}

#[test]
fn a_scope_that_is_not_known_grants_nothing() {
    for (key, role) in
        [("publicshare:1", Role::Editor), ("user", Role::Editor), ("users", Role::Owner), ("node", Role::Viewer)]
    {
        let unknown = Scopes([(key.to_owned(), Scope { role, ..Scope::default() })].into());
        assert!(!unknown.allow(&tree(Permission::Read, Some(NODE), Some("/"))), "{key}");
        assert!(!unknown.allow(&Access::Other), "{key}");
    }
}

#[test]
fn methods_that_are_not_known_write() {
    for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"] {
        assert_eq!(Permission::of_method(method), Permission::Read);
    }
    for method in ["PUT", "POST", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK", "PATCH", "get", ""] {
        assert_eq!(Permission::of_method(method), Permission::Write, "{method}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let permission = prop::sample::select(vec!["r", "w", "rw"]);
    let uuid = any::<u128>().prop_map(|number| uuid::Uuid::from_u128(number).to_string());
    prop_oneof![
        prop::sample::select(vec!["user", "profile", "tokens:read", "tokens:write"]).prop_map(str::to_owned),
        (uuid, permission.clone()).prop_map(|(id, permission)| format!("node:{id}:{permission}")),
        ("(/[a-z :]{1,5}){1,3}", permission).prop_map(|(path, permission)| format!("path:{path}:{permission}")),
    ]
}

#[test]
fn oauth_scope_that_asks_for_the_api_is_read_and_profile_alone_does_not() {
    let read = |scope: &str| Grants::of_oauth_scope(scope.split(' '));
    for scope in ["openid profile email", "profile", "groups roles offline_access", ""] {
        assert_eq!(read(scope), Ok(None), "{scope}");
    }
    assert_eq!(read("openid user"), Ok(Some(Grants::user())));
    assert_eq!(read("openid profile path:/photos:r"), Ok(Some(grants(&["path:/photos:r", "profile"]))));
    assert_eq!(
        read("tokens:read path:photos:r"),
        Ok(Some(grants(&["tokens:read"]))),
        "what is not known grants nothing"
    );
    for scope in ["path:photos:r", "openid tokens:all", "node:1:r"] {
        assert!(matches!(read(scope), Err(GrantError::Unknown(_))), "{scope}");
    }
}

#[test]
fn marker_of_the_method_grants_nothing() {
    let marked = Scopes::default().with_amr("app");
    assert_eq!(marked.amr().collect::<Vec<_>>(), ["app"]);
    assert!(!marked.is_full_user() && marked.grants().is_empty());
    let full = Scopes::full_user().with_amr("app");
    assert!(full.is_full_user() && full.allow(&Access::Other) && !full.grants_tokens(Permission::Read));
    assert_eq!(Scopes::full_user().amr().count(), 0);
}

proptest! {
    #[test]
    fn what_is_accepted_is_written_as_it_was(text in ".{0,60}") {
        if let Ok(grant) = text.parse::<Grant>() {
            prop_assert_eq!(grant.to_string().parse::<Grant>(), Ok(grant));
        }
    }

    #[test]
    fn grants_survive_words_and_cs3(words in prop::collection::vec(word(), 1..8)) {
        let grants = Grants::parse(words.iter().map(String::as_str)).expect("grants");
        let again = grants.words();
        prop_assert_eq!(Grants::parse(again.iter().map(String::as_str)), Ok(grants.clone()));
        prop_assert_eq!(Grants::from_cs3(&grants.to_cs3()), Ok(grants.clone()));
        prop_assert!(grants.check_within(&grants.to_cs3()).is_ok());
    }

    #[test]
    fn narrow_scopes_never_allow_what_is_outside_the_tree(words in prop::collection::vec(word(), 1..8)) {
        let narrow: Vec<&str> = words.iter().map(String::as_str).filter(|word| word.starts_with("node:") || word.starts_with("path:")).collect();
        prop_assume!(!narrow.is_empty());
        let scopes = Grants::parse(narrow).expect("grants").to_cs3();
        for access in [Access::Tokens(Permission::Read), Access::Profile, Access::Other] {
            prop_assert!(!scopes.allow(&access));
        }
    }

    #[test]
    fn a_path_outside_is_never_reached(path in "(/(\\.\\.|\\.|%2e|a;b|a|\\\\|photos)){0,5}/?") {
        let scopes = scopes(&["path:/photos:rw"]);
        let clean = path == "/photos" || path.starts_with("/photos/");
        let dotted = path.split('/').skip(1).any(|segment| matches!(segment, "." | ".." | "%2e"));
        let allowed = scopes.allow(&tree(Permission::Read, None, Some(&path)));
        prop_assert_eq!(allowed, clean && !dotted);
    }
}
