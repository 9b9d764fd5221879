//! The people as the rest of the family asks for them.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use authn::{
    Claim, Directory, DirectoryError, Filter, Groups, MailChange, MailChangeError, Profile, User, UserId, UserType,
    normal_issuer,
};
use status::Kind;

use crate::administration::Administration;
use crate::cache::{self, Cache, Known};
use crate::change_sync::ChangeSync;
use crate::store::{Key, PageRange, UserStore};
use crate::{PeopleError, Person, rules};

/// The most people that one search answers.
const SEARCH_LIMIT: u64 = 100;

/// The directory over our own tables.
pub(crate) struct SqlDirectory {
    people: Arc<UserStore>,
    administration: Arc<Administration>,
    /// The issuers in identifiers of ours: the one that is written now first, then former ones.
    issuers: Vec<String>,
    cache: Arc<Cache>,
    /// While it does not know the changes by others, each question is asked anew, and what was read counts only while the database
    /// is away.
    change_sync: Arc<ChangeSync>,
}

#[async_trait]
impl Directory for SqlDirectory {
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        Ok(self.known(id).await?.user(groups))
    }

    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let known = match claim {
            Claim::UserId(id) => self.one(Key::Id(id)).await,
            Claim::Username(name) => self.one(Key::Username(name)).await,
            Claim::Mail(address) => self.one(Key::Mail(address)).await,
            Claim::Uid(number) => self.one(Key::UidNumber(posix(number)?)).await,
            Claim::Gid(number) => self.one(Key::GidNumber(posix(number)?)).await,
        };
        Ok(known?.user(groups))
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        Ok(self.known(id).await?.user(Groups::Include).groups.clone())
    }

    async fn profile(&self, id: &UserId) -> Result<Profile, DirectoryError> {
        self.administration.profile(self.ours(id)?).await.map_err(failure)
    }

    async fn may_change_mail(&self) -> Result<bool, DirectoryError> {
        Ok(self.administration.may_users_change_mail)
    }

    async fn set_verified_mail(&self, id: &UserId, change: MailChange<'_>) -> Result<(), MailChangeError> {
        let outcome = self.administration.set_verified_mail(self.ours(id)?, change).await;
        outcome.map_err(|error| match error {
            PeopleError::OutdatedMailChange => MailChangeError::Outdated,
            PeopleError::Taken(_) => MailChangeError::Taken,
            PeopleError::Invalid(_) => MailChangeError::Invalid,
            PeopleError::MailChangeNotPermitted => MailChangeError::NotPermitted,
            other => failure(other).into(),
        })
    }

    async fn find(&self, filters: &[Filter], groups: Groups, _token: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        let mut texts = Vec::new();
        for filter in filters {
            match filter {
                Filter::Query(text) => texts.push(text.as_str()),
                // all our people are of one type
                Filter::Type(UserType::Primary) => {}
                Filter::Type(_) => return Ok(Vec::new()),
            }
        }
        if !texts.iter().all(|text| rules::is_storable(text)) {
            return Ok(Vec::new());
        }
        let first = PageRange { after: "", limit: SEARCH_LIMIT };
        let found = self.people.search(&texts, first).await.map_err(failure)?;
        let read = Instant::now();
        Ok(found.into_iter().map(|person| self.known_as(person, read).user(groups)).collect())
    }

    fn changes(&self) -> Option<u64> {
        self.change_sync.is_current().then(|| self.cache.writes())
    }

    async fn note_password_change(&self, id: &UserId, at: SystemTime, _token: &str) -> Result<(), DirectoryError> {
        self.administration.note_password_change(self.ours(id)?, at).await.map_err(failure)
    }
}

impl SqlDirectory {
    /// `issuers` are those in identifiers of these users: the one that is written first, then former ones.
    pub(crate) fn new<'a>(administration: Arc<Administration>, issuers: impl IntoIterator<Item = &'a String>) -> Self {
        let (people, cache) = (Arc::clone(&administration.people), Arc::clone(&administration.cache));
        let change_sync = Arc::clone(&administration.change_sync);
        let issuers = issuers.into_iter().map(|issuer| normal_issuer(issuer).to_owned()).collect();
        Self { people, administration, issuers, cache, change_sync }
    }

    async fn known(&self, id: &UserId) -> Result<Arc<Known>, DirectoryError> {
        self.one(Key::Id(self.ours(id)?)).await
    }

    /// An identifier of another issuer may equal one of ours and mean another user.
    fn ours<'a>(&self, id: &'a UserId) -> Result<&'a str, DirectoryError> {
        let issuer = normal_issuer(&id.idp);
        let is_ours = issuer.is_empty() || self.issuers.iter().any(|ours| ours == issuer);
        if is_ours { Ok(&id.opaque_id) } else { Err(DirectoryError::NotFound) }
    }

    /// The user that matches the key, from memory if possible. Concurrent lookups of one user share one query.
    async fn one(&self, key: Key<'_>) -> Result<Arc<Known>, DirectoryError> {
        let Some(name) = cache::Name::of(key) else { return self.read(key).await };
        if let Some(known) = self.remembered(&name) {
            return Ok(known);
        }
        let _flight = if self.change_sync.is_current() { self.cache.flight(&name).await } else { None };
        match self.remembered(&name) {
            Some(known) => Ok(known),
            None => Box::pin(self.read_or_recent(key, &name)).await,
        }
    }

    /// The user that is known by this name, unless others may have changed it unnoticed.
    fn remembered(&self, name: &cache::Name<'_>) -> Option<Arc<Known>> {
        // in this order: what is forgotten when the changes become known again must not be found just before it
        if self.change_sync.is_current() { self.cache.get(name) } else { None }
    }

    /// The user that matches the key in the database, or in its recent results while it does not answer.
    async fn read_or_recent(&self, key: Key<'_>, name: &cache::Name<'_>) -> Result<Arc<Known>, DirectoryError> {
        let before = self.cache.writes();
        let recent = || self.cache.get(name).filter(|known| known.is_recent());
        let read = async {
            let outcome = self.read(key).await;
            match &outcome {
                Ok(known) => self.cache.keep(known, before),
                Err(DirectoryError::NotFound | DirectoryError::Ambiguous) => self.cache.forget(name),
                Err(_) => {}
            }
            outcome
        };
        store::read_or_recent(recent, read, |error| matches!(error, DirectoryError::Unavailable(_))).await
    }

    async fn read(&self, key: Key<'_>) -> Result<Arc<Known>, DirectoryError> {
        if let Key::Id(text) | Key::Username(text) | Key::Mail(text) = key
            && (text.is_empty() || !rules::is_storable(text))
        {
            return Err(DirectoryError::NotFound);
        }
        let read = Instant::now();
        // a query's future is large, and would be part of every answer from memory
        let mut found = Box::pin(self.people.find(key)).await.map_err(failure)?;
        match (found.pop(), found.pop()) {
            (Some(_), Some(_)) => Err(DirectoryError::Ambiguous),
            (Some(person), None) => Ok(Arc::new(self.known_as(person, read))),
            (None, _) => Err(DirectoryError::NotFound),
        }
    }

    fn known_as(&self, person: Person, read: Instant) -> Known {
        let idp = self.issuers.first().cloned().unwrap_or_default();
        let full = User {
            id: UserId { idp, opaque_id: person.id, kind: UserType::Primary, ..UserId::default() },
            username: person.username,
            // an administrator wrote it down, or the user has opened a link that was sent there
            mail_verified: !person.mail.is_empty(),
            mail: person.mail,
            display_name: person.display_name,
            groups: person.groups.into_iter().map(|group| group.id).collect(),
            uid_number: person.uid_number,
            gid_number: person.gid_number,
            status: person.status,
            password_changed: person.password_changed,
            ..User::default()
        };
        Known::new(full.with_roles(person.roles), read)
    }
}

/// 0 stands for "none", so it matches no user.
fn posix(number: &str) -> Result<i64, DirectoryError> {
    number.parse().ok().filter(|number| *number > 0).ok_or(DirectoryError::NotFound)
}

pub(crate) fn failure(error: PeopleError) -> DirectoryError {
    match error.kind() {
        Kind::NotFound => DirectoryError::NotFound,
        Kind::Unavailable => DirectoryError::Unavailable(Box::new(error)),
        _ => DirectoryError::Internal(Box::new(error)),
    }
}
