//! The header in which the backend of a route reads the user (`remote_user_header`).

use http::{HeaderMap, HeaderValue, StatusCode};

use crate::headers::remove_spellings;
use crate::identity::{Identity, Link};
use crate::refusal::Refusal;
use crate::routes::Route;

/// Removes what the client sent in the headers in which backends read the user (`docs/security-requirements.md#e45`).
pub(super) fn remove(headers: &mut HeaderMap, route: &Route) {
    route.user_headers.iter().for_each(|name| remove_spellings(headers, name));
}

/// Sets the header to the identifier of the verified user, if there is one who has sent the request.
///
/// # Errors
/// A refusal, if the identifier cannot stand in a header: without one the backend could take the request for another user's.
pub(super) fn set(headers: &mut HeaderMap, route: &Route, identity: Option<&Identity>) -> Result<(), Refusal> {
    // the user of a public link is the owner of what it shares, and not who has sent the request
    let identity = identity.filter(|identity| identity.link != Some(Link::Public));
    let (Some(name), Some(identity)) = (&route.user_header, identity) else { return Ok(()) };
    let id = identity.claims.user.id.opaque_id.as_str();
    let Some(value) = value_of(id) else {
        tracing::error!(subject = id, route = %route.name, header = %name, "refused: the user's identifier is not valid in a header");
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the user's identifier does not fit into a header\n"));
    };
    headers.insert(name, value);
    Ok(())
}

/// An identifier as a header's value. One with blanks at its ends would reach the backend as another identifier, and so may one that is not
/// ASCII: backends disagree on the encoding of headers.
fn value_of(id: &str) -> Option<HeaderValue> {
    let is_whole = !id.is_empty() && id.trim() == id && id.is_ascii();
    is_whole.then(|| HeaderValue::from_str(id).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_that_change_in_a_header_are_refused() {
        for id in ["", " a", "a ", "\ta", "a\nb", "a\r\nx: b", "ü", "a\u{7f}"] {
            assert!(value_of(id).is_none(), "{id:?}");
        }
        assert_eq!(value_of("4c510ada-c86b-4815-8820-42cdf82c3d51").map(|value| value.len()), Some(36));
    }
}
