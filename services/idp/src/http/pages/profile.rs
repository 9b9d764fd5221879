//! A user, as pages show the account, so that several can be told apart.

use authn::User;
use web::page::initials;

use crate::http::interaction::display_name;

/// What is shown of an account.
pub(super) struct Profile<'a> {
    pub(super) initials: String,
    pub(super) name: &'a str,
    /// The login name, if the user is not called by it.
    pub(super) username: Option<&'a str>,
    pub(super) mail: Option<&'a str>,
}

impl<'a> Profile<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        let name = display_name(user);
        Self {
            initials: initials(name),
            name,
            username: Some(&*user.username).filter(|username| *username != name),
            mail: Some(&*user.mail).filter(|mail| !mail.is_empty() && *mail != user.username && *mail != name),
        }
    }
}
