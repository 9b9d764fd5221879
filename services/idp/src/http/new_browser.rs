//! Notifies a user of a sign-in with a browser that the user has not used before.

use authn::Caller;
use web::i18n::Language;

use super::device_cookie;
use super::issuer::Issuer;
use crate::sign_in_notice;

/// Sends the mail if the browser has no cookie of this user. To be called before the cookie is set, and before the sign-in is recorded,
/// which is not one that the user has made before.
pub(crate) fn notify(issuer: &Issuer, user: &str, caller: &Caller) {
    let Issuer { provider, headers, .. } = issuer;
    let is_known = || device_cookie::known(issuer).is_some_and(|device| device.user_id == user);
    if !provider.config.account_mail.new_sign_in_notice || !provider.mail.is_on() || is_known() {
        return;
    }
    let at = (provider.clock.now(), Language::choose(&[], headers));
    let notice = sign_in_notice::send(provider.clone(), user.to_owned(), at, caller.clone());
    provider.mail.notify(notice);
}
