//! The scopes for which users are asked for consent.

use oidc::scope::{self, Scopes};

/// The scopes that mean something here. Others are ignored (`OpenID` Connect Core 3.1.2.1), unless the client's
/// registration names them.
pub(crate) const KNOWN: [&str; 10] = [
    scope::OPENID,
    scope::PROFILE,
    scope::EMAIL,
    scope::ADDRESS,
    scope::PHONE,
    scope::OFFLINE_ACCESS,
    scope::OFFLINE,
    scope::PYDIO,
    "groups",
    "roles",
];

/// A scope that needs the user's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedScope<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether the user may leave it out.
    pub optional: bool,
}

/// Scopes in the order in which users are asked for them. Those that a client cannot work without are granted or refused as a
/// whole, and come first; claims beyond a name can be left out.
pub(crate) fn requested(scopes: &Scopes) -> Vec<RequestedScope<'_>> {
    let needed = [scope::OPENID, scope::PROFILE, scope::OFFLINE_ACCESS, scope::OFFLINE, scope::PYDIO];
    let place = |name| needed.iter().position(|known| *known == name);
    let mut all: Vec<_> = scopes.iter().map(|name| RequestedScope { name, optional: place(name).is_none() }).collect();
    all.sort_by_key(|scope| place(scope.name).unwrap_or(needed.len()));
    all
}

/// What is granted of `scopes`: all that cannot be left out, and those of the others that are `chosen`.
pub(crate) fn granted(scopes: &Scopes, chosen: &[&str]) -> Scopes {
    let granted = requested(scopes).into_iter().filter(|scope| !scope.optional || chosen.contains(&scope.name));
    // a part of a set that was read is one itself
    Scopes::of(granted.map(|scope| scope.name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_cannot_be_left_out_come_first_and_are_always_granted() {
        let scopes: Scopes = "email groups offline_access openid profile".parse().unwrap();
        let names: Vec<_> = requested(&scopes).iter().map(|scope| (scope.name, scope.optional)).collect();
        let needed = [("openid", false), ("profile", false), ("offline_access", false)];
        assert_eq!(names, [&needed[..], &[("email", true), ("groups", true)]].concat());
        assert_eq!(granted(&scopes, &["email", "admin"]).to_string(), "email offline_access openid profile");
    }
}
