//! Between CS3 messages and the domain.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proto::cs3::{auth::provider::v1beta1 as provider, identity::user::v1beta1 as identity, types::v1beta1 as types};

use crate::user::ROLES_KEY;
use crate::{ExternalIdentity, OpaqueEntry, Role, Scope, Scopes, User, UserId, UserStatus, UserType};

/// The opaque entry that says when the password was last changed, in microseconds since the Unix epoch, in decimal digits.
const PASSWORD_CHANGED_KEY: &str = "password_changed";
/// From the Unix epoch to the end of the year 9999.
const FAR_FUTURE: Duration = Duration::from_secs(253_402_300_799);

impl From<types::OpaqueEntry> for OpaqueEntry {
    fn from(entry: types::OpaqueEntry) -> Self {
        Self { decoder: entry.decoder, value: entry.value }
    }
}

impl From<&OpaqueEntry> for types::OpaqueEntry {
    fn from(entry: &OpaqueEntry) -> Self {
        Self { decoder: entry.decoder.clone(), value: entry.value.clone() }
    }
}

impl From<provider::Scope> for Scope {
    fn from(scope: provider::Scope) -> Self {
        Self { resource: scope.resource.map(Into::into).unwrap_or_default(), role: Role::from_number(scope.role) }
    }
}

impl From<&Scope> for provider::Scope {
    fn from(scope: &Scope) -> Self {
        Self { resource: Some((&scope.resource).into()), role: scope.role as i32 }
    }
}

impl From<BTreeMap<String, provider::Scope>> for Scopes {
    fn from(scopes: BTreeMap<String, provider::Scope>) -> Self {
        Self(scopes.into_iter().map(|(key, scope)| (key, scope.into())).collect())
    }
}

impl From<&Scopes> for BTreeMap<String, provider::Scope> {
    fn from(scopes: &Scopes) -> Self {
        scopes.0.iter().map(|(key, scope)| (key.clone(), scope.into())).collect()
    }
}

impl From<identity::UserId> for UserId {
    fn from(id: identity::UserId) -> Self {
        let external =
            |other: identity::ExternalIdentity| ExternalIdentity { idp: other.idp, opaque_id: other.opaque_id };
        Self {
            idp: id.idp,
            opaque_id: id.opaque_id,
            kind: UserType::from_number(id.r#type),
            tenant_id: id.tenant_id,
            external_identities: id.external_identities.into_iter().map(external).collect(),
        }
    }
}

impl From<&UserId> for identity::UserId {
    fn from(id: &UserId) -> Self {
        let external = |other: &ExternalIdentity| identity::ExternalIdentity {
            idp: other.idp.clone(),
            opaque_id: other.opaque_id.clone(),
        };
        Self {
            idp: id.idp.clone(),
            opaque_id: id.opaque_id.clone(),
            r#type: id.kind as i32,
            tenant_id: id.tenant_id.clone(),
            external_identities: id.external_identities.iter().map(external).collect(),
        }
    }
}

impl From<identity::User> for User {
    fn from(user: identity::User) -> Self {
        let mut opaque: BTreeMap<String, OpaqueEntry> =
            user.opaque.unwrap_or_default().map.into_iter().map(|(key, entry)| (key, entry.into())).collect();
        // roles that cannot be read are not known
        let roles: Option<Vec<String>> =
            opaque.remove(ROLES_KEY).and_then(|entry| serde_json::from_slice(&entry.value).ok());
        let password_changed = opaque.remove(PASSWORD_CHANGED_KEY).map(|entry| read_time(&entry.value));
        let user = Self {
            id: user.id.map(Into::into).unwrap_or_default(),
            username: user.username,
            mail: user.mail,
            mail_verified: user.mail_verified,
            display_name: user.display_name,
            groups: user.groups,
            roles: Vec::new(),
            opaque,
            uid_number: user.uid_number,
            gid_number: user.gid_number,
            status: UserStatus::from_number(user.status),
            password_changed,
        };
        match roles {
            Some(roles) => user.with_roles(roles),
            None => user,
        }
    }
}

/// A user as a directory answers it. The plain conversion leaves out when the password was changed: it also makes what
/// authenticators answer, and a gateway of an existing installation mints every entry of that into its tokens.
pub(crate) fn from_directory(user: &User) -> identity::User {
    let mut message = identity::User::from(user);
    if let Some(changed) = user.password_changed {
        let entry = types::OpaqueEntry { decoder: "plain".to_owned(), value: write_time(changed) };
        message.opaque.get_or_insert_default().map.insert(PASSWORD_CHANGED_KEY.to_owned(), entry);
    }
    message
}

pub(crate) fn write_time(time: SystemTime) -> Vec<u8> {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros().to_string().into_bytes()
}

/// A time that cannot be read counts as far in the future, so that everything derived from a password is refused. To say
/// that it is not known would accept what an old password made.
pub(crate) fn read_time(digits: &[u8]) -> SystemTime {
    let micros = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    let time = micros.and_then(|micros| UNIX_EPOCH.checked_add(Duration::from_micros(micros)));
    time.unwrap_or(UNIX_EPOCH + FAR_FUTURE)
}

impl From<&User> for identity::User {
    fn from(user: &User) -> Self {
        let mut map: BTreeMap<String, types::OpaqueEntry> =
            user.opaque.iter().map(|(key, entry)| (key.clone(), entry.into())).collect();
        if !user.roles.is_empty() {
            // A list of texts is always JSON.
            let roles = serde_json::to_vec(&user.roles).unwrap_or_default();
            map.insert(ROLES_KEY.to_owned(), (&OpaqueEntry::json(roles)).into());
        }
        Self {
            id: Some((&user.id).into()),
            username: user.username.clone(),
            mail: user.mail.clone(),
            mail_verified: user.mail_verified,
            display_name: user.display_name.clone(),
            groups: user.groups.clone(),
            opaque: (!map.is_empty()).then_some(types::Opaque { map }),
            uid_number: user.uid_number,
            gid_number: user.gid_number,
            status: user.status as i32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::role;

    fn users() -> impl Strategy<Value = User> {
        let id = (".{0,20}", ".{0,36}", 0..=8i32, ".{0,8}").prop_map(|(idp, opaque_id, kind, tenant_id)| UserId {
            idp,
            opaque_id,
            kind: UserType::from_number(kind),
            tenant_id,
            external_identities: vec![ExternalIdentity { idp: "https://other".into(), opaque_id: "7".into() }],
        });
        let rest =
            (".{0,20}", ".{0,20}", any::<bool>(), proptest::collection::vec(".{0,10}", 0..4), any::<i64>(), 0..=2i32);
        let changed = proptest::option::of(any::<u64>().prop_map(after));
        (id, rest, changed).prop_map(|(id, (username, mail, mail_verified, groups, number, status), changed)| User {
            id,
            username,
            mail,
            mail_verified,
            groups,
            roles: vec![role::ADMIN.to_owned()],
            opaque: BTreeMap::from([("note".to_owned(), OpaqueEntry { decoder: "plain".into(), value: vec![0, 255] })]),
            uid_number: number,
            status: UserStatus::from_number(status),
            password_changed: changed,
            ..User::default()
        })
    }

    fn after(micros: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(micros)
    }

    /// What arrives of an answer with this entry.
    fn arriving(value: &[u8]) -> User {
        let entry = types::OpaqueEntry { decoder: "plain".into(), value: value.to_vec() };
        let map = BTreeMap::from([(PASSWORD_CHANGED_KEY.to_owned(), entry)]);
        identity::User { opaque: Some(types::Opaque { map }), ..identity::User::default() }.into()
    }

    proptest! {
        #[test]
        fn a_user_survives_the_wire(user in users()) {
            let bytes = from_directory(&user).encode_to_vec();
            prop_assert_eq!(&User::from(identity::User::decode(bytes.as_slice()).unwrap()), &user);
            let bytes = identity::User::from(&user).encode_to_vec();
            let answered = User::from(identity::User::decode(bytes.as_slice()).unwrap());
            prop_assert_eq!(answered, User { password_changed: None, ..user });
        }

        #[test]
        fn whatever_stands_for_a_time_is_one(value in proptest::collection::vec(any::<u8>(), 0..24)) {
            let user = arriving(&value);
            prop_assert!(user.password_changed.is_some() && user.opaque.is_empty());
        }
    }

    #[test]
    fn a_time_is_digits_and_what_is_none_refuses_everything() {
        let user = User { password_changed: Some(after(1_700_000_000_000_001)), ..User::default() };
        let entry = from_directory(&user).opaque.unwrap().map.remove(PASSWORD_CHANGED_KEY).unwrap();
        assert_eq!((entry.decoder.as_str(), entry.value.as_slice()), ("plain", &b"1700000000000001"[..]));
        assert_eq!(arriving(&entry.value), user);
        let early = User { password_changed: Some(UNIX_EPOCH - Duration::from_secs(1)), ..User::default() };
        assert_eq!(User::from(from_directory(&early)).password_changed, Some(UNIX_EPOCH));
        for unreadable in [&b""[..], b"-1", b"1e9", b"soon", b"\xff", b"99999999999999999999"] {
            assert_eq!(arriving(unreadable).password_changed, Some(UNIX_EPOCH + FAR_FUTURE), "{unreadable:?}");
        }
    }

    #[test]
    fn unknown_numbers_of_a_newer_interface_refuse() {
        assert_eq!(Role::from_number(99), Role::Invalid);
        assert_eq!(UserStatus::from_number(99), UserStatus::Blocked);
        assert_eq!(UserType::from_number(-1), UserType::Invalid);
    }
}
