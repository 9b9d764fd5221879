//! Creates and changes users through the users service. The internal token that it presents there is valid for a minute and for
//! nothing else.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::{AuthError, Reason, may_be_new_login};
use bounded_cache::MIB;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use proto::doorward::users::v1::{
    AddMemberRequest, CreateGroupRequest, CreateUserRequest, GetGroupRequest, GetUserRequest, Group as WireGroup,
    GroupRef, Person, PersonRef, RemoveMemberRequest, RenameGroupRequest, RoleList, UpdateUserRequest, group_ref,
    person_ref, users_admin_api_client::UsersAdminApiClient,
};
use runtime::{Clock, Random};
use token::{KeyRing, Minter, provisioner};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};

use crate::derived_id::is_derived;
use crate::groups::Group;
use crate::transport::Transport;

/// The lifetime of that token.
const LIFETIME: Duration = Duration::from_mins(1);
/// How long a stored profile is assumed to be unchanged.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// The bound of the memory for these profiles, in bytes.
const BOUND: u64 = MIB;
/// The bound of the memory for times of issue, in bytes.
const NEWEST_BOUND: u64 = 4 * MIB;

/// What an issuer says of one of its users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The username in the directory.
    pub username: String,
    /// The mail address, if there is one that may be trusted.
    pub mail: Option<String>,
    /// The display name.
    pub display_name: String,
    /// The groups in the directory; `None` if the token says nothing about groups.
    pub groups: Option<Vec<Group>>,
    /// The suffix of the names of all groups that this issuer manages.
    pub suffix: String,
}

/// Creates and changes users.
pub struct Provisioner {
    users: UsersAdminApiClient<Transport>,
    minter: Minter,
    clock: Clock,
    /// The hash of the profile that was last stored for a user, and when.
    written: Cache<String, (u64, SystemTime)>,
    /// When the newest token of a user was issued.
    newest: Newest,
}

impl Provisioner {
    /// Creates and changes users through `users`, with tokens that these keys sign.
    pub fn new(users: Transport, keys: Arc<KeyRing>, clock: Clock, random: Random) -> Self {
        let minter = Minter::new(keys, LIFETIME, true).with_identifiers(move || random.bytes());
        let written = bounded_cache::sync(BOUND).time_to_live(KEPT_FOR).build();
        let newest = Newest::new(NEWEST_BOUND);
        Self { users: UsersAdminApiClient::new(users), minter, clock, written, newest }
    }

    /// Whether no newer token of this user was seen. Groups and roles in an older one may have been withdrawn since, and must not
    /// be stored again: they would outlive that token.
    pub fn is_newest(&self, id: &str, issued: Option<SystemTime>) -> bool {
        let Some(issued) = issued else { return true };
        self.newest.is_newest(id, issued)
    }

    /// Creates an account. One that another request has created in the meantime is left unchanged.
    ///
    /// # Errors
    /// [`Reason::OwnerMismatch`] if another user has the username, [`Reason::Malformed`] if it is not allowed for a new user.
    pub async fn create(&self, id: &str, profile: &Profile, role: &str) -> Result<(), AuthError> {
        if !may_be_new_login(&profile.username) {
            tracing::warn!(
                username = profile.username.escape_unicode().to_string(),
                "an account is not made: the username claim has blanks, invisible characters, decomposed letters or letters of another width; correct it at the issuer"
            );
            return Err(AuthError::Refused(Reason::Malformed));
        }
        let message = |mail: &str| CreateUserRequest {
            id: Some(id.to_owned()),
            username: profile.username.clone(),
            mail: mail.to_owned(),
            display_name: profile.display_name.clone(),
            roles: vec![role.to_owned()],
            ..CreateUserRequest::default()
        };
        // first with the mail address; without it if another user has that address
        let mails: Vec<_> = profile.mail.as_deref().into_iter().chain([""]).collect();
        for mail in mails {
            match self.users.clone().create_user(self.request(message(mail))?).await {
                Ok(_) => return Ok(()),
                Err(status) if status.code() == Code::AlreadyExists => {}
                Err(status) => return Err(failed(status)),
            }
        }
        match self.person(id).await {
            Ok(_) => Ok(()),
            Err(AuthError::Refused(_)) => {
                tracing::warn!(username = profile.username, "an account is not made: another user has the username");
                Err(AuthError::Refused(Reason::OwnerMismatch))
            }
            Err(error) => Err(error),
        }
    }

    /// Stores what the issuer now says, unless that was just done. Returns whether something had to be written.
    ///
    /// # Errors
    /// When the users service is unreachable.
    pub async fn keep_up(&self, id: &str, profile: &Profile) -> Result<bool, AuthError> {
        let (now, hash) = (self.clock.now(), hash(profile));
        let is_recent = |at: SystemTime| now.duration_since(at).unwrap_or_default() < KEPT_FOR;
        if self.written.get(id).is_some_and(|(written, at)| written == hash && is_recent(at)) {
            return Ok(false);
        }
        let person = self.person(id).await?;
        let changed = self.update(&person, profile).await? | self.join(&person, profile).await?;
        self.written.insert(id.to_owned(), (hash, now));
        Ok(changed)
    }

    /// Gives a user this role and no other. In a read-only directory nothing is written.
    ///
    /// # Errors
    /// When the users service is unreachable.
    pub async fn set_role(&self, id: &str, role: &str) -> Result<(), AuthError> {
        let roles = Some(RoleList { roles: vec![role.to_owned()] });
        let message = UpdateUserRequest { user: Some(by_id(id)), roles, ..UpdateUserRequest::default() };
        match self.users.clone().update_user(self.request(message)?).await {
            Ok(_) => {
                Event { subject: &id, role: &role, ..Event::new("user.role", "success") }.log();
                Ok(())
            }
            Err(status) if status.code() == Code::Unimplemented => Ok(()),
            Err(status) => Err(failed(status)),
        }
    }

    async fn person(&self, id: &str) -> Result<Person, AuthError> {
        let answer = self.users.clone().get_user(self.request(GetUserRequest { user: Some(by_id(id)) })?).await;
        answer.map_err(failed)?.into_inner().user.ok_or_else(|| AuthError::Internal("users sent no user".into()))
    }

    async fn update(&self, person: &Person, profile: &Profile) -> Result<bool, AuthError> {
        let name = Some(&profile.display_name).filter(|name| **name != person.display_name);
        let mail = profile.mail.as_ref().filter(|mail| **mail != person.mail);
        if name.is_none() && mail.is_none() {
            return Ok(false);
        }
        let message = |mail: Option<&String>| UpdateUserRequest {
            user: Some(by_id(&person.id)),
            display_name: name.cloned(),
            mail: mail.cloned(),
            ..UpdateUserRequest::default()
        };
        match self.users.clone().update_user(self.request(message(mail))?).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::AlreadyExists => match name {
                Some(_) => {
                    let answer = self.users.clone().update_user(self.request(message(None))?).await;
                    answer.map(|_| true).map_err(failed)
                }
                None => Ok(false),
            },
            Err(status) => Err(failed(status)),
        }
    }

    /// Updates the memberships in the groups that this issuer manages.
    async fn join(&self, person: &Person, profile: &Profile) -> Result<bool, AuthError> {
        let Some(wanted) = &profile.groups else { return Ok(false) };
        let mut changed = false;
        for group in wanted {
            match joined(person).find(|joined| joined.is(group)) {
                Some(joined) if joined.name == group.name => {}
                Some(joined) => changed |= self.rename(&joined, group).await?,
                None => {
                    self.add(&person.id, group, &profile.suffix).await?;
                    changed = true;
                }
            }
        }
        let is_left = |joined: &Joined<'_>| {
            folded(joined.name).ends_with(&folded(&profile.suffix)) && !wanted.iter().any(|group| joined.is(group))
        };
        for group in joined(person).filter(is_left) {
            let message = RemoveMemberRequest { group: Some(group_by_id(group.id)), user: Some(by_id(&person.id)) };
            self.users.clone().remove_member(self.request(message)?).await.map_err(failed)?;
            changed = true;
        }
        Ok(changed)
    }

    /// Gives a group the name that it now has at the issuer, unless another group has that name. Returns whether something changed.
    async fn rename(&self, joined: &Joined<'_>, group: &Group) -> Result<bool, AuthError> {
        // names are compared regardless of case, and the spelling of the first writer stays
        if folded(joined.name) == folded(&group.name) {
            return Ok(false);
        }
        let message = RenameGroupRequest { group: Some(group_by_id(joined.id)), name: group.name.clone() };
        match self.users.clone().rename_group(self.request(message)?).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::AlreadyExists => Ok(false),
            Err(status) => Err(failed(status)),
        }
    }

    /// Adds a user to a group, which is created if there is none.
    async fn add(&self, person: &str, group: &Group, suffix: &str) -> Result<(), AuthError> {
        let which = group.id.as_deref().map_or_else(|| by_name(&group.name), group_by_id);
        if self.add_member(person, which.clone()).await? {
            return Ok(());
        }
        let which = if self.create_group(group).await? { which } else { self.of_that_name(group, suffix).await? };
        if self.add_member(person, which).await? {
            Ok(())
        } else {
            Err(AuthError::Internal("a new group is gone".into()))
        }
    }

    /// Whether there is such a group, of which the user is a member from now on.
    async fn add_member(&self, person: &str, which: GroupRef) -> Result<bool, AuthError> {
        let message = AddMemberRequest { group: Some(which), user: Some(by_id(person)) };
        match self.users.clone().add_member(self.request(message)?).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(failed(status)),
        }
    }

    /// Creates a group. Returns `false` if the id or the name is taken.
    async fn create_group(&self, group: &Group) -> Result<bool, AuthError> {
        let message = CreateGroupRequest { name: group.name.clone(), id: group.id.clone(), description: None };
        match self.users.clone().create_group(self.request(message)?).await {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::AlreadyExists => Ok(false),
            Err(status) => Err(failed(status)),
        }
    }

    /// The group to join when its name or identifier is taken: another request has created it; or a group of that name is older
    /// than the issuer's identifiers; or another group of the issuer had the name before, and this one gets a name of its own.
    async fn of_that_name(&self, group: &Group, suffix: &str) -> Result<GroupRef, AuthError> {
        let Some(id) = &group.id else { return Ok(by_name(&group.name)) };
        match self.group_named(&group.name).await? {
            Some(there) if there.id != *id && is_derived(&there.id) => {
                let own = group.name.strip_suffix(suffix).unwrap_or(&group.name);
                let name = format!("{own} ({}){suffix}", &id[..8]);
                self.create_group(&Group { name, id: Some(id.clone()) }).await?;
                Ok(group_by_id(id))
            }
            Some(there) => Ok(group_by_id(&there.id)),
            None => Ok(group_by_id(id)),
        }
    }

    async fn group_named(&self, name: &str) -> Result<Option<WireGroup>, AuthError> {
        let message = GetGroupRequest { group: Some(by_name(name)) };
        match self.users.clone().get_group(self.request(message)?).await {
            Ok(answer) => Ok(answer.into_inner().group),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(failed(status)),
        }
    }

    fn request<T>(&self, message: T) -> Result<Request<T>, AuthError> {
        let minted = self.minter.mint(self.clock.now(), &provisioner("auth-bearer"));
        let minted = minted.map_err(|error| AuthError::Internal(Box::new(error)))?;
        let mut token =
            MetadataValue::<Ascii>::try_from(minted).map_err(|error| AuthError::Internal(Box::new(error)))?;
        token.set_sensitive(true);
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, token);
        Ok(request)
    }
}

/// When the newest token of each user was issued. The least recently seen users are evicted first; of the evicted ones the newest
/// time of all is kept.
struct Newest {
    issued: Cache<String, SystemTime>,
    forgotten: Arc<Mutex<SystemTime>>,
}

impl Newest {
    fn new(bound: u64) -> Self {
        let forgotten = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH));
        let noted = Arc::clone(&forgotten);
        let note = move |_: Arc<String>, issued: SystemTime, cause: RemovalCause| {
            if cause == RemovalCause::Size {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                *noted = noted.max(issued);
            }
        };
        let issued = bounded_cache::sync(bound).eviction_policy(EvictionPolicy::lru()).eviction_listener(note).build();
        Self { issued, forgotten }
    }

    /// Records when a token was issued. Returns whether no newer one of this user was seen, nor can have been evicted.
    fn is_newest(&self, id: &str, issued: SystemTime) -> bool {
        let forgotten = *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.issued.entry_by_ref(id).and_upsert_with(|kept| {
            let before = kept.map_or(forgotten, moka::Entry::into_value);
            before.max(issued)
        });
        issued >= newest.into_value()
    }
}

/// A group of which a user is a member.
struct Joined<'a> {
    id: &'a str,
    name: &'a str,
}

fn joined(person: &Person) -> impl Iterator<Item = Joined<'_>> {
    person.group_ids.iter().zip(&person.groups).map(|(id, name)| Joined { id, name })
}

impl Joined<'_> {
    /// Whether it is this group of the issuer: by the identifier, or by the name where one of them has no identifier.
    fn is(&self, group: &Group) -> bool {
        match &group.id {
            Some(id) if is_derived(self.id) => self.id == id,
            _ => folded(self.name) == folded(&group.name),
        }
    }
}

/// The normal form in which the users service compares names.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn hash(profile: &Profile) -> u64 {
    let mut hasher = DefaultHasher::new();
    profile.hash(&mut hasher);
    hasher.finish()
}

fn by_id(id: &str) -> PersonRef {
    PersonRef { by: Some(person_ref::By::Id(id.to_owned())) }
}

fn group_by_id(id: &str) -> GroupRef {
    GroupRef { by: Some(group_ref::By::Id(id.to_owned())) }
}

fn by_name(name: &str) -> GroupRef {
    GroupRef { by: Some(group_ref::By::Name(name.to_owned())) }
}

fn failed(status: Status) -> AuthError {
    match status.code() {
        Code::NotFound => AuthError::Refused(Reason::UnknownUser),
        // a name from the issuer is not valid in the directory
        Code::InvalidArgument => AuthError::Refused(Reason::Malformed),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => {
            AuthError::Unavailable { service: "users", source: Box::new(status) }
        }
        _ => AuthError::Internal(Box::new(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_person_gets_no_groups_of_an_older_token() {
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let newest = Newest::new(MIB / 16);
        assert!(newest.is_newest("first", time(100)) && !newest.is_newest("first", time(99)));
        for number in 0..1_000 {
            assert!(newest.is_newest(&number.to_string(), time(200)));
            newest.issued.run_pending_tasks();
        }
        assert!(newest.issued.weighted_size() <= MIB / 16);
        assert!(!newest.issued.contains_key("first"), "it had to make room");
        assert!(!newest.is_newest("first", time(99)), "a newer one may have been seen");
        assert!(newest.is_newest("first", time(300)));
    }
}
