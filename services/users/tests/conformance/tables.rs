//! A service over a database of its own.

use std::sync::Arc;

use authn::{Claim, DirectoryError, Filter, Groups, User, UserId};
use config::{Environment, Secret};
use runtime::Context;
use store::testing::TestDatabase;
use users::{Administration, Components, Config, GroupRef, NewPerson, Person, PersonRef};

pub(crate) const IDP: &str = "https://cloud.example.org";

pub(crate) struct Tables {
    pub(crate) database: TestDatabase,
    pub(crate) opened: Components,
}

impl Tables {
    pub(crate) async fn open(database: TestDatabase) -> Self {
        let config = Config {
            database_url: Secret::from(database.url()),
            // it is written without the slash
            idp: format!("{IDP}/"),
            idp_previous: vec!["https://former.example/".to_owned()],
            ..Config::default()
        };
        let opened = users::open(&config, &Context::new(Environment::default())).await.expect("the database opens");
        Self { database, opened }
    }

    pub(crate) fn administration(&self) -> &Arc<Administration> {
        self.opened.administration.as_ref().expect("people in SQL can be administered")
    }

    pub(crate) async fn create(&self, username: &str) -> Person {
        self.administration().create_person(named(username)).await.expect("nothing is in the way")
    }

    pub(crate) async fn by(&self, claim: Claim) -> Result<Arc<User>, DirectoryError> {
        self.opened.directory.user_by_claim(&claim, Groups::Include).await
    }

    pub(crate) async fn by_username(&self, name: &str) -> Result<Arc<User>, DirectoryError> {
        self.by(Claim::Username(name.to_owned())).await
    }

    pub(crate) async fn search(&self, text: &str) -> Vec<String> {
        let filters = [Filter::Query(text.to_owned())];
        let found = self.opened.directory.find(&filters, Groups::Skip, "").await.expect("a search answers");
        found.iter().map(|user| user.username.clone()).collect()
    }
}

pub(crate) fn named(username: &str) -> NewPerson {
    NewPerson { username: username.to_owned(), ..NewPerson::default() }
}

pub(crate) fn marie() -> NewPerson {
    NewPerson {
        mail: "Marie@Sorbonne.example".to_owned(),
        display_name: "Marie Skłodowska Curie".to_owned(),
        uid_number: 1867,
        gid_number: 1934,
        roles: vec!["admin".to_owned()],
        ..named("Marie")
    }
}

pub(crate) fn who(username: &str) -> PersonRef {
    PersonRef::Username(username.to_owned())
}

pub(crate) fn which(name: &str) -> GroupRef {
    GroupRef::Name(name.to_owned())
}

pub(crate) fn id(user: &User) -> UserId {
    UserId { idp: String::new(), ..user.id.clone() }
}
