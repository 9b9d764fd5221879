//! People and groups of a real server.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use authn::{Attribute, Claim, Directory as _, DirectoryError, Filter, Groups, User, UserId, UserStatus, UserType};
use config::Environment;
use ldap::testing::{
    AMBIGUOUS_MAIL, BASE, EINSTEIN, GUEST, LISE, MARIE, OHARA, PHYSICS, Person, RADIUM, RICHARD, STAFF, Slapd,
};
use ldap::{Directory, Group, GroupKey, Ldap};
use runtime::Reload;

fn directory(config: &Ldap) -> Directory {
    Directory::new(config, &Environment::default(), &Reload::default())
}

fn id(of: &Person) -> UserId {
    UserId { opaque_id: of.id.to_owned(), ..UserId::default() }
}

async fn by_name(directory: &Directory, name: &str) -> Result<String, DirectoryError> {
    let found = directory.user_by_claim(&Claim::Username(name.to_owned()), Groups::Skip).await;
    found.map(|user| user.id.opaque_id.clone())
}

#[tokio::test]
async fn a_person_is_found_by_every_claim() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    for claim in [
        Claim::Username("einstein".into()),
        Claim::Username("EINSTEIN".into()),
        Claim::Username("ＥＩＮＳＴＥＩＮ".into()),
        Claim::Mail("einstein@example.org".into()),
        Claim::UserId(EINSTEIN.id.into()),
        Claim::Uid("20000".into()),
    ] {
        let user = directory.user_by_claim(&claim, Groups::Include).await.expect("he is there");
        assert_eq!(user.id.opaque_id, EINSTEIN.id, "{claim:?}");
        assert_eq!(user.id.idp, "https://localhost:9200");
        assert_eq!(user.id.kind, UserType::Primary);
        assert_eq!(user.username, "einstein");
        assert_eq!(user.mail, "einstein@example.org");
        assert_eq!(user.display_name, "Albert Einstein");
        assert_eq!((user.uid_number, user.gid_number), (20_000, 30_000));
        assert_eq!(user.groups, [PHYSICS]);
        assert_eq!(user.status, UserStatus::Active);
    }
    let marie = directory.user(&id(&MARIE), Groups::Skip).await.expect("she is there");
    assert_eq!((marie.display_name.as_str(), marie.groups.len()), (MARIE.name, 0));
}

#[tokio::test]
async fn profile_is_made_of_the_attributes_of_the_schema() {
    let Some(slapd) = Slapd::start() else { return };
    let mut config = slapd.config();
    let profile = directory(&config).profile(&id(&EINSTEIN)).await.expect("he is there");
    for (attribute, value) in [
        (Attribute::GivenName, "Albert"),
        (Attribute::FamilyName, EINSTEIN.name),
        (Attribute::PhoneNumber, "+41 44 632 11 11"),
        (Attribute::Website, "https://einstein.example.org"),
        (Attribute::Locale, "de-CH"),
        (Attribute::AddressFormatted, "Kramgasse 49\n3011 Bern"),
        (Attribute::AddressStreet, "Kramgasse 49"),
        (Attribute::AddressLocality, "Bern"),
        (Attribute::AddressRegion, "BE"),
        (Attribute::AddressPostalCode, "3011"),
    ] {
        assert_eq!(profile.get(attribute), Some(value), "{}", attribute.name());
    }
    assert!(!profile.phone_number_verified);

    config.profile_schema.phone_number = String::new();
    config.profile_schema.family_name = "cn".to_owned();
    let profile = directory(&config).profile(&id(&EINSTEIN)).await.expect("he is there");
    assert_eq!(profile.get(Attribute::PhoneNumber), None, "it is switched off");
    assert_eq!(profile.get(Attribute::FamilyName), Some(EINSTEIN.name));
    let unknown = UserId { opaque_id: "unknown".to_owned(), ..UserId::default() };
    let outcome = directory(&config).profile(&unknown).await;
    assert!(matches!(outcome, Err(DirectoryError::NotFound)), "{outcome:?}");
}

#[tokio::test]
async fn claim_that_matches_no_or_several_entries_finds_no_user() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    for claim in [
        Claim::Username("unknown".into()),
        Claim::Username(" einstein".into()),
        Claim::Username("ein\u{ad}stein".into()),
        Claim::Mail("einstein@example.org ".into()),
        Claim::Username(String::new()),
        Claim::Mail(String::new()),
        Claim::UserId("not-a-uuid".into()),
        Claim::UserId("*".into()),
        Claim::Uid("20000)(uid=*".into()),
        Claim::Uid("-1".into()),
    ] {
        let outcome = directory.user_by_claim(&claim, Groups::Include).await;
        assert!(matches!(outcome, Err(DirectoryError::NotFound)), "{claim:?}: {outcome:?}");
    }
    for claim in [Claim::Mail(AMBIGUOUS_MAIL.into()), Claim::Gid("30000".into())] {
        let outcome = directory.user_by_claim(&claim, Groups::Skip).await;
        assert!(matches!(outcome, Err(DirectoryError::Ambiguous)), "{claim:?}: {outcome:?}");
    }
    let elsewhere = UserId { idp: "https://elsewhere.example.org".into(), ..id(&EINSTEIN) };
    assert!(matches!(directory.user(&elsewhere, Groups::Skip).await, Err(DirectoryError::NotFound)));
}

/// Row B6.
#[tokio::test]
async fn filters_cannot_be_injected_and_odd_names_work() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    for name in ["*", "einstein)(uid=*", "*)(objectClass=*", "e*", "einstein\0", "\\2a"] {
        assert!(matches!(by_name(&directory, name).await, Err(DirectoryError::NotFound)), "{name:?}");
    }
    assert_eq!(by_name(&directory, OHARA.uid).await.expect("the odd one is there"), OHARA.id);
    let ohara = directory.user(&id(&OHARA), Groups::Include).await.expect("the odd one is there");
    assert_eq!(ohara.groups, [PHYSICS], "the DN is escaped in the search for groups");
    let found = directory.find(&[Filter::Query("(Co\\*)".into())], Groups::Skip, "").await.expect("a page");
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn scopes_are_honoured() {
    let Some(slapd) = Slapd::start() else { return };
    let scoped = |scope: &str, base: &str| {
        directory(&Ldap { user_scope: scope.into(), user_base_dn: base.into(), ..slapd.config() })
    };
    let (people, entry) = (format!("ou=people,{BASE}"), EINSTEIN.dn());
    let sees = async |scope: &str, base: &str, name: &str| by_name(&scoped(scope, base), name).await.is_ok();
    assert!(sees("sub", &people, "einstein").await && sees("sub", &people, "marie").await);
    assert!(sees("one", &people, "einstein").await);
    assert!(!sees("one", &people, "marie").await, "she is one level deeper");
    assert!(!sees("base", &people, "einstein").await);
    assert!(sees("base", &entry, "einstein").await);
    let groups = directory(&Ldap { group_scope: "base".into(), ..slapd.config() });
    assert!(groups.groups(&id(&EINSTEIN)).await.expect("an answer").is_empty());
}

#[tokio::test]
async fn filters_and_classes_narrow() {
    let Some(slapd) = Slapd::start() else { return };
    let some = directory(&Ldap { user_filter: "ownCloudUserType=Guest".into(), ..slapd.config() });
    assert!(by_name(&some, "visitor").await.is_ok());
    assert!(by_name(&some, "einstein").await.is_err());
    let none = directory(&Ldap { user_object_class: "device".into(), ..slapd.config() });
    assert!(by_name(&none, "einstein").await.is_err());
    let fewer = directory(&Ldap { group_filter: "(cn=radium-lovers)".into(), ..slapd.config() });
    assert_eq!(fewer.groups(&id(&MARIE)).await.expect("her groups"), [RADIUM]);
    let all = directory(&slapd.config()).groups(&id(&MARIE)).await.expect("her groups");
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn disabled_people_are_found_and_blocked() {
    let Some(slapd) = Slapd::start() else { return };
    let status = async |mechanism: &str, of: &Person| {
        let config = Ldap { disable_user_mechanism: mechanism.into(), ..slapd.config() };
        directory(&config).user(&id(of), Groups::Skip).await.expect("found all the same").status
    };
    let blocked = UserStatus::Blocked;
    assert_eq!(status("attribute", &LISE).await, blocked);
    assert_eq!(status("attribute", &RICHARD).await, UserStatus::Active);
    assert_eq!(status("group", &LISE).await, UserStatus::Active);
    assert_eq!(status("group", &RICHARD).await, blocked);
    assert_eq!(status("none", &LISE).await, UserStatus::Active);
    assert_eq!(status("none", &RICHARD).await, UserStatus::Active);
    let missing = Ldap {
        disable_user_mechanism: "group".into(),
        disabled_users_group_dn: format!("cn=nothing,ou=groups,{BASE}"),
        ..slapd.config()
    };
    let user = directory(&missing).user(&id(&RICHARD), Groups::Skip).await.expect("found");
    assert_eq!(user.status, UserStatus::Active, "a group that does not exist yet disables no user");
}

#[tokio::test]
async fn binary_identifiers_have_microsofts_byte_order_only_where_they_are_microsofts() {
    let Some(slapd) = Slapd::start() else { return };
    let mut config = slapd.config();
    config.user_schema.id = "objectGUID".into();
    config.user_schema.id_is_octet_string = true;
    let active_directory = directory(&config);
    assert_eq!(by_name(&active_directory, "einstein").await.expect("he is there"), EINSTEIN.id);
    let user = active_directory.user(&id(&EINSTEIN), Groups::Include).await.expect("and is found by it");
    assert_eq!((user.username.as_str(), user.groups.len()), ("einstein", 1));
}

/// `docs/security-requirements.md#d43`
#[tokio::test]
async fn search_of_a_tenant_finds_its_users_alone() {
    let Some(slapd) = Slapd::start() else { return };
    let of = |attribute: &str| {
        let mut config = Ldap { multi_tenant_enabled: true, ..slapd.config() };
        config.user_schema.tenant_id = attribute.to_owned();
        directory(&config)
    };
    // the attribute that is Guest for the visitor and Member for all others
    let tenants = of("ownCloudUserType");
    let find = async |tenant: &str, filters: &[Filter]| {
        let found = tenants.find_in_tenant(tenant, filters, Groups::Skip, "").await.expect("a page");
        found.iter().map(|user| user.username.clone()).collect::<Vec<_>>()
    };
    let office = [Filter::Query("office@".into())];
    assert_eq!(find("Member", &office).await, ["lise"]);
    assert_eq!(find("Guest", &office).await, ["visitor"]);
    assert_eq!(find("Guest", &[]).await, ["visitor"]);
    for other in ["guest", "*", "Gue*", "Guest)(uid=*", "nothing"] {
        assert!(find(other, &[]).await.is_empty(), "{other:?}");
    }
    let einstein = tenants.user(&id(&EINSTEIN), Groups::Skip).await.expect("he is there");
    assert_eq!(einstein.id.tenant_id, "Member");

    let several = of("objectClass").user(&id(&EINSTEIN), Groups::Skip).await;
    assert!(matches!(several, Err(DirectoryError::NotFound)), "{several:?}");
    let none = of("departmentNumber").user(&id(&EINSTEIN), Groups::Skip).await.expect("he is there");
    assert_eq!(none.id.tenant_id, "", "the gateway refuses users without one");
}

/// `docs/security-requirements.md#d44`
#[tokio::test]
async fn users_of_every_instance_are_found_whatever_the_filter_says() {
    let Some(slapd) = Slapd::start() else { return };
    let of = |master: &str| {
        let mut config = Ldap {
            user_filter: "(uid=marie)".to_owned(),
            multi_instance_enabled: true,
            multi_instance_master_id: master.to_owned(),
            ..slapd.config()
        };
        // the attribute that is Guest for the visitor and Member for all others
        config.user_schema.guest = "ownCloudUserType".to_owned();
        directory(&config)
    };
    let found = async |master: &str| {
        let users = of(master).find(&[], Groups::Skip, "").await.expect("a page");
        let mut names: Vec<String> = users.iter().map(|user| user.username.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(found("Guest").await, ["marie", "visitor"]);
    for other in ["", "*", "Gue*", "Guest)(uid=*"] {
        assert_eq!(found(other).await, ["marie"], "{other:?}");
    }
    assert_eq!(by_name(&of("Guest"), "visitor").await.expect("a guest of every instance"), GUEST.id);
    let outcome = by_name(&of("Guest"), "einstein").await;
    assert!(matches!(outcome, Err(DirectoryError::NotFound)), "{outcome:?}");
}

#[tokio::test]
async fn searches_find_a_page_of_people() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    let find = async |filters: &[Filter]| {
        let found = directory.find(filters, Groups::Skip, "").await.expect("a page");
        let mut names: Vec<String> = found.iter().map(|user| user.username.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(find(&[Filter::Query("RICHARD".into())]).await, ["richard"]);
    assert_eq!(find(&[Filter::Query("Skłodowska".into())]).await, ["marie"]);
    assert_eq!(find(&[Filter::Query("office@".into())]).await, ["lise", "visitor"]);
    assert_eq!(find(&[Filter::Query("office@".into()), Filter::Type(UserType::Guest)]).await, ["visitor"]);
    assert_eq!(find(&[Filter::Type(UserType::Primary)]).await.len(), 5);
    assert!(find(&[Filter::Type(UserType::Federated)]).await.is_empty());
    assert_eq!(find(&[]).await.len(), 6);
    assert_eq!(find(&[Filter::Query(String::new())]).await.len(), 6);
    let guest = directory.user(&id(&GUEST), Groups::Skip).await.expect("the guest");
    assert_eq!(guest.id.kind, UserType::Guest);
}

#[tokio::test]
async fn groups_that_name_logins_are_those_of_a_user() {
    let Some(slapd) = Slapd::start() else { return };
    let mut config = Ldap { group_object_class: "posixGroup".into(), ..slapd.config() };
    config.group_schema.member = "memberUid".into();
    let directory = directory(&config);
    assert_eq!(directory.groups(&id(&MARIE)).await.expect("her groups"), [STAFF]);
    assert!(directory.groups(&id(&EINSTEIN)).await.expect("his groups").is_empty());
}

#[tokio::test]
async fn a_page_may_be_cut_short_by_the_server() {
    let Some(slapd) = Slapd::start_with(ldap::testing::Options { size_limit: 3, ..Default::default() }) else { return };
    let found = directory(&slapd.config()).find(&[], Groups::Skip, "").await.expect("what the server gives");
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn groups_beyond_the_size_limit_are_paged() {
    let options =
        ldap::testing::Options { size_limit: 500, unlimited_in_pages: true, groups: 1_100, ..Default::default() };
    let Some(slapd) = Slapd::start_with(options) else { return };
    let directory = directory(&slapd.config());
    let mut groups = directory.groups(&id(&EINSTEIN)).await.expect("all groups");
    groups.sort();
    groups.dedup();
    assert_eq!(groups.len(), 1_101);
    let user = directory.user(&id(&EINSTEIN), Groups::Include).await.expect("einstein");
    assert_eq!(user.groups.len(), 1_101);
    assert_eq!(directory.group_names(&id(&EINSTEIN)).await.expect("all names").len(), 1_101);
}

#[tokio::test]
async fn groups_that_the_server_cuts_short_are_refused() {
    let options = ldap::testing::Options { size_limit: 20, groups: 30, ..Default::default() };
    let Some(slapd) = Slapd::start_with(options) else { return };
    let directory = directory(&slapd.config());
    for _ in 0..2 {
        let outcome = directory.groups(&id(&EINSTEIN)).await;
        let Err(DirectoryError::Internal(cause)) = outcome else { panic!("{outcome:?}") };
        assert!(cause.to_string().contains("only a part of the entries"), "{cause}");
    }
    directory.user(&id(&EINSTEIN), Groups::Include).await.expect_err("a part of the groups is none");
    assert_eq!(directory.groups(&id(&MARIE)).await.expect("her two groups").len(), 2);
}

#[tokio::test]
async fn users_are_listed_in_stretches() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let listing = directory.list("", &after, 4).await.expect("a page");
        names.extend(listing.entries.iter().map(|user| user.username.clone()));
        let Some(next) = listing.next else { break };
        assert_eq!(names.len(), 4);
        after = next;
    }
    assert_eq!(names, ["einstein", "lise", "marie", OHARA.uid, "richard", "visitor"]);
    let found = directory.list("office@", "", 100).await.expect("a page");
    assert_eq!((found.entries.len(), found.next), (2, None));
    assert_eq!(directory.group_names(&id(&MARIE)).await.expect("her groups"), ["physics-lovers", "radium-lovers"]);
}

#[tokio::test]
async fn only_the_first_stretch_of_a_list_searches_the_directory() {
    let Some(mut slapd) = Slapd::start() else { return };
    let (here, elsewhere) = (directory(&slapd.config()), directory(&slapd.config()));
    let first = here.list("", "", 4).await.expect("a page");
    let next = first.next.expect("there are more");
    // another replica goes on too, by a search of its own
    let names = |users: &[Arc<User>]| users.iter().map(|user| user.username.clone()).collect::<Vec<_>>();
    let there = elsewhere.list("", &next, 4).await.expect("a page");
    assert_eq!((names(&there.entries), there.next), (vec!["richard".to_owned(), "visitor".to_owned()], None));
    slapd.stop();
    let rest = here.list("", &next, 4).await.expect("it was found by the first search");
    assert_eq!((names(&rest.entries), rest.next), (names(&there.entries), None));
    let outcome = here.list("", "", 4).await;
    assert!(matches!(outcome, Err(DirectoryError::Unavailable(_))), "a new list is searched: {outcome:?}");
}

#[tokio::test]
async fn groups_are_listed_with_the_number_of_their_members() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = directory(&slapd.config());
    let (mut groups, mut after) = (Vec::new(), String::new());
    loop {
        let listing = directory.list_groups("", &after, 2).await.expect("a page");
        groups.extend(listing.entries);
        let Some(next) = listing.next else { break };
        after = next;
    }
    let found: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.members)).collect();
    assert_eq!(found, [("DisabledUsersGroup", 1), ("physics-lovers", 4), ("radium-lovers", 3)]);
    let physics = Group {
        id: PHYSICS.to_owned(),
        name: "physics-lovers".to_owned(),
        description: "in Berlin".to_owned(),
        members: 4,
    };
    assert_eq!(groups[1], physics);
    let narrowed = directory.list_groups("RADIUM", "", 9).await.expect("a page");
    assert_eq!(narrowed.entries.len(), 1, "{narrowed:?}");
    for key in [GroupKey::Id(PHYSICS), GroupKey::Name("Physics-Lovers")] {
        assert_eq!(directory.group(key).await.expect("the server answers").as_ref(), Some(&physics));
    }
    for key in [GroupKey::Id(EINSTEIN.id), GroupKey::Id(""), GroupKey::Name("*"), GroupKey::Name("")] {
        assert_eq!(directory.group(key).await.expect("the server answers"), None, "{key:?}");
    }
}

#[tokio::test]
async fn members_of_a_group_are_the_users_among_those_it_names() {
    let Some(slapd) = Slapd::start() else { return };
    let by_dn = slapd.config();
    let mut by_login = slapd.config();
    by_login.group_object_class = "posixGroup".into();
    by_login.group_schema.member = "memberUid".into();
    for (config, group, expected) in [
        (&by_dn, PHYSICS, &[EINSTEIN.uid, MARIE.uid, OHARA.uid, RICHARD.uid][..]),
        (&by_dn, RADIUM, &[MARIE.uid]),
        (&by_login, STAFF, &[MARIE.uid, OHARA.uid]),
    ] {
        let directory = directory(config);
        for most in [1, 2, 100] {
            let (mut names, mut after) = (Vec::new(), String::new());
            loop {
                let listing = directory.members(GroupKey::Id(group), &after, most).await.expect("a page");
                let listing = listing.expect("the group");
                assert!(listing.entries.len() <= most);
                names.extend(listing.entries.iter().map(|user| user.username.clone()));
                let Some(next) = listing.next else { break };
                after = next;
            }
            names.sort();
            assert_eq!(names, expected, "{most} at a time");
        }
        assert!(directory.members(GroupKey::Name("unknown"), "", 1).await.expect("the server answers").is_none());
    }
}

#[tokio::test]
async fn groups_beyond_the_size_limit_are_listed() {
    let options =
        ldap::testing::Options { size_limit: 500, unlimited_in_pages: true, groups: 1_100, ..Default::default() };
    let Some(slapd) = Slapd::start_with(options) else { return };
    let listing = directory(&slapd.config()).list_groups("", "", 2_000).await.expect("a page");
    assert_eq!((listing.entries.len(), listing.next), (1_103, None));
    assert!(listing.entries.iter().all(|group| group.members > 0));
}

#[tokio::test]
async fn it_is_only_read() {
    let directory = directory(&Ldap::default());
    let outcome = directory.note_password_change(&id(&EINSTEIN), UNIX_EPOCH, "a token").await;
    assert!(matches!(outcome, Err(DirectoryError::ReadOnly)), "{outcome:?}");
}

#[tokio::test]
async fn mapping_shows_which_attribute_becomes_which_claim() {
    let Some(slapd) = Slapd::start() else { return };
    let mut config = slapd.config();
    config.user_schema.mail = "jpegPhoto".to_owned();
    let mapping = directory(&config).mapping("einstein").await.expect("he is there");
    let of = |claim: &str| {
        let found = mapping.attributes.iter().find(|one| one.claim == claim).expect("has a line");
        (found.attribute.as_str(), found.value.as_deref())
    };
    assert_eq!(of("user id").1, Some(EINSTEIN.id));
    assert_eq!(of("preferred_username"), ("uid", Some("einstein")));
    assert_eq!(of("name").1, Some("Albert Einstein"));
    assert_eq!(of("given_name"), ("givenName", Some("Albert")));
    assert_eq!(of("email"), ("jpegPhoto", None));
    assert!(mapping.dn.contains("einstein") && !mapping.is_disabled && mapping.groups.len() == 1, "{mapping:?}");
    let missing = directory(&config).mapping("unknown").await;
    assert!(matches!(missing, Err(DirectoryError::NotFound)), "{missing:?}");
}
