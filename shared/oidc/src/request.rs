//! The authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1): its parameters, read into types, with
//! everything checked that needs no client.
//!
//! It is read in three steps, because until the client and its redirect URI are known to be good, nothing may be
//! redirected anywhere:
//!
//! 1. [`Addressee::read`] says who asks and where the answer should go. What it refuses is answered with a page.
//! 2. [`RequestObject::read`] says whether the request itself is in a JWT. Whoever takes those resolves it, and goes on
//!    with the parameters that it holds.
//! 3. [`AuthorizationRequest::read`] reads the rest. What it refuses says whether it may be redirected, and how.
//!
//! Parameters come as pairs of names and values, decoded, in the order of the request. One without a value counts as
//! left out and an unknown one is ignored; one of ours that comes twice is refused (RFC 6749 3.1).

mod addressee;
mod claims;
mod hints;
mod jwt;
mod object;
mod parameters;
mod prompt;
mod refusal;

#[cfg(test)]
mod tests;

pub use addressee::Addressee;
pub use claims::{ClaimRequest, ClaimValue, Claims, ClaimsError, ClaimsRequest};
pub use hints::Display;
pub use jwt::UnverifiedJwt;
pub use object::RequestObject;
pub use parameters::MAX_PARAMETERS;
pub use prompt::{Prompt, PromptError};
pub use refusal::{Reply, RequestError};

use std::time::Duration;

use crate::error::ErrorCode;
use crate::pkce::Challenge;
use crate::response::{Delivery, ResponseType};
use crate::scope::Scopes;
use hints::locales;
use parameters::Parameters;
use refusal::Defect;

/// The longest `state`, in bytes.
pub const MAX_STATE: usize = 8192;
/// The longest `nonce`, in bytes.
pub const MAX_NONCE: usize = 512;
/// The longest `claims`, in bytes.
pub const MAX_CLAIMS: usize = 4096;
/// The longest `id_token_hint`, in bytes.
pub const MAX_ID_TOKEN_HINT: usize = 8192;
/// The longest `login_hint`, in bytes.
pub const MAX_LOGIN_HINT: usize = 512;
/// The longest `acr_values`, `ui_locales` or `claims_locales`, in bytes.
pub const MAX_LIST: usize = 1024;
/// The longest word that is one of a few, like `response_type`, in bytes.
const MAX_WORD: usize = 128;

/// A request that is validated as far as possible without the client's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// The client and its redirect URI.
    pub addressee: Addressee,
    /// The response type.
    pub response_type: ResponseType,
    /// The response mode.
    pub delivery: Delivery,
    /// The scope; empty if the request has none.
    pub scope: Scopes,
    /// `state`, which is returned with every response.
    pub state: Option<String>,
    /// `nonce`, which is copied to the ID token.
    pub nonce: Option<String>,
    /// `prompt`: the interaction that the client requires.
    pub prompt: Prompt,
    /// `max_age`: the greatest age of the sign-in, in seconds.
    pub max_age: Option<Duration>,
    /// What kind of page the client would like.
    pub display: Option<Display>,
    /// The languages of the pages, the preferred one first; only what has the form of a language tag.
    pub ui_locales: Vec<String>,
    /// The languages of the claims, likewise.
    pub claims_locales: Vec<String>,
    /// `acr_values`, the preferred one first.
    pub acr_values: Vec<String>,
    /// `id_token_hint`: an ID token of this server for the expected user.
    pub id_token_hint: Option<UnverifiedJwt>,
    /// `login_hint`: the username with which the user might sign in.
    pub login_hint: Option<String>,
    /// What the code will be redeemed against. Whether the client needs one, and may use its method, its
    /// [`Policy`](crate::pkce::Policy) says.
    pub challenge: Option<Challenge>,
    /// The individually requested claims.
    pub claims: ClaimsRequest,
}

impl AuthorizationRequest {
    /// Reads a request. One that still has `request` or `request_uri` is refused with `request_not_supported` or
    /// `request_uri_not_supported`, because ignoring them would answer another request than the client signed.
    ///
    /// # Errors
    /// [`RequestError`], which says what to answer and whether by a redirect.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, RequestError> {
        let addressee = Addressee::read(parameters)?;
        let parameters = Parameters::of(parameters)?;
        Self::checked(&parameters, addressee).map_err(|defect| defect.answered(Reply::of(&parameters)))
    }

    fn checked(parameters: &Parameters<'_>, addressee: Addressee) -> Result<Self, Defect> {
        match RequestObject::of(parameters)? {
            Some(RequestObject::Value(_)) => return Err(Defect::unsupported(ErrorCode::RequestNotSupported)),
            Some(RequestObject::Reference(_)) => return Err(Defect::unsupported(ErrorCode::RequestUriNotSupported)),
            None => {}
        }
        if parameters.has("registration") {
            return Err(Defect::unsupported(ErrorCode::RegistrationNotSupported));
        }
        let response_type: ResponseType = match parameters.one("response_type", MAX_WORD)? {
            Some(text) => text.parse()?,
            None => return Err(Defect::invalid("response_type is missing")),
        };
        let mode = parameters.one("response_mode", MAX_WORD)?.map(str::parse).transpose()?;
        let challenge = parameters.one("code_challenge", MAX_WORD)?;
        let request = Self {
            response_type,
            delivery: response_type.delivery(mode)?,
            scope: parameters.one("scope", usize::MAX)?.unwrap_or_default().parse()?,
            state: parameters.text("state", MAX_STATE)?,
            nonce: parameters.text("nonce", MAX_NONCE)?,
            prompt: parameters.one("prompt", MAX_WORD)?.unwrap_or_default().parse()?,
            max_age: parameters.one("max_age", MAX_WORD)?.map(hints::max_age).transpose()?,
            display: parameters.one("display", MAX_WORD)?.and_then(Display::read),
            ui_locales: locales(parameters.one("ui_locales", MAX_LIST)?.unwrap_or_default()),
            claims_locales: locales(parameters.one("claims_locales", MAX_LIST)?.unwrap_or_default()),
            acr_values: hints::words(parameters.one("acr_values", MAX_LIST)?.unwrap_or_default()),
            id_token_hint: parameters.text("id_token_hint", MAX_ID_TOKEN_HINT)?.map(UnverifiedJwt::new),
            login_hint: parameters.text("login_hint", MAX_LOGIN_HINT)?,
            challenge: Challenge::read(challenge, parameters.one("code_challenge_method", MAX_WORD)?)?,
            claims: match parameters.json("claims", MAX_CLAIMS)? {
                Some(text) => text.parse()?,
                None => ClaimsRequest::default(),
            },
            addressee,
        };
        request.consistent()
    }

    /// What one parameter needs of another.
    fn consistent(self) -> Result<Self, Defect> {
        if self.scope.asks_openid() && self.addressee.redirect_uri.is_none() {
            // also where the client has registered only one (OpenID Connect Core 3.1.2.1)
            return Err(Defect::invalid("redirect_uri is missing").never_redirected());
        }
        if self.response_type.issues_id_token() && !self.scope.asks_openid() {
            return Err(Defect::invalid("an ID token needs the scope openid"));
        }
        if self.response_type.issues_id_token() && self.nonce.is_none() {
            return Err(Defect::invalid("this response_type needs a nonce"));
        }
        Ok(self)
    }

    /// The request as parameters again, without what was left out or ignored: what has to be kept to go on with it
    /// later, also in another process.
    pub fn to_parameters(&self) -> Vec<(String, String)> {
        let challenge = self.challenge.as_ref();
        let known = [
            ("client_id", Some(self.addressee.client_id.clone())),
            ("redirect_uri", self.addressee.redirect_uri.clone()),
            ("response_type", Some(self.response_type.to_string())),
            ("response_mode", Some(self.delivery.mode().as_str().to_owned())),
            ("scope", Some(self.scope.to_string())),
            ("state", self.state.clone()),
            ("nonce", self.nonce.clone()),
            ("prompt", Some(self.prompt.to_string())),
            ("max_age", self.max_age.map(|age| age.as_secs().to_string())),
            ("display", self.display.map(|display| display.as_str().to_owned())),
            ("ui_locales", Some(self.ui_locales.join(" "))),
            ("claims_locales", Some(self.claims_locales.join(" "))),
            ("acr_values", Some(self.acr_values.join(" "))),
            ("id_token_hint", self.id_token_hint.as_ref().map(|hint| hint.as_str().to_owned())),
            ("login_hint", self.login_hint.clone()),
            ("code_challenge", challenge.map(Challenge::to_text)),
            ("code_challenge_method", challenge.map(|challenge| challenge.method().as_str().to_owned())),
            ("claims", Some(&self.claims).filter(|claims| !claims.is_empty()).map(ToString::to_string)),
        ];
        let given = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
