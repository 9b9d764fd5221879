//! The level of authentication that a request needs, and the name that its client has for it.

use oidc::request::ClaimValue;

use super::request::ValidRequest;
use crate::config::MultiFactor;
use crate::engine::levels::{Level, Unmet, of_client, offered, preferred};
use crate::model::Session;

/// The level that a request needs: that of the client, unless the request asks for a higher one by `acr_values` or by an
/// essential claim `acr`. It cannot lower the client's, since the user could change it (`docs/security-requirements.md#f7`).
///
/// # Errors
/// [`Unmet`] if the client or an essential claim needs a level that is not offered.
pub(crate) fn required(valid: &ValidRequest, settings: &MultiFactor) -> Result<Level, Unmet> {
    let of_client = of_client(&valid.client, settings)?;
    let of_claim = match essential(valid) {
        Some(names) if !names.is_empty() => offered(preferred(names.into_iter(), settings).ok_or(Unmet)?, settings)?,
        _ => Level::Single,
    };
    // voluntary: ignored where it is not offered (OpenID Connect Core 5.5.1.1)
    let voluntary = preferred(valid.request.acr_values.iter().map(String::as_str), settings).unwrap_or_default();
    let voluntary = offered(voluntary, settings).unwrap_or_default();
    Ok(of_client.max(of_claim).max(voluntary))
}

/// The name of a session's level as the client of this request calls it; a session of a higher level than the client asks for
/// has the name of that level.
pub(crate) fn name_for(valid: &ValidRequest, session: &Session, settings: &MultiFactor) -> String {
    let level = Level::of(session);
    let asked = essential(valid).into_iter().flatten();
    let asked = asked.chain(valid.request.acr_values.iter().map(String::as_str));
    let asked = asked.chain(valid.client.acr_values.iter().map(String::as_str));
    let known = asked.filter_map(|name| Level::named(name, settings).map(|level| (level, name)));
    // the first one of the highest level that the session reaches; one factor is not what it has if it has several
    let met = known.filter(|(named, _)| *named == level || (Level::Single < *named && *named < level));
    let best = met.reduce(|best, other| if other.0 > best.0 { other } else { best });
    best.map_or(level.name(), |(_, name)| name).to_owned()
}

/// The values of an essential claim `acr` of the ID token, the preferred one first.
fn essential(valid: &ValidRequest) -> Option<Vec<&str>> {
    let claim = valid.request.claims.id_token.get("acr").filter(|claim| claim.essential)?;
    let values = claim.value.iter().chain(&claim.values);
    Some(
        values
            .filter_map(|value| if let ClaimValue::Text(name) = value { Some(name.as_str()) } else { None })
            .collect(),
    )
}
