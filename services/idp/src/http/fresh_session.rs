//! The session of a user who has signed in a short time ago, with the second factor if there is one: whoever finds a browser signed in,
//! or has its cookie, changes nothing of how the user signs in (`docs/security-requirements.md#f6`).

use std::sync::Arc;

use authn::User;
use axum::response::Response;
use web::response::see_other;

use super::authorization_response::undecided;
use super::issuer::Issuer;
use crate::engine::authorize::prompt;
use crate::engine::factors::{self, FRESH};
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::model::Session;

/// The session, and its user.
pub(crate) struct FreshSession {
    pub(crate) session: Session,
    /// With the groups.
    pub(crate) user: Arc<User>,
}

/// The session of the browser, for a page at this path.
///
/// # Errors
/// The redirect to a sign-in that returns to the path, or the page for a directory or database that is unavailable.
pub(crate) async fn require(issuer: &Issuer, path: &str) -> Result<FreshSession, Response> {
    let provider = &issuer.provider;
    let sign_in = |level| see_other(&issuer.fresh_sign_in_url(path, level));
    let session = issuer.session().await.map_err(|error| issuer.fault(&error))?;
    let Some(session) = session else { return Err(sign_in(Level::Single)) };
    let user = prompt::user(provider, &session).await.map_err(|error| undecided(issuer, &error))?;
    let Some(user) = user else { return Err(sign_in(Level::Single)) };
    let is_enrolled = factors::is_enrolled(provider, &session.person).await.map_err(|error| issuer.fault(&error))?;
    let level = if is_enrolled { Level::Multi } else { Level::Single };
    if is_fresh(provider, &session) && Level::of(&session) >= level {
        Ok(FreshSession { session, user })
    } else {
        Err(sign_in(level))
    }
}

/// Whether the user of a session has signed in a short time ago.
pub(crate) fn is_fresh(provider: &Provider, session: &Session) -> bool {
    provider.clock.now().duration_since(session.signed_in).unwrap_or_default() < FRESH
}
