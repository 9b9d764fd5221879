//! What people see: plain forms that work without any script, in their language, with one stylesheet.
//!
//! A page is a function that answers a whole response: status, headers (row I18) and HTML. What is shown of a client is
//! its own words and therefore escaped, isolated from the direction of the text around it, and linked to only by https.

mod account;
mod application;
mod consent;
mod consents;
mod device;
mod factor;
mod form_post;
mod i18n;
mod mail_link;
mod notice;
mod out_of_band;
mod passkeys;
mod password_link;
mod profile;
mod scope_text;
mod security;
mod sign_in;
mod sign_out;

#[cfg(test)]
mod tests;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::i18n::Language;
use web::page::Installation;
use web::policy::Policy;
use web::response::PageHeaders;

use crate::endpoints::IssuerEndpoints;

pub use account::{Account, account};
pub use consent::{Consent, consent};
pub use consents::{ConsentRow, FormTokens, consents};
pub use device::{CodeError, DeviceConfirm, device_code, device_confirm, device_done};
pub use factor::{CodeField, FactorCode, FactorError, factor_code, recovery_codes};
pub(crate) use factor::{FactorEnrolment, factor_enrolment};
pub use form_post::form_post;
pub(crate) use mail_link::{
    MailChangeForm, mail_address_taken, mail_change, mail_changed, mail_link_of_other, mail_link_throttled,
    mail_link_unusable,
};
pub use notice::{Notice, error, message, notice};
pub use out_of_band::out_of_band;
pub use passkeys::{PasskeyListError, PasskeyPrompt, PasskeyRow, Passkeys, passkeys};
pub(crate) use password_link::{
    ForgottenPassword, NewPassword, NewPasswordError, forgotten_password, link_sent, link_throttled, link_unusable,
    new_password, password_set,
};
pub(crate) use security::{AppForm, security_app};
pub use security::{AppStatus, SecurityChange, SecurityNote, SecurityStatus, SecurityTokens, remove_app, security};
pub use sign_in::{SignIn, SignInError, sign_in};
pub use sign_out::{SignOut, confirm_sign_out, signed_out};

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

/// The shell of a page, with the texts of this service.
type Page<'a> = web::page::Page<'a, i18n::Words>;

/// What a page depends on apart from its content.
#[derive(Debug, Clone, Copy)]
pub struct PageContext<'a> {
    /// The issuer that shows it.
    pub endpoints: &'a IssuerEndpoints,
    /// The installation.
    pub installation: &'a Installation,
    /// What it speaks.
    pub language: Language,
    /// The id of the request, which pages about errors show.
    pub request_id: Option<&'a str>,
}

impl<'a> PageContext<'a> {
    const fn words(&self) -> &'static i18n::Words {
        i18n::words(self.language)
    }

    fn page(&self, title: &'a str) -> Page<'a> {
        self.installation.page(title, self.language, self.words())
    }

    fn respond(&self, status: StatusCode, policy: &Policy<'_>, template: &impl Template) -> Response {
        let (language, is_https) = (self.language.tag(), self.endpoints.is_https());
        web::response::page(status, template, &PageHeaders { language, is_https, policy })
    }
}
