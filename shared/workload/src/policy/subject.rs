//! The users for whom a workload may act.

use std::fmt;

use authn::{User, UserType, role};

use super::document::UsersEntry;

/// What an entry of `users` stands for that names no single one.
const ANY_USER: &str = "*";

/// Users for whom a workload may act. Accounts of programs and spaces are none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MayActFor {
    any_user: bool,
    logins: Vec<String>,
    groups: Vec<String>,
    /// Identifiers.
    roles: Vec<String>,
}

/// Whether a workload may act for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    /// The user would be one of them, but the directory knows no roles, so that the user may be an administrator.
    RolesUnknown,
}

impl MayActFor {
    /// Reads the users of an entry.
    ///
    /// # Errors
    /// What is wrong, with the key.
    pub(super) fn parse(entry: UsersEntry) -> Result<Self, String> {
        let UsersEntry { users, groups, roles } = entry;
        for (key, names) in [("users", &users), ("groups", &groups), ("roles", &roles)] {
            if names.iter().any(String::is_empty) {
                return Err(format!("may_act_for.{key} holds an empty text"));
            }
        }
        if users.is_empty() && groups.is_empty() && roles.is_empty() {
            return Err("may_act_for has no users, groups or roles".to_owned());
        }
        if groups.iter().chain(&roles).any(|name| name == ANY_USER) {
            return Err("may_act_for: '*' is for users only".to_owned());
        }
        let (any, logins): (Vec<_>, Vec<_>) = users.into_iter().partition(|login| login == ANY_USER);
        let roles = roles.iter().map(|name| role::id(name).to_owned()).collect();
        Ok(Self { any_user: !any.is_empty(), logins, groups, roles })
    }

    /// Whether the user is one of them (row [M3](../../../../docs/security-requirements.md#m3)). Administrators are only if their login
    /// name or their role is listed.
    pub(super) fn verdict(&self, user: &User) -> Verdict {
        if is_technical(user) {
            return Verdict::Denied;
        }
        if self.logins.contains(&user.username) {
            return Verdict::Allowed;
        }
        if user.is_admin() {
            return if self.names_administrators() { Verdict::Allowed } else { Verdict::Denied };
        }
        if self.roles.iter().any(|role| user.roles.contains(role)) {
            return Verdict::Allowed;
        }
        let is_one = self.any_user || self.groups.iter().any(|group| user.groups.contains(group));
        if !is_one {
            Verdict::Denied
        } else if user.knows_roles() || self.names_administrators() {
            Verdict::Allowed
        } else {
            Verdict::RolesUnknown
        }
    }

    fn names_administrators(&self) -> bool {
        self.roles.iter().any(|id| id == role::ADMIN)
    }
}

impl fmt::Display for MayActFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = self.any_user.then_some(ANY_USER).into_iter();
        let users: Vec<_> = any.chain(self.logins.iter().map(String::as_str)).collect();
        let groups: Vec<_> = self.groups.iter().map(String::as_str).collect();
        let roles: Vec<_> = self.roles.iter().map(|id| role::name(id)).collect();
        let lists = [("users", users), ("groups", groups), ("roles", roles)].into_iter();
        let texts =
            lists.filter(|(_, names)| !names.is_empty()).map(|(key, names)| format!("{key} {}", names.join(", ")));
        f.write_str(&texts.collect::<Vec<_>>().join("; "))
    }
}

/// Whether the account belongs to a program or a space.
fn is_technical(user: &User) -> bool {
    matches!(user.id.kind, UserType::Service | UserType::Application | UserType::SpaceOwner)
}

#[cfg(test)]
mod tests {
    use authn::testing::user;

    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn may_act_for(users: &[&str], groups: &[&str], roles: &[&str]) -> MayActFor {
        let entry = UsersEntry { users: list(users), groups: list(groups), roles: list(roles) };
        MayActFor::parse(entry).expect("an entry")
    }

    fn with_roles(login: &str, roles: &[&str]) -> User {
        user(login).with_roles(list(roles))
    }

    /// Row [M3](../../../../docs/security-requirements.md#m3).
    #[test]
    fn administrators_need_their_name_or_role() {
        let root = with_roles("root", &[role::ADMIN, role::USER]);
        let root = User { groups: list(&["staff"]), ..root };
        for allowed in [may_act_for(&["root"], &[], &[]), may_act_for(&[], &[], &["admin"])] {
            assert_eq!(allowed.verdict(&root), Verdict::Allowed, "{allowed:?}");
        }
        for denied in [may_act_for(&["*"], &["staff"], &["user"]), may_act_for(&["Root"], &[], &[])] {
            assert_eq!(denied.verdict(&root), Verdict::Denied, "{denied:?}");
        }
    }

    /// Row [M3](../../../../docs/security-requirements.md#m3).
    #[test]
    fn accounts_of_programs_are_never_acted_for() {
        let all = may_act_for(&["*", "job"], &["staff"], &["admin", "user"]);
        for kind in [UserType::Service, UserType::Application, UserType::SpaceOwner] {
            let mut job = with_roles("job", &[role::ADMIN, role::USER]);
            job.id.kind = kind;
            assert_eq!(all.verdict(&job), Verdict::Denied, "{kind:?}");
        }
    }

    #[test]
    fn each_list_is_enough() {
        let anna = User { groups: list(&["staff", "choir"]), ..with_roles("anna", &[role::USER]) };
        for allowed in [
            may_act_for(&["anna"], &[], &[]),
            may_act_for(&["*"], &[], &[]),
            may_act_for(&["ben"], &["choir"], &[]),
            may_act_for(&["ben"], &[], &["user"]),
            may_act_for(&[], &[], &[role::USER]),
        ] {
            assert_eq!(allowed.verdict(&anna), Verdict::Allowed, "{allowed:?}");
        }
        for denied in [may_act_for(&["ben"], &["board"], &["guest"]), may_act_for(&[], &[], &["admin"])] {
            assert_eq!(denied.verdict(&anna), Verdict::Denied, "{denied:?}");
        }
    }

    /// Row [M3](../../../../docs/security-requirements.md#m3).
    #[test]
    fn users_without_known_roles_are_refused_unless_administrators_are_allowed() {
        let anna = User { groups: list(&["staff"]), ..user("anna") };
        assert!(!anna.knows_roles());
        for (rule, expected) in [
            (may_act_for(&["*"], &[], &[]), Verdict::RolesUnknown),
            (may_act_for(&[], &["staff"], &["user"]), Verdict::RolesUnknown),
            (may_act_for(&["*"], &[], &["admin"]), Verdict::Allowed),
            (may_act_for(&[], &[], &["admin"]), Verdict::Denied),
            (may_act_for(&["anna"], &[], &[]), Verdict::Allowed),
        ] {
            assert_eq!(rule.verdict(&anna), expected, "{rule:?}");
        }
    }

    #[test]
    fn users_are_shown_as_the_file_names_them() {
        let all = may_act_for(&["anna", "*"], &["staff", "choir"], &["admin", role::USER, "other"]);
        assert_eq!(all.to_string(), "users *, anna; groups staff, choir; roles admin, user, other");
        assert_eq!(may_act_for(&["anna"], &[], &[]).to_string(), "users anna");
    }

    #[test]
    fn lists_that_can_be_no_ones_are_refused() {
        for (users, groups, roles) in
            [(&[][..], &[][..], &[][..]), (&[""], &[], &[]), (&[], &["*"], &[]), (&[], &[], &["*"])]
        {
            let entry = UsersEntry { users: list(users), groups: list(groups), roles: list(roles) };
            assert!(MayActFor::parse(entry).is_err(), "{users:?} {groups:?} {roles:?}");
        }
    }
}
