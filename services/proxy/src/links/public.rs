//! The token of a public link.

use std::borrow::Cow;
use std::sync::Arc;

use authn::kind;
use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use crate::authentication::{Authentication, LinkError};
use crate::identity::{Identity, Link};
use crate::request_info::RequestInfo;
use crate::verdict::{CredentialError, Verdict};

/// The login by which clients send the password of a link (HTTP Basic).
pub(super) const LOGIN: &str = "public";

/// The paths at which the token is a credential. Other services verify the links themselves.
const PATHS: [&str; 3] = ["/archiver", "/app/open", "/app/new"];
/// The header and the parameter with the token.
const TOKEN: &str = "public-token";
/// The longest token, and the longest signature, in bytes.
const LONGEST: usize = 256;
/// How the scope of a link begins. A token with another one would reach more than what the link shares.
const SCOPE: &str = "publicshare:";

/// A public link, and what proves that it may be used.
pub(super) struct PublicLink {
    token: String,
    /// The signature of a link and its end, from the web client.
    signed: Option<(String, String)>,
}

impl PublicLink {
    /// Whether a request names a link where that is a credential.
    pub(super) fn is_one(info: &RequestInfo<'_>) -> bool {
        let has_token = || info.headers.contains_key(TOKEN) || parameter(info, TOKEN) != Ok(None);
        PATHS.contains(&info.path.decoded()) && has_token()
    }

    /// The link.
    fn of(info: &RequestInfo<'_>) -> Result<Self, CredentialError> {
        let token = if info.headers.contains_key(TOKEN) {
            info.header(&HeaderName::from_static(TOKEN)).map(str::to_owned)
        } else {
            parameter(info, TOKEN)?
        };
        let token = token.filter(|token| is_bounded(token)).ok_or(CredentialError::Invalid)?;
        let signed = match (parameter(info, "signature")?, parameter(info, "expiration")?) {
            (Some(signature), Some(expiration)) => {
                // they are parts of the secret, which | separates
                let are_plain = [&signature, &expiration].iter().all(|text| is_bounded(text) && !text.contains('|'));
                Some((signature, expiration)).filter(|_| are_plain)
            }
            _ => None,
        };
        Ok(Self { token, signed })
    }

    /// The secret in the form in which the authenticator of links reads it.
    fn secret(&self, password: Option<&SecretString>) -> SecretString {
        let secret = match (&self.signed, password) {
            (Some((signature, expiration)), None) => format!("signature|{signature}|{expiration}"),
            (_, password) => format!("password|{}", password.map(ExposeSecret::expose_secret).unwrap_or_default()),
        };
        secret.into()
    }
}

/// The user of a public link. The identity is for this request alone: it is not stored.
///
/// # Errors
/// The verdict that refuses the request.
pub(super) async fn identify(
    authentication: &Authentication,
    info: &RequestInfo<'_>,
    password: Option<&SecretString>,
) -> Result<Arc<Identity>, Verdict> {
    let link = PublicLink::of(info).map_err(Verdict::Unauthenticated)?;
    let secret = link.secret(password);
    match authentication.identify_link(kind::PUBLIC_SHARES, &link.token, secret, info).await {
        Ok(identity) if is_of_link(&identity) => Ok(Arc::new(Identity { link: Some(Link::Public), ..identity })),
        Ok(_) => {
            tracing::error!("the gateway's answer about a public link permits more than the link");
            Err(Verdict::Unavailable)
        }
        Err(LinkError::Refused(_)) => Err(Verdict::Unauthenticated(CredentialError::Invalid)),
        Err(LinkError::Undecided(verdict)) => Err(verdict),
    }
}

/// Whether all scopes are those of a link, and there is one.
fn is_of_link(identity: &Identity) -> bool {
    let scopes = &identity.claims.scopes;
    let mut keys = scopes.keys().filter(|key| !authn::Scopes::is_marker(key)).peekable();
    keys.peek().is_some() && keys.all(|key| key.starts_with(SCOPE))
}

fn is_bounded(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
}

/// The value of a parameter of the query; `None` if there is none.
///
/// # Errors
/// [`CredentialError::Invalid`] if it occurs several times: the backend could read another one.
fn parameter(info: &RequestInfo<'_>, name: &str) -> Result<Option<String>, CredentialError> {
    let parsed = form_urlencoded::parse(info.query.unwrap_or_default().as_bytes());
    let mut values = parsed.filter(|(key, _)| key == name).map(|(_, value)| Cow::into_owned(value));
    let first = values.next();
    if values.next().is_some() { Err(CredentialError::Invalid) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::path::{Leniency, Path};

    /// The token and the secret of a request with this password; `None` where a link is no credential.
    fn link(
        target: &str,
        headers: &[&'static str],
        password: Option<&str>,
    ) -> Option<Result<(String, String), CredentialError>> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let value = |value: &&'static str| (HeaderName::from_static(TOKEN), HeaderValue::from_static(value));
        let (headers, method): (HeaderMap, _) = (headers.iter().map(value).collect(), Method::GET);
        let path = Path::parse(path, Leniency::default()).expect("a path");
        let (host, source) = ("cloud.example", None);
        let info = RequestInfo { method: &method, is_https: true, host, path: &path, query, headers: &headers, source };
        let password = password.map(|text| SecretString::from(text.to_owned()));
        PublicLink::is_one(&info).then(|| {
            let link = PublicLink::of(&info)?;
            let secret = link.secret(password.as_ref()).expose_secret().to_owned();
            Ok((link.token, secret))
        })
    }

    #[test]
    fn link_is_read_at_its_paths() {
        let found = |token: &str, secret: &str| Some(Ok((token.to_owned(), secret.to_owned())));
        let signed = "/archiver?public-token=t&signature=s&expiration=2026-12-01T00%3A00%3A00Z";
        for (target, headers, password, expected) in [
            ("/archiver?public-token=t", &[][..], None, found("t", "password|")),
            ("/app/open?public-token=t", &[], Some("a|b"), found("t", "password|a|b")),
            ("/app/new?public-token=t", &["h"], None, found("h", "password|")),
            (signed, &[], None, found("t", "signature|s|2026-12-01T00:00:00Z")),
            (signed, &[], Some("p"), found("t", "password|p")),
            ("/archiver?public-token=t&signature=a|b&expiration=c", &[], None, found("t", "password|")),
            ("/archiver", &[], None, None),
            ("/archiver/?public-token=t", &[], None, None),
            ("/app/list?public-token=t", &[], None, None),
            ("/dav/public-files?public-token=t", &[], None, None),
        ] {
            assert_eq!(link(target, headers, password), expected, "{target}");
        }
    }

    #[test]
    fn repeated_empty_and_long_tokens_are_invalid() {
        let long = format!("/archiver?public-token={}", "a".repeat(257));
        for (target, headers) in [
            ("/archiver?public-token=a&public-token=b", &[][..]),
            ("/archiver?public-token=", &[]),
            (&long, &[]),
            ("/archiver", &["a", "b"]),
            ("/archiver?public-token=a&signature=b&signature=c", &[]),
        ] {
            assert_eq!(link(target, headers, None), Some(Err(CredentialError::Invalid)), "{target}");
        }
    }
}
