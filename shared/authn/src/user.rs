use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::OpaqueEntry;

/// The opaque entry of a CS3 user that holds role identifiers, a JSON array.
pub(crate) const ROLES_KEY: &str = "roles";

/// Identifiers of the roles that the CS3 family ships, as they stand in a user's `roles`.
pub mod role {
    /// May administer people, tokens of others and the service itself.
    pub const ADMIN: &str = "71881883-1768-46bd-a24d-a356a2afdf7f";
    /// May administer spaces.
    pub const SPACE_ADMIN: &str = "2aadd357-682c-406b-8874-293091995fdd";
    /// An ordinary person.
    pub const USER: &str = "d7beeea8-8ff4-406b-8fb6-ab2dd81e6b11";
    /// An invited guest.
    pub const GUEST: &str = "38071a68-456a-4553-846a-fa67bf5596cc";

    /// The identifier behind a role's everyday name (`admin`, `spaceadmin`, `user`, `guest`); an identifier stays itself.
    pub fn id(name: &str) -> &str {
        match name {
            "admin" => ADMIN,
            "spaceadmin" => SPACE_ADMIN,
            "user" => USER,
            "guest" => GUEST,
            other => other,
        }
    }

    /// The everyday name of a role; another identifier stays itself.
    pub fn name(id: &str) -> &str {
        match id {
            ADMIN => "admin",
            SPACE_ADMIN => "spaceadmin",
            USER => "user",
            GUEST => "guest",
            other => other,
        }
    }
}

/// What kind of subject a user is (CS3 `UserType`, same numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(i32)]
pub enum UserType {
    /// Not stated.
    #[default]
    Invalid = 0,
    /// A person with an account here.
    Primary = 1,
    /// A second account of a person.
    Secondary = 2,
    /// A service account.
    Service = 3,
    /// An application.
    Application = 4,
    /// An invited guest.
    Guest = 5,
    /// A person of another installation.
    Federated = 6,
    /// A person known only by an external identity.
    Lightweight = 7,
    /// The technical owner of a space.
    SpaceOwner = 8,
}

impl UserType {
    /// The types of users whose identifiers the directory of the installation makes, so that no two have the same.
    pub const LOCAL: [Self; 4] = [Self::Invalid, Self::Primary, Self::Secondary, Self::Guest];

    /// Whether it is one of [`LOCAL`](Self::LOCAL).
    pub fn is_local(self) -> bool {
        Self::LOCAL.contains(&self)
    }

    /// The type with this CS3 number; numbers of a newer interface count as [`UserType::Invalid`].
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Primary,
            2 => Self::Secondary,
            3 => Self::Service,
            4 => Self::Application,
            5 => Self::Guest,
            6 => Self::Federated,
            7 => Self::Lightweight,
            8 => Self::SpaceOwner,
            _ => Self::Invalid,
        }
    }
}

/// Whether a user may sign in (CS3 `UserStatus`, same numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(i32)]
pub enum UserStatus {
    /// May sign in.
    #[default]
    Active = 0,
    /// Still allowed, but about to end.
    Expiring = 1,
    /// Disabled: every credential of this user is refused.
    Blocked = 2,
}

impl UserStatus {
    /// The status with this CS3 number; an unknown one counts as [`UserStatus::Blocked`], so that it refuses.
    pub fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Active,
            1 => Self::Expiring,
            _ => Self::Blocked,
        }
    }
}

/// The identity of a user at another system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ExternalIdentity {
    /// The identity provider that issued it.
    pub idp: String,
    /// The identifier there.
    pub opaque_id: String,
}

/// Who a user is, never reassigned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct UserId {
    /// The issuer of the identifier, a URL; empty means "ours".
    pub idp: String,
    /// The stable identifier, a UUID for people of our own directory.
    pub opaque_id: String,
    /// What kind of subject this is.
    pub kind: UserType,
    /// The tenant, where there are several.
    pub tenant_id: String,
    /// Identities of the same user elsewhere.
    pub external_identities: Vec<ExternalIdentity>,
}

/// An issuer as it is written into identifiers of users, and compared: without slashes at its end, which a configured URL may have or not.
pub fn normal_issuer(issuer: &str) -> &str {
    issuer.trim_end_matches('/')
}

impl UserId {
    /// Whether both identifiers name one user. For users of the installation the opaque identifier decides alone: the issuer in it is the URL of
    /// the installation, which may change. The identifiers of others (service accounts, users of other installations) are chosen
    /// elsewhere, so that the issuer counts; an empty one means "ours" and fits any.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_issuer = || normal_issuer(&self.idp) == normal_issuer(&other.idp);
        let fits = self.idp.is_empty() || other.idp.is_empty() || (self.kind.is_local() && other.kind.is_local());
        !self.opaque_id.is_empty() && self.opaque_id == other.opaque_id && (fits || same_issuer())
    }

    /// The identifier by which a directory finds the user now: without the issuer of a local user, which may have been another when the
    /// identifier was stored.
    #[must_use]
    pub fn to_find(&self) -> Self {
        let idp = if self.kind.is_local() { String::new() } else { self.idp.clone() };
        Self { idp, ..self.clone() }
    }
}

/// A user as the directory knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Who it is.
    pub id: UserId,
    /// The login name.
    pub username: String,
    /// The mail address.
    pub mail: String,
    /// Whether the address was proven to be the user's.
    pub mail_verified: bool,
    /// The name to show.
    pub display_name: String,
    /// Identifiers of the groups the user is a member of.
    pub groups: Vec<String>,
    /// Identifiers of the user's roles, see [`role`]; on the wire the opaque entry `roles`. An empty list says nothing by itself, see
    /// [`knows_roles`](Self::knows_roles).
    pub roles: Vec<String>,
    /// Further entries that other systems attached, kept as they came.
    pub opaque: BTreeMap<String, OpaqueEntry>,
    /// The POSIX user number, 0 if none.
    pub uid_number: i64,
    /// The POSIX group number, 0 if none.
    pub gid_number: i64,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// When the person's password was last changed by anybody; credentials that are derived from an older one may be
    /// refused. `None` if the directory does not know. No token contains it: in what a directory answers it is the opaque entry
    /// `password_changed`; an authenticator tells it the gateway, and that the edge about a user of the machine key, in the
    /// metadata `x-doorward-password-changed` of the response.
    pub password_changed: Option<SystemTime>,
}

/// By how much a clock may have been ahead. What is later is no time that was once noted.
const MOST_AHEAD: Duration = Duration::from_hours(10 * 365 * 24);

impl User {
    /// When a credential counts as made that is made now: never before the last change of the password. Where a clock that was
    /// ahead has been corrected, that change lies in the future, and the credential would count as one from before it. The order
    /// of both is kept by this, so that credentials from before the change do not come back either.
    pub fn credential_time(&self, now: SystemTime) -> SystemTime {
        self.password_changed.filter(|changed| now < *changed && *changed < now + MOST_AHEAD).unwrap_or(now)
    }

    /// How many bytes the groups have in a token: each in quotation marks, with a comma.
    pub fn groups_size(&self) -> usize {
        self.groups.iter().map(|group| group.len() + 3).sum()
    }

    /// Whether credentials of this user may be accepted at all.
    pub fn is_active(&self) -> bool {
        self.status != UserStatus::Blocked
    }

    /// This user with these roles, which are all: [`knows_roles`](Self::knows_roles) from then on.
    #[must_use]
    pub fn with_roles(mut self, roles: Vec<String>) -> Self {
        if roles.is_empty() {
            self.opaque.insert(ROLES_KEY.to_owned(), OpaqueEntry::json("[]"));
        } else {
            self.opaque.remove(ROLES_KEY);
        }
        self.roles = roles;
        self
    }

    /// Whether the directory knows which roles the user has, be it none. LDAP and the users service of the Go family know no roles.
    pub fn knows_roles(&self) -> bool {
        !self.roles.is_empty() || self.opaque.contains_key(ROLES_KEY)
    }

    /// Whether the user has the administrator's role.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|id| id == role::ADMIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(idp: &str, opaque_id: &str, kind: UserType) -> UserId {
        UserId { idp: idp.to_owned(), opaque_id: opaque_id.to_owned(), kind, ..UserId::default() }
    }

    #[test]
    fn users_of_the_installation_are_the_same_under_another_issuer() {
        let anna = id("https://cloud.example", "4c51", UserType::Primary);
        for (idp, kind) in [
            ("https://cloud.example/", UserType::Primary),
            ("https://files.example", UserType::Primary),
            ("", UserType::Invalid),
            ("https://files.example", UserType::Guest),
        ] {
            let again = id(idp, "4c51", kind);
            assert!(anna.is_same(&again) && again.is_same(&anna), "{idp} {kind:?}");
        }
        assert!(!anna.is_same(&id("https://cloud.example", "4c52", UserType::Primary)));
        assert!(
            !id("", "", UserType::Primary).is_same(&id("", "", UserType::Primary)),
            "an empty identifier names no user"
        );
    }

    #[test]
    fn identifiers_that_are_chosen_elsewhere_differ_by_issuer() {
        let anna = id("https://cloud.example", "4c51", UserType::Primary);
        for kind in [UserType::Service, UserType::Application, UserType::Federated, UserType::Lightweight] {
            let other = id("https://other.example", "4c51", kind);
            assert!(!anna.is_same(&other) && !other.is_same(&anna), "{kind:?}");
            assert!(other.is_same(&id("https://other.example/", "4c51", kind)));
            assert_eq!(other.to_find().idp, "https://other.example");
        }
        assert_eq!(anna.to_find().idp, "");
    }
}
