//! What people see: plain forms that work without any script, in their language, with one stylesheet.
//!
//! A page is a function that answers a whole response: status, headers (row I18) and HTML. What is shown of a client is
//! its own words and therefore escaped, isolated from the direction of the text around it, and linked to only by https.

mod account;
mod answer;
mod application;
mod consent;
mod consents;
mod device;
mod form_post;
mod notice;
mod out_of_band;
mod policy;
mod scope_word;
mod sign_in;
mod sign_out;
mod style;
mod words;

#[cfg(test)]
mod tests;

use axum::http::HeaderMap;

use crate::endpoints::Site;
use crate::provider::Provider;

pub use account::{Account, account};
pub use consent::{Consent, consent};
pub use consents::{ConsentRow, FormTokens, consents};
pub use device::{CodeError, DeviceConfirm, device_code, device_confirm, device_done};
pub use form_post::form_post;
pub use notice::{Notice, error, message, notice};
pub use out_of_band::out_of_band;
pub use scope_word::ScopeWord;
pub use sign_in::{SignIn, SignInError, sign_in};
pub use sign_out::{SignOut, confirm_sign_out, signed_out};
pub use style::router;
pub use words::Language;

/// The value of the button that says yes to [`consent()`] and [`device_confirm`] (field `decision`).
pub const ALLOW: &str = "allow";
/// The value of the button that says no to them.
pub const DENY: &str = "deny";
/// The value of the button of [`account()`] that goes on as who is signed in (field `decision`).
pub const CONTINUE: &str = "continue";
/// The value of the button of [`account()`] that asks for another account.
pub const OTHER: &str = "other";
/// The value of the button of [`confirm_sign_out`] that signs out (field `decision`).
pub const SIGN_OUT: &str = "sign_out";
/// The value of the button of [`confirm_sign_out`] that does not.
pub const STAY: &str = "stay";
/// The value of the box `remember` of [`sign_in()`] if it is ticked.
pub const REMEMBER: &str = "yes";

/// What a page needs of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The issuer that shows it.
    pub site: &'a Site,
    /// What people call the installation.
    pub site_name: &'a str,
    /// What it speaks.
    pub language: Language,
}

impl<'a> Look<'a> {
    /// The surroundings of an answer to a request with these headers; `ui_locales` are the languages that the client
    /// asks for, if it does.
    pub fn of(provider: &'a Provider, site: &'a Site, headers: &HeaderMap, ui_locales: &[String]) -> Self {
        Self { site, site_name: &provider.config.site_name, language: Language::choose(ui_locales, headers) }
    }

    const fn words(&self) -> &'static words::Words {
        self.language.words()
    }
}
