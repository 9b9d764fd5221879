//! Who gives or enrols a second factor.

use std::sync::Arc;

use authn::{Groups, User, UserType};
use axum::response::Response;

use super::completion::GivenFactor;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::authorize::flow::Flow;
use crate::engine::authorize::prompt::{self, PromptError};
use crate::engine::factors::Method;
use crate::http::authorization_response::undecided;
use crate::http::issuer::Issuer;
use crate::model::{Session, time_of};

/// Who gives or enrols a factor.
pub(super) struct Candidate {
    pub(super) user: Arc<User>,
    /// The session that is replaced; none after a password.
    pub(super) session: Option<Session>,
}

impl Candidate {
    /// The user has given a factor by this method, and may want the device to be trusted.
    pub(super) fn of_factor(&self, method: Method, trust: bool) -> GivenFactor<'_> {
        GivenFactor { user: &self.user.id.opaque_id, former: self.session.as_ref(), method, trust }
    }
}

/// The user of a flow: who has given the password in this browser, else who is signed in; `None` if that does not count any more.
///
/// # Errors
/// The page for a directory that is unavailable.
pub(super) async fn candidate(
    issuer: &Issuer,
    flow: &Flow,
    session: Option<Session>,
) -> Result<Option<Candidate>, Response> {
    let Issuer { provider, .. } = issuer;
    let Some(password) = &flow.password else {
        let Some(session) = session else { return Ok(None) };
        let user = prompt::user(provider, &session).await.map_err(|error| undecided(issuer, &error))?;
        return Ok(user.map(|user| Candidate { user, session: Some(session) }));
    };
    if !issuer.is_browser(&password.browser) || provider.revocations.ends_sign_in(&password.user, password.at) {
        return Ok(None);
    }
    let is_outdated = |changed| time_of(password.at) < changed;
    let status = accounts::look_up(provider, &password.user, Groups::Include, is_outdated).await;
    match status.map_err(|error| undecided(issuer, &PromptError::Directory(error)))? {
        AccountStatus::Active(user) if user.id.kind != UserType::Service => Ok(Some(Candidate { user, session: None })),
        AccountStatus::Active(_) | AccountStatus::Ineligible(_) => Ok(None),
    }
}
