//! Logout tokens that are forwarded to auth-bearer (`OpenID` Connect Back-Channel Logout 1.0). When it has accepted one, the keys
//! end that access tokens of the session have fetched.

use http::Method;
use oidc::claims::{LEEWAY, identifier, time};
use oidc::jose::UnverifiedJwt;
use oidc::logout_token;

use crate::builtin_routes;
use crate::request_info::RequestInfo;
use crate::routes::Route;
use crate::store::Ended;

/// Whether a request brings auth-bearer a logout token.
pub(crate) fn is_one(info: &RequestInfo<'_>, route: &Route) -> bool {
    route.is_builtin && *info.method == Method::POST && info.path.decoded() == builtin_routes::AUTH_BEARER
}

/// The issuer and what it has ended, by the token in a body that auth-bearer has accepted; `None` without a token.
pub(crate) fn ended(body: &[u8]) -> Option<(String, Ended)> {
    let token = logout_token::of_form(body)?;
    let jwt = UnverifiedJwt::parse(&token).ok()?;
    let claims = jwt.claims();
    let named = |name| identifier(claims, name).ok().flatten();
    let at = time(claims, "iat").ok().flatten()? + LEEWAY;
    let issuer = claims.get("iss")?.as_str()?.to_owned();
    Some((issuer, Ended { subject: named("sub"), sid: named("sid"), at }))
}
