//! Names and addresses that a former version stored unprepared, together with new ones (RFC 8265), on both kinds of database.

use std::sync::Arc;

use authn::{Claim, DirectoryError, Groups, User};
use config::{Environment, Secret};
use runtime::Context;
use sea_orm::ConnectionTrait;
use status::Kind;
use store::testing::{self, Cluster, TestDatabase};
use users::{Administration, Author, Change, Components, Config, NewPerson, Person, PersonRef};

#[tokio::test(flavor = "multi_thread")]
async fn new_name_is_no_variant_of_one_that_was_stored_unprepared_on_sqlite() {
    new_name_is_no_variant_of_one_that_was_stored_unprepared(Tables::open(testing::sqlite()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_name_is_no_variant_of_one_that_was_stored_unprepared_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    new_name_is_no_variant_of_one_that_was_stored_unprepared(Tables::open(cluster.fresh_database().await).await).await;
}

struct Tables {
    database: TestDatabase,
    opened: Components,
}

impl Tables {
    async fn open(database: TestDatabase) -> Self {
        let config = Config { database_url: Secret::from(database.url()), ..Config::default() };
        let opened = users::open(&config, &Context::new(Environment::default())).await.expect("the database opens");
        Self { database, opened }
    }

    fn administration(&self) -> &Arc<Administration> {
        self.opened.administration.as_ref().expect("users in SQL can be administered")
    }

    async fn create(&self, username: &str) -> Person {
        self.administration().create_person(named(username)).await.expect("nothing is in the way")
    }

    async fn by(&self, claim: Claim) -> Result<Arc<User>, DirectoryError> {
        self.opened.directory.user_by_claim(&claim, Groups::Include).await
    }

    async fn by_username(&self, name: &str) -> Result<Arc<User>, DirectoryError> {
        self.by(Claim::Username(name.to_owned())).await
    }
}

fn named(username: &str) -> NewPerson {
    NewPerson { username: username.to_owned(), ..NewPerson::default() }
}

async fn new_name_is_no_variant_of_one_that_was_stored_unprepared(tables: Tables) {
    let [zoe, chloe, rene, twin] = [
        tables.create("one").await.id,
        tables.create("two").await.id,
        tables.create("three").await.id,
        tables.create("four").await.id,
    ];
    // as a version stored them that did not know prepared names
    let Tables { database, opened } = tables;
    drop(opened);
    let name = |id: &str, name: &str| {
        format!(
            "UPDATE people SET username = '{name}', username_key = '{name}', mail = '{name}@example.org', \
             mail_key = '{name}@example.org' WHERE id = '{id}'"
        )
    };
    let connection = database.open().await;
    for statement in [
        name(&zoe, "zoe\u{308}"),
        name(&chloe, "ｃｈｌｏｅ"),
        name(&rene, "rene\u{301}"),
        name(&twin, "ren\u{e9}"),
        "DROP INDEX people_username_prepared".to_owned(),
        "DROP INDEX people_mail_prepared".to_owned(),
        "ALTER TABLE people DROP COLUMN username_prepared".to_owned(),
        "ALTER TABLE people DROP COLUMN mail_prepared".to_owned(),
        "DELETE FROM users_migrations WHERE version = 'm20261128_prepared_names'".to_owned(),
    ] {
        connection.connection().execute_unprepared(&statement).await.expect(&statement);
    }
    connection.close().await.expect("closes");
    let tables = Tables::open(database).await;
    for (name, id) in [
        ("zoe\u{308}", &zoe),
        ("zo\u{eb}", &zoe),
        ("ZO\u{cb}", &zoe),
        ("chloe", &chloe),
        ("rene\u{301}", &rene),
        ("ren\u{e9}", &twin),
    ] {
        assert_eq!(&tables.by_username(name).await.expect(name).id.opaque_id, id, "{name:?}");
        let mail = Claim::Mail(format!("{name}@example.org"));
        assert_eq!(&tables.by(mail).await.expect(name).id.opaque_id, id, "{name:?}");
    }
    let administration = tables.administration();
    for name in ["zo\u{eb}", "Zo\u{eb}", "chloe", "ren\u{e9}"] {
        let refused = administration.create_person(named(name)).await.expect_err(name);
        assert_eq!(refused.to_string(), "the username is already taken");
        let change = Change { username: Some(name.to_owned()), ..Change::default() };
        let other = tables.create(&format!("other-{}", name.len())).await;
        let refused = administration.update_person(&PersonRef::Id(other.id.clone()), change).await.expect_err(name);
        assert_eq!(refused.to_string(), "the username is already taken");
        administration.delete_person(&PersonRef::Id(other.id), Author::Administrator).await.expect("it was just made");
        let refused = NewPerson { mail: format!("{name}@example.org"), ..named("another") };
        let refused = administration.create_person(refused).await.expect_err(name);
        assert_eq!(refused.to_string(), "the mail address is already taken");
        let issued = NewPerson { author: Author::Issuer, ..named(&format!("{name}@example.org")) };
        assert_eq!(administration.create_person(issued).await.expect_err(name).kind(), Kind::AlreadyExists);
    }
    for id in [&zoe, &rene, &twin] {
        let change = Change { display_name: Some("another".to_owned()), ..Change::default() };
        administration.update_person(&PersonRef::Id(id.clone()), change).await.expect("the names stay as they are");
    }
    let change = Change { username: Some("zoe".to_owned()), ..Change::default() };
    administration.update_person(&PersonRef::Id(zoe), change).await.expect("it is free");
    tables.create("zo\u{eb}").await;
}
