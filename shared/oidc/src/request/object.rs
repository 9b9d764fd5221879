use super::UnverifiedJwt;
use super::parameters::Parameters;
use super::refusal::{Defect, Reply, RequestError};

/// The longest request object that is passed by value, in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// The longest `request_uri`, in bytes (OpenID Connect Core 6.2).
const MAX_REFERENCE: usize = 512;

/// A request in a JWT (OpenID Connect Core 6, RFC 9101).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestObject {
    /// `request`: the JWT itself.
    Value(UnverifiedJwt),
    /// `request_uri`: where it is, or what was pushed (RFC 9126).
    Reference(String),
}

impl RequestObject {
    /// Reads `request` and `request_uri`; `None` if there is neither.
    ///
    /// # Errors
    /// [`RequestError`], also if there are both.
    pub fn read(parameters: &[(String, String)]) -> Result<Option<Self>, RequestError> {
        let parameters = Parameters::of(parameters)?;
        Self::of(&parameters).map_err(|defect| defect.answered(Reply::of(&parameters)))
    }

    pub(super) fn of(parameters: &Parameters<'_>) -> Result<Option<Self>, Defect> {
        match (parameters.text("request", MAX_VALUE)?, parameters.text("request_uri", MAX_REFERENCE)?) {
            (Some(_), Some(_)) => Err(Defect::invalid("request and request_uri exclude each other")),
            (Some(value), None) => Ok(Some(Self::Value(UnverifiedJwt::new(value)))),
            (None, Some(reference)) => Ok(Some(Self::Reference(reference))),
            (None, None) => Ok(None),
        }
    }
}
