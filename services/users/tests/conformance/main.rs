//! One suite for both kinds of database.

mod names;
mod replicas;
mod tables;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use authn::{Attribute, Claim, Directory, DirectoryError, Filter, Groups, User, UserId, UserStatus, UserType, role};
use status::Kind;
use store::testing::{self, Cluster, TestDatabase};
use tokio::task::JoinSet;
use users::{Author, Change, Expected, GroupRef, NewPerson, PageRequest, PeopleError, Person, ProfileChange};

use names::{
    confusable_names_are_not_created, login_finds_its_user_in_every_form,
    names_of_an_issuer_are_no_addresses_of_others, of_two_who_take_one_name_one_wins, what_must_be_unique_is,
};
use tables::{IDP, Tables, id, marie, named, which, who};

/// An identifier that no user has.
const NOBODY: &str = "4c510ada-c86b-4815-8820-42cdf82c3d51";

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_sqlite() {
    let databases = || async { testing::sqlite() };
    Box::pin(suite(databases)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let databases = || async { cluster.fresh_database().await };
    Box::pin(suite(databases)).await;
}

async fn suite<F: Future<Output = TestDatabase>>(databases: impl Fn() -> F) {
    let fresh = || async { Tables::open(databases().await).await };
    created_people_are_found(&fresh().await).await;
    what_must_be_unique_is(&fresh().await).await;
    names_of_an_issuer_are_no_addresses_of_others(&fresh().await).await;
    groups_are_renamed_and_keep_their_identifier(&fresh().await).await;
    of_two_who_take_one_name_one_wins(&fresh().await).await;
    every_claim_finds_its_person(&fresh().await).await;
    groups_and_roles_come_along(&fresh().await).await;
    a_search_takes_texts_as_they_are(&fresh().await).await;
    changes_are_seen_at_once(&fresh().await).await;
    a_changed_password_is_known_at_once(&fresh().await).await;
    deleting_leaves_nothing(&fresh().await).await;
    last_administrator_stays(&fresh().await).await;
    change_of_what_another_has_changed_is_refused(&fresh().await).await;
    of_two_who_expect_the_same_one_wins(&fresh().await).await;
    pages_list_each_user_once(&fresh().await).await;
    it_is_all_there_after_a_restart(fresh().await).await;
    confusable_names_are_not_created(&fresh().await).await;
    login_finds_its_user_in_every_form(fresh().await).await;
}

async fn created_people_are_found(tables: &Tables) {
    let created = tables.administration().create_person(marie()).await.unwrap();
    assert_eq!((created.username.as_str(), created.status), ("Marie", UserStatus::Active));
    let user = tables.by_username("marie").await.unwrap();
    assert_eq!((user.id.idp.as_str(), user.id.opaque_id.as_str()), (IDP, created.id.as_str()));
    assert_eq!((user.id.kind, user.display_name.as_str()), (UserType::Primary, "Marie Skłodowska Curie"));
    assert!(user.is_admin() && user.is_active() && user.mail_verified);
    assert_eq!((user.uid_number, user.gid_number), (1867, 1934));
    assert_eq!(tables.opened.directory.user(&user.id, Groups::Include).await.unwrap(), user);

    let chosen = NewPerson { id: Some(NOBODY.to_uppercase()), ..named("einstein") };
    assert_eq!(tables.administration().create_person(chosen).await.unwrap().id, NOBODY);
    assert_eq!(tables.administration().person(&who("EINSTEIN")).await.unwrap().display_name, "einstein");
    let refused = tables.administration().create_person(named("a:b")).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::InvalidArgument);
}

async fn groups_are_renamed_and_keep_their_identifier(tables: &Tables) {
    let administration = tables.administration();
    let physics = administration.create_group("physics", None, Some(NOBODY)).await.unwrap();
    assert_eq!(physics.id, NOBODY);
    let refused = administration.create_group("chemistry", None, Some(NOBODY)).await.unwrap_err();
    assert_eq!(refused.to_string(), "the id is already taken");
    administration.create_group("chemistry", None, None).await.unwrap();
    tables.create("pierre").await;
    administration.add_member(&which("physics"), &who("pierre")).await.unwrap();

    let renamed = administration.rename_group(&GroupRef::Id(NOBODY.to_owned()), "rays").await.unwrap();
    assert_eq!((renamed.id.as_str(), renamed.name.as_str(), renamed.member_count), (NOBODY, "rays", 1));
    assert_eq!(tables.by_username("pierre").await.unwrap().groups, [NOBODY]);
    assert_eq!(administration.person(&who("pierre")).await.unwrap().groups[0].name, "rays");
    assert_eq!(administration.group(&which("physics")).await.unwrap_err().kind(), Kind::NotFound);
    let refused = administration.rename_group(&which("rays"), "Chemistry").await.unwrap_err();
    assert_eq!(refused.to_string(), "the group name is already taken");
    assert_eq!(administration.rename_group(&which("physics"), "x").await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(administration.rename_group(&which("rays"), " ").await.unwrap_err().kind(), Kind::InvalidArgument);
}

async fn every_claim_finds_its_person(tables: &Tables) {
    let created = tables.administration().create_person(marie()).await.unwrap();
    let value = |text: &str| text.to_owned();
    let claims = [
        Claim::UserId(created.id.clone()),
        Claim::Username(value("MARIE")),
        Claim::Mail(value("marie@sorbonne.example")),
        Claim::Uid(value("1867")),
        Claim::Gid(value("1934")),
    ];
    for claim in claims {
        // twice: the second answer may come from memory
        for _ in 0..2 {
            let user = tables.by(claim.clone()).await.unwrap();
            assert_eq!(user.id.opaque_id, created.id, "{claim:?}");
        }
    }
    let unmatched = [
        Claim::UserId(value(NOBODY)),
        Claim::UserId(created.id.to_uppercase()),
        Claim::Username(value("")),
        Claim::Username(value("mari")),
        Claim::Username(value("marie\0")),
        Claim::Username("x".repeat(100_000)),
        Claim::Mail(value("")),
        Claim::Uid(value("0")),
        Claim::Uid(value("x")),
    ];
    for claim in unmatched {
        assert_eq!(tables.by(claim.clone()).await.unwrap_err().kind(), Kind::NotFound, "{claim:?}");
    }
    for idp in ["", IDP, "https://cloud.example.org/", "https://former.example", "https://former.example/"] {
        let kept = UserId { idp: idp.to_owned(), opaque_id: created.id.clone(), ..UserId::default() };
        let user = tables.opened.directory.user(&kept, Groups::Include).await.unwrap();
        assert_eq!((user.id.idp.as_str(), user.id.opaque_id.as_str()), (IDP, created.id.as_str()), "{idp}");
    }
    let foreign = UserId { idp: "https://elsewhere.example".to_owned(), opaque_id: created.id, ..UserId::default() };
    assert_eq!(tables.opened.directory.groups(&foreign).await.unwrap_err().kind(), Kind::NotFound);

    let twin = NewPerson { gid_number: 1934, ..named("pierre") };
    tables.administration().create_person(twin).await.unwrap();
    assert!(matches!(tables.by(Claim::Gid(value("1934"))).await, Err(DirectoryError::Ambiguous)));
}

async fn groups_and_roles_come_along(tables: &Tables) {
    let administration = tables.administration();
    tables.create("pierre").await;
    let physics = administration.create_group("physics", Some("Those who weigh rays"), None).await.unwrap();
    let chemistry = administration.create_group("chemistry", None, None).await.unwrap();
    for name in ["physics", "chemistry"] {
        assert!(administration.add_member(&which(name), &who("pierre")).await.unwrap());
        assert!(!administration.add_member(&which(name), &who("Pierre")).await.unwrap(), "it was in it");
    }
    let user = tables.by_username("pierre").await.unwrap();
    assert_eq!(user.groups, [chemistry.id.clone(), physics.id.clone()], "in the order of their names");
    assert_eq!(tables.opened.directory.groups(&id(&user)).await.unwrap(), user.groups);
    let bare = tables.opened.directory.user(&user.id, Groups::Skip).await.unwrap();
    assert!(bare.groups.is_empty());
    assert_eq!(administration.group(&which("PHYSICS")).await.unwrap().member_count, 1);
    let members = administration.list_members(&which("physics"), &PageRequest::default()).await.unwrap();
    assert_eq!(
        members.entries[0].groups.iter().map(|group| &*group.name).collect::<Vec<_>>(),
        ["chemistry", "physics"]
    );

    assert!(administration.remove_member(&which("physics"), &who("pierre")).await.unwrap());
    assert!(!administration.remove_member(&which("physics"), &who("pierre")).await.unwrap());
    assert_eq!(tables.by_username("pierre").await.unwrap().groups, [chemistry.id]);
    administration.delete_group(&which("chemistry")).await.unwrap();
    assert!(tables.by_username("pierre").await.unwrap().groups.is_empty(), "the group is gone");
    assert_eq!(administration.group(&which("chemistry")).await.unwrap_err().kind(), Kind::NotFound);

    let roles =
        |names: &[&str]| Change { roles: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..by_operator() };
    administration.update_person(&who("pierre"), roles(&["user", "admin", "admin"])).await.unwrap();
    assert_eq!(tables.by_username("pierre").await.unwrap().roles, [authn::role::ADMIN, authn::role::USER]);
    administration.update_person(&who("pierre"), roles(&[])).await.unwrap();
    assert!(tables.by_username("pierre").await.unwrap().roles.is_empty());
    let refused = administration.update_person(&who("pierre"), roles(&["king"])).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::InvalidArgument);
}

async fn a_search_takes_texts_as_they_are(tables: &Tables) {
    tables.administration().create_person(marie()).await.unwrap();
    for name in ["100%", "under_score", "underXscore", "wow!", "back\\slash", "ÉMILIE"] {
        tables.create(name).await;
    }
    let cases: [(&str, &[&str]); 11] = [
        ("ARI", &["Marie"]),
        ("skłodowska", &["Marie"]),
        ("SKŁODOWSKA", &["Marie"]),
        ("sorbonne.EX", &["Marie"]),
        ("%", &["100%"]),
        ("_", &["under_score"]),
        ("!", &["wow!"]),
        ("\\", &["back\\slash"]),
        ("émil", &["ÉMILIE"]),
        ("marie\nmarie", &[]),
        ("' OR 1=1 --", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(tables.search(text).await, expected, "{text:?}");
    }
    assert_eq!(tables.search("").await.len(), 7);
    let directory = &tables.opened.directory;
    let both = [Filter::Query("ma".to_owned()), Filter::Query("curie".to_owned()), Filter::Type(UserType::Primary)];
    assert_eq!(directory.find(&both, Groups::Skip, "").await.unwrap().len(), 1);
    assert!(directory.find(&[Filter::Type(UserType::Guest)], Groups::Skip, "").await.unwrap().is_empty());
}

async fn changes_are_seen_at_once(tables: &Tables) {
    let administration = tables.administration();
    tables.administration().create_person(marie()).await.unwrap();
    for status in [UserStatus::Blocked, UserStatus::Active, UserStatus::Blocked] {
        assert_ne!(tables.by_username("marie").await.unwrap().status, status);
        let change = Change { status: Some(status), ..by_operator() };
        administration.update_person(&who("marie"), change).await.unwrap();
        assert_eq!(tables.by_username("marie").await.unwrap().status, status);
    }
    let change = Change {
        username: Some("curie".to_owned()),
        mail: Some(String::new()),
        display_name: Some("Mme Curie".to_owned()),
        uid_number: Some(0),
        ..by_operator()
    };
    administration.update_person(&who("marie"), change).await.unwrap();
    let user = tables.by_username("curie").await.unwrap();
    assert_eq!((user.mail.as_str(), user.display_name.as_str(), user.uid_number), ("", "Mme Curie", 0));
    assert_eq!((user.gid_number, user.is_admin()), (1934, true), "what was not named stays");
    for gone in [Claim::Username("marie".to_owned()), Claim::Mail("marie@sorbonne.example".to_owned())] {
        assert_eq!(tables.by(gone).await.unwrap_err().kind(), Kind::NotFound);
    }
    disabling_among_many_readers(tables).await;
}

/// A lookup after an acknowledged change sees it, even during concurrent lookups.
async fn disabling_among_many_readers(tables: &Tables) {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (directory, stop): (Arc<dyn Directory>, _) = (tables.opened.directory.clone(), stop.clone());
            tokio::spawn(async move {
                let claim = Claim::Username("curie".to_owned());
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    directory.user_by_claim(&claim, Groups::Include).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 0..50 {
        let status = if round % 2 == 0 { UserStatus::Active } else { UserStatus::Blocked };
        let change = Change { status: Some(status), ..by_operator() };
        tables.administration().update_person(&who("curie"), change).await.unwrap();
        assert_eq!(tables.by_username("curie").await.unwrap().status, status, "round {round}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn a_changed_password_is_known_at_once(tables: &Tables) {
    let created = tables.administration().create_person(marie()).await.unwrap();
    let directory = &tables.opened.directory;
    let user = tables.by_username("marie").await.unwrap();
    assert_eq!(user.password_changed, None, "no change was reported");
    let at = |micros| UNIX_EPOCH + Duration::from_micros(micros);
    let (one, other) = (1_700_000_000_000_001, 1_700_000_000_000_002);
    // by either identifier; an earlier change that is reported later has no effect
    for (id, changed, known) in [(&user.id, one, one), (&id(&user), other, other), (&user.id, one, other)] {
        directory.note_password_change(id, at(changed), "").await.unwrap();
        let found = tables.by_username("marie").await.unwrap();
        assert_eq!(found.password_changed, Some(at(known)), "changed at {changed}");
        assert_eq!(directory.user(&user.id, Groups::Skip).await.unwrap().password_changed, Some(at(known)));
    }
    let expected = Person { password_changed: Some(at(other)), ..created };
    assert_eq!(tables.administration().person(&who("marie")).await.unwrap(), expected, "nothing else changed");
    let change = Change { display_name: Some("Mme Curie".to_owned()), ..by_operator() };
    let changed = tables.administration().update_person(&who("marie"), change).await.unwrap();
    assert_eq!(changed.password_changed, Some(at(other)), "and it outlives other changes");
    let racing = (0..20).map(|more| {
        let (directory, id) = (Arc::clone(directory), user.id.clone());
        async move { directory.note_password_change(&id, at(other + more), "").await.unwrap() }
    });
    racing.collect::<JoinSet<()>>().join_all().await;
    assert_eq!(tables.by_username("marie").await.unwrap().password_changed, Some(at(other + 19)));
    whose_password_cannot_be_changed(tables, &user).await;
}

async fn whose_password_cannot_be_changed(tables: &Tables, user: &User) {
    let absent = UserId { opaque_id: NOBODY.to_owned(), ..UserId::default() };
    let odd = UserId { opaque_id: "marie\0".to_owned(), ..UserId::default() };
    let foreign = UserId { idp: "https://elsewhere.example".to_owned(), ..user.id.clone() };
    for id in [absent, odd, foreign, UserId::default()] {
        let outcome = tables.opened.directory.note_password_change(&id, UNIX_EPOCH, "").await;
        assert!(matches!(outcome, Err(DirectoryError::NotFound)), "{id:?}: {outcome:?}");
    }
    let late = UNIX_EPOCH + Duration::from_hours(24 * 365_000);
    let refused = tables.administration().note_password_change(&user.id.opaque_id, late).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::InvalidArgument, "it could never be taken back");
}

async fn deleting_leaves_nothing(tables: &Tables) {
    let administration = tables.administration();
    let first = administration.create_person(marie()).await.unwrap();
    administration.create_group("physics", None, None).await.unwrap();
    administration.add_member(&which("physics"), &who("marie")).await.unwrap();
    tables.by_username("marie").await.unwrap();
    administration.delete_person(&who("marie"), Author::Operator).await.unwrap();
    for gone in [Claim::Username("marie".to_owned()), Claim::UserId(first.id.clone())] {
        assert_eq!(tables.by(gone).await.unwrap_err().kind(), Kind::NotFound);
    }
    assert_eq!(administration.group(&which("physics")).await.unwrap().member_count, 0);
    assert_eq!(administration.delete_person(&who("marie"), Author::Operator).await.unwrap_err().kind(), Kind::NotFound);
    // a new account of the same name is another user and inherits nothing from the first
    let second = NewPerson { id: Some(first.id), ..named("marie") };
    administration.create_person(second).await.unwrap();
    let user = tables.by_username("marie").await.unwrap();
    assert!(user.groups.is_empty() && user.roles.is_empty());
}

/// A change by the operator, who may take away the last administrator.
fn by_operator() -> Change {
    Change { author: Author::Operator, ..Change::default() }
}

/// `docs/security-requirements.md#n9`
async fn last_administrator_stays(tables: &Tables) {
    let administration = tables.administration();
    let admin = |name: &str| NewPerson { roles: vec!["admin".to_owned()], ..named(name) };
    administration.create_person(admin("ada")).await.unwrap();
    administration.create_person(admin("bob")).await.unwrap();
    let disable = |author| Change { status: Some(UserStatus::Blocked), author, ..Change::default() };
    let demote = |author| Change { roles: Some(vec!["user".to_owned()]), author, ..Change::default() };
    // both at the same time: one of them is too late
    let (ada, bob) = (who("ada"), who("bob"));
    let (one, two) = tokio::join!(
        administration.update_person(&ada, disable(Author::Administrator)),
        administration.update_person(&bob, demote(Author::Administrator)),
    );
    let refused = [one, two].into_iter().filter_map(Result::err).map(|error| error.kind()).collect::<Vec<_>>();
    assert_eq!(refused, [Kind::FailedPrecondition]);
    let is_left =
        |person: &Person| person.status == UserStatus::Active && !person.roles.contains(&role::USER.to_owned());
    let last = if is_left(&administration.person(&ada).await.unwrap()) { ada } else { bob };
    for change in [disable(Author::Administrator), demote(Author::Administrator)] {
        assert!(matches!(administration.update_person(&last, change).await, Err(PeopleError::LastAdministrator)));
    }
    let kept = administration.delete_person(&last, Author::Administrator).await;
    assert!(matches!(kept, Err(PeopleError::LastAdministrator)));
    let renamed = Change { display_name: Some("Root".to_owned()), ..Change::default() };
    administration.update_person(&last, renamed).await.expect("everything else may be changed");
    administration.update_person(&last, disable(Author::Operator)).await.expect("the operator may");
}

/// `docs/security-requirements.md#n8`
async fn change_of_what_another_has_changed_is_refused(tables: &Tables) {
    let administration = tables.administration();
    let before = administration.create_person(marie()).await.unwrap();
    let seen = Expected {
        mail: Some(before.mail.clone()),
        display_name: Some(before.display_name.clone()),
        status: Some(UserStatus::Active),
        roles: Some(vec!["admin".to_owned()]),
    };
    let mail = |expected| Change { mail: Some("one@example.org".to_owned()), expected, ..by_operator() };
    for other in [
        Expected { mail: Some(String::new()), ..seen.clone() },
        Expected { display_name: Some("Marie".to_owned()), ..seen.clone() },
        Expected { status: Some(UserStatus::Blocked), ..seen.clone() },
        Expected { roles: Some(Vec::new()), ..seen.clone() },
    ] {
        let refused = administration.update_person(&who("marie"), mail(other)).await;
        assert!(matches!(refused, Err(PeopleError::Concurrent)), "{refused:?}");
    }
    assert_eq!(administration.person(&who("marie")).await.unwrap(), before, "nothing is changed");
    administration.update_person(&who("marie"), mail(seen)).await.expect("is as expected");
    // values of the same meaning
    let roles = vec![role::ADMIN.to_owned(), "admin".to_owned()];
    let same = Expected { roles: Some(roles), status: Some(UserStatus::Expiring), ..Expected::default() };
    administration.update_person(&who("marie"), mail(same)).await.expect("is as expected");
}

/// `docs/security-requirements.md#n8`
async fn of_two_who_expect_the_same_one_wins(tables: &Tables) {
    let administration = tables.administration();
    administration.create_person(marie()).await.unwrap();
    let roles = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let change = |new: &str| Change {
        roles: roles(&[new]),
        expected: Expected { roles: roles(&["admin"]), ..Expected::default() },
        ..by_operator()
    };
    let marie = who("marie");
    let (one, two) = tokio::join!(
        administration.update_person(&marie, change("user")),
        administration.update_person(&marie, change("guest")),
    );
    let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(refused, [Kind::Aborted]);

    let id = administration.person(&marie).await.unwrap().id;
    let name = |new: &str| ProfileChange {
        attributes: [(Attribute::Nickname, new.to_owned())].into(),
        expected_attributes: [(Attribute::Nickname, String::new())].into(),
        ..ProfileChange::default()
    };
    let (one, two) =
        tokio::join!(administration.set_profile(&id, name("M")), administration.set_profile(&id, name("Manya")));
    let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(refused, [Kind::Aborted]);
}

async fn pages_list_each_user_once(tables: &Tables) {
    let administration = tables.administration();
    for number in 0..7 {
        tables.create(&format!("Person{number}")).await;
        administration.create_group(&format!("Group{number}"), None, None).await.unwrap();
    }
    let mut page = PageRequest { size: 3, ..PageRequest::default() };
    let mut met = Vec::new();
    loop {
        let found = administration.list_people("", &page).await.unwrap();
        met.extend(found.entries.into_iter().map(|person| person.username));
        // one who comes before the page and one of it who goes: neither shifts the others
        tables.create(&format!("Early{}", met.len())).await;
        if met.len() == 3 {
            administration.delete_person(&who("person1"), Author::Operator).await.unwrap();
        }
        let Some(next) = found.next else { break };
        page.token = next;
    }
    let expected: Vec<_> = (0..7).map(|number| format!("Person{number}")).collect();
    assert_eq!(met, expected);
    let groups = administration.list_groups("GROUP", &PageRequest { size: 7, ..PageRequest::default() }).await.unwrap();
    assert_eq!((groups.entries.len(), groups.next), (7, None));
    let forged = PageRequest { token: "§".to_owned(), ..PageRequest::default() };
    assert_eq!(administration.list_people("", &forged).await.unwrap_err().kind(), Kind::InvalidArgument);
}

async fn it_is_all_there_after_a_restart(tables: Tables) {
    let created = tables.administration().create_person(marie()).await.unwrap();
    let Tables { database, opened } = tables;
    drop(opened);
    let tables = Tables::open(database).await;
    assert_eq!(tables.administration().person(&who("marie")).await.unwrap(), created);
}
