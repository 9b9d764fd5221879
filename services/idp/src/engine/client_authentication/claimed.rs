//! Which client a request says it is from, and by what it would prove that.

use oidc::assertion::{Assertion, AssertionError};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{basic, workload};
use crate::engine::error::OAuthError;
use crate::engine::form::Form;
use crate::engine::proofs::Header;

/// A client as a request names it.
pub(super) struct Claimed<'a> {
    pub(super) id: String,
    pub(super) proof: Proof<'a>,
}

/// By what it would prove that it is that client.
pub(super) enum Proof<'a> {
    Nothing,
    Secret(SecretString),
    Assertion(Assertion<'a>),
    /// A token of an issuer or a trust domain that vouches for the client.
    Workload {
        token: &'a str,
        /// Whether it is sent as a JWT-SVID.
        is_svid: bool,
    },
}

impl<'a> Claimed<'a> {
    /// # Errors
    /// `invalid_request` where two methods are used at once (RFC 6749 2.3) or two clients are named; `invalid_client` where
    /// no client is named.
    pub(super) fn read(authorization: Header<'_>, form: &'a Form) -> Result<Self, OAuthError> {
        let basic = basic::read(authorization)?;
        let (posted, assertion) = (form.get("client_secret"), form.get("client_assertion"));
        // the same secret in both places is one method (ownCloud's desktop program sends both)
        let is_other = |posted: &str| {
            let in_header = basic.as_ref().map(|(_, secret)| secret.expose_secret().as_bytes());
            in_header.is_some_and(|secret| !bool::from(secret.ct_eq(posted.as_bytes())))
        };
        if posted.is_some_and(is_other) || (assertion.is_some() && (basic.is_some() || posted.is_some())) {
            return Err(OAuthError::invalid("a client proves who it is in one way"));
        }
        let named = form.get("client_id");
        let (id, proof) = match (basic, posted, assertion) {
            (Some((id, secret)), ..) => (id, Proof::Secret(secret)),
            (None, Some(secret), _) => (named.ok_or_else(OAuthError::client)?.to_owned(), Proof::Secret(secret.into())),
            (None, None, Some(text)) => by_assertion(form.need("client_assertion_type")?, text, named)?,
            (None, None, None) => {
                // a workload need not repeat a name that its token has
                let of_token = || workload::of_grant(form).and_then(workload::subject);
                let id = named.map(str::to_owned).or_else(of_token);
                (id.ok_or_else(OAuthError::client)?, Proof::Nothing)
            }
        };
        if named.is_some_and(|named| named != id) {
            return Err(OAuthError::invalid("client_id is another client's"));
        }
        Ok(Self { id, proof })
    }
}

/// The client that an assertion names, or that a request names whose assertion is by another issuer than the client itself.
fn by_assertion<'a>(
    assertion_type: &str,
    text: &'a str,
    named: Option<&str>,
) -> Result<(String, Proof<'a>), OAuthError> {
    if assertion_type == workload::JWT_SPIFFE {
        let id = named.map(str::to_owned).or_else(|| workload::subject(text));
        return Ok((id.ok_or_else(OAuthError::client)?, Proof::Workload { token: text, is_svid: true }));
    }
    match Assertion::read(assertion_type, text) {
        Ok(assertion) => Ok((assertion.client_id().to_owned(), Proof::Assertion(assertion))),
        Err(AssertionError::NotTheClient) => {
            let id = named.ok_or_else(OAuthError::client)?.to_owned();
            Ok((id, Proof::Workload { token: text, is_svid: false }))
        }
        Err(_) => Err(OAuthError::client()),
    }
}

#[cfg(test)]
mod tests {
    use oidc::error::ErrorCode;

    use super::*;

    fn read(basic: Option<&str>, form: &str) -> Result<String, ErrorCode> {
        let form = Form::parse(form.as_bytes()).expect("a form");
        let claimed = Claimed::read(basic.map_or(Header::Missing, Header::Once), &form);
        claimed.map(|claimed| claimed.id).map_err(|error| error.code)
    }

    #[test]
    fn same_credentials_in_header_and_form_are_one_method() {
        let basic = Some("Basic YTpi");
        assert_eq!(read(basic, "client_id=a&client_secret=b"), Ok("a".to_owned()));
        assert_eq!(read(basic, "client_secret=b"), Ok("a".to_owned()));
        for other in ["client_id=a&client_secret=c", "client_id=c&client_secret=b", "client_secret=bb"] {
            assert_eq!(read(basic, other), Err(ErrorCode::InvalidRequest), "{other}");
        }
    }

    #[test]
    fn i22_two_methods_at_once_are_refused() {
        let basic = Some("Basic YTpi");
        assert_eq!(read(basic, ""), Ok("a".to_owned()), "client_id may stand in the header alone");
        assert_eq!(read(basic, "client_id=a"), Ok("a".to_owned()));
        assert_eq!(read(basic, "client_id=b"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(basic, "client_secret=b&client_assertion=x"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(basic, "client_assertion=x"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(None, "client_id=a&client_secret=b&client_assertion=x"), Err(ErrorCode::InvalidRequest));
        assert_eq!(read(None, "client_id=a&client_secret="), Ok("a".to_owned()), "an empty secret is none");
        assert_eq!(read(None, ""), Err(ErrorCode::InvalidClient));
        assert_eq!(read(None, "client_secret=b"), Err(ErrorCode::InvalidClient));
        assert_eq!(read(None, "client_assertion_type=x&client_assertion=x"), Err(ErrorCode::InvalidClient));
    }
}
