//! What people see: plain forms that work without any script, in their language, with one stylesheet.
//!
//! A page is a function that answers a whole response: status, headers (row I18) and HTML. What is shown of a client is
//! its own words and therefore escaped, isolated from the direction of the text around it, and linked to only by https.

mod account;
mod application;
mod consent;
mod consents;
mod device;
mod form_post;
mod i18n;
mod notice;
mod out_of_band;
mod response;
mod scope_text;
mod sign_in;
mod sign_out;
mod style;

#[cfg(test)]
mod tests;

use crate::endpoints::IssuerEndpoints;

pub use account::{Account, account};
pub use consent::{Consent, consent};
pub use consents::{ConsentRow, FormTokens, consents};
pub use device::{CodeError, DeviceConfirm, device_code, device_confirm, device_done};
pub use form_post::form_post;
pub use i18n::Language;
pub use notice::{Notice, error, message, notice};
pub use out_of_band::out_of_band;
pub use sign_in::{SignIn, SignInError, sign_in};
pub use sign_out::{SignOut, confirm_sign_out, signed_out};
pub use style::router;

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

/// What a page depends on apart from its content.
#[derive(Debug, Clone, Copy)]
pub struct PageContext<'a> {
    /// The issuer that shows it.
    pub endpoints: &'a IssuerEndpoints,
    /// What people call the installation.
    pub site_name: &'a str,
    /// What it speaks.
    pub language: Language,
}

impl PageContext<'_> {
    const fn words(&self) -> &'static i18n::Words {
        self.language.words()
    }
}
