//! Logout tokens that are passed on to auth-bearer (`OpenID` Connect Back-Channel Logout 1.0): once it has accepted one, the keys end
//! that were fetched with access tokens of the session.

use axum::body::{Body, Bytes, to_bytes};
use http::{HeaderMap, Method, StatusCode};
use oidc::claims::{LEEWAY, identifier, time};
use oidc::jose::{MAX_JWT, UnverifiedJwt};

use crate::answer::Refusal;
use crate::asked::Asked;
use crate::family;
use crate::routes::Route;
use crate::session::store::Ended;

/// The longest body: an encoded token and its name.
const MAX_BODY: usize = 3 * MAX_JWT + 64;

/// Whether a request is for what receives logout tokens.
pub(crate) fn is_one(asked: &Asked<'_>, route: &Route) -> bool {
    route.of_family && *asked.method == Method::POST && asked.path.decoded() == family::AUTH_BEARER
}

/// Reads the body of such a request, which is passed on whatever it holds.
///
/// # Errors
/// When it is too long, or does not come to its end.
pub(crate) async fn read(body: Body, headers: &HeaderMap) -> Result<Bytes, Refusal> {
    let too_long = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n");
    let length = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > MAX_BODY) {
        return Err(too_long());
    }
    to_bytes(body, MAX_BODY).await.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the body is broken\n"))
}

/// What ends, by the token of a body that auth-bearer has accepted; and the issuer. `None` if it holds none.
pub(crate) fn ended(body: &[u8]) -> Option<(String, Ended)> {
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token").map(|(_, token)| token);
    let token = tokens.next().filter(|_| tokens.next().is_none())?;
    let jwt = UnverifiedJwt::parse(&token).ok()?;
    let said = jwt.claims();
    let named = |name| identifier(said, name).ok().flatten();
    let at = time(said, "iat").ok().flatten()? + LEEWAY;
    let issuer = said.get("iss")?.as_str()?.to_owned();
    Some((issuer, Ended { subject: named("sub"), sid: named("sid"), at }))
}
