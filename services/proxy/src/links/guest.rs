//! The session of a guest who has opened a link.

use std::sync::Arc;

use authn::{UserType, kind};
use http::HeaderMap;
use secrecy::SecretString;
use url::Url;
use web::origin;

use super::explanation::expired_share;
use crate::authentication::{Authentication, LinkError};
use crate::identity::{Identity, Link};
use crate::path::below;
use crate::request_info::RequestInfo;
use crate::verdict::{CredentialError, GuestRefusal, Verdict};

/// The paths at which the cookie is a credential.
const PATHS: [&str; 6] = [
    "/graph/v1beta1/me/drive/sharedWithMe",
    "/dav",
    "/remote.php/dav",
    "/webdav",
    "/remote.php/webdav",
    "/ocs/v2.php/apps/notifications/api/v1/notifications/sse",
];
/// The longest value of the cookie, in bytes.
const LONGEST: usize = 4096;

/// The sessions of guests.
pub(super) struct Guests {
    /// The name of the cookie.
    cookie: Arc<str>,
    /// The origin of the edge.
    origin: String,
}

impl Guests {
    /// With the cookie of this name, at the edge with this URL.
    pub(super) fn new(cookie: &str, url: &str) -> Self {
        let origin = Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        Self { cookie: cookie.into(), origin }
    }

    /// The name of the cookie.
    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Whether a request has the cookie, valid or not.
    pub(super) fn are_in(&self, headers: &HeaderMap) -> bool {
        web::cookie::all(headers).any(|(name, value)| name == &*self.cookie && !value.is_empty())
    }

    /// Whether the cookie is a credential at the path of a request.
    pub(super) fn are_at(info: &RequestInfo<'_>) -> bool {
        PATHS.iter().any(|path| below(info.path.decoded(), path).is_some())
    }

    /// The guest. A session that the gateway refuses ends the request: nothing else is tried, and the response deletes the cookie. Where
    /// no verdict was reached, the cookie stays.
    ///
    /// # Errors
    /// The verdict that refuses the request.
    pub(super) async fn identify(
        &self,
        authentication: &Authentication,
        info: &RequestInfo<'_>,
    ) -> Result<Arc<Identity>, Verdict> {
        let value = self.value(info.headers)?;
        if !origin::may_use_cookie(info.method, info.headers, &[&self.origin, &info.origin()]) {
            return Err(Verdict::CrossSite);
        }
        let secret = SecretString::from(value.to_owned());
        match authentication.identify_link(kind::GUEST_LINKS, "", secret, info).await {
            Ok(identity) if identity.claims.user.id.kind == UserType::Guest => {
                Ok(Arc::new(Identity { link: Some(Link::Guest), ..identity }))
            }
            Ok(identity) => {
                tracing::error!(
                    subject = identity.claims.user.id.opaque_id,
                    "the gateway's answer about a guest link is a user that is no guest"
                );
                Err(Verdict::Unavailable)
            }
            Err(LinkError::Refused(explanation)) => Err(self.refusal(explanation.as_ref().and_then(expired_share))),
            Err(LinkError::Undecided(verdict)) => Err(verdict),
        }
    }

    /// The value of the cookie.
    fn value<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Verdict> {
        let values = web::cookie::all(headers).filter(|(name, _)| *name == &*self.cookie).map(|(_, value)| value);
        let values: Vec<&str> = values.take(2).collect();
        match values[..] {
            [] => Err(Verdict::Unauthenticated(CredentialError::Missing)),
            [""] => Err(Verdict::Unauthenticated(CredentialError::Invalid)),
            [value] if value.len() <= LONGEST => Ok(value),
            _ => Err(self.refusal(None)),
        }
    }

    fn refusal(&self, expired: Option<String>) -> Verdict {
        Verdict::GuestSession(GuestRefusal { cookie: Arc::clone(&self.cookie), expired })
    }
}
