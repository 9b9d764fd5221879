//! Credentials of links, which the gateway of an OpenCloud verifies: the session of a guest, in a cookie, and the token of a public
//! link. Each counts at its own paths alone (`docs/security-requirements.md#e49`, `#e51`).

mod explanation;
mod guest;
mod public;

use std::sync::Arc;

use http::HeaderMap;
use secrecy::SecretString;

use crate::authentication::Authentication;
use crate::config::Config;
use crate::identity::Identity;
use crate::path::{Path, below};
use crate::request_info::RequestInfo;
use crate::verdict::{CredentialError, Verdict};
use guest::Guests;
use public::PublicLink;

/// Where the service is that begins and renews sessions of guests; it alone gets and sets their cookie.
const GUEST_SERVICE: &str = "/magic_guest_link_auth";

/// The credentials of links that are accepted.
pub struct Links {
    guests: Option<Guests>,
    accepts_public: bool,
}

impl Links {
    /// Those of the configuration.
    pub fn new(config: &Config) -> Self {
        let settings = &config.links;
        let guests = settings.guests_enabled.then(|| Guests::new(&settings.guest_cookie, &config.url));
        Self { guests, accepts_public: settings.public_enabled.unwrap_or(config.proxy_yaml.file.is_some()) }
    }

    /// The user of a request without any other credential: of the session of a guest, or of a public link.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub(crate) async fn identify(
        &self,
        authentication: &Authentication,
        info: &RequestInfo<'_>,
    ) -> Result<Arc<Identity>, Verdict> {
        if let Some(guests) = self.guests.as_ref().filter(|_| Guests::are_at(info)) {
            return guests.identify(authentication, info).await;
        }
        if self.accepts_public && PublicLink::is_one(info) {
            return public::identify(authentication, info, None).await;
        }
        Err(Verdict::Unauthenticated(CredentialError::Missing))
    }

    /// Whether this login by HTTP Basic has the password of a public link.
    pub(crate) fn takes_password(&self, login: &str, info: &RequestInfo<'_>) -> bool {
        self.accepts_public && login == public::LOGIN && PublicLink::is_one(info)
    }

    /// The user of a public link with this password.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub(crate) async fn identify_by_password(
        &self,
        authentication: &Authentication,
        info: &RequestInfo<'_>,
        password: &SecretString,
    ) -> Result<Arc<Identity>, Verdict> {
        public::identify(authentication, info, Some(password)).await
    }

    /// Whether a request is of a guest's browser, at whichever path.
    pub(crate) fn is_of_guest(&self, headers: &HeaderMap) -> bool {
        self.guests.as_ref().is_some_and(|guests| guests.are_in(headers))
    }

    /// The cookie of guests that the backend of a request with these readings of its path must neither see nor set; `None` if it is the
    /// service that has it.
    pub(crate) fn hidden_cookie<'p, 'a: 'p>(&self, mut readings: impl Iterator<Item = &'p Path<'a>>) -> Option<&str> {
        let guests = self.guests.as_ref()?;
        let is_at_service = readings.all(|path| below(path.decoded(), GUEST_SERVICE).is_some());
        (!is_at_service).then_some(guests.cookie())
    }
}

#[cfg(test)]
mod tests;
