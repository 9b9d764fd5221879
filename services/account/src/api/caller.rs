//! Who calls the API: the user of the internal token that the edge sets, as on the pages.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::problem::Problem;
use super::request::check_change;
use crate::http::signed_in::SignedIn;
use crate::sign_in::{RECENT, require_recent, require_second_factor};
use crate::state::AccountState;

/// A signed-in user (`docs/security-requirements.md#a50`).
pub(super) struct User(pub(super) SignedIn);

impl FromRequestParts<AccountState> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Problem> {
        let signed_in = SignedIn::of_request(parts, state)?;
        check_change(&parts.method, &parts.headers, &state.config.origin().unwrap_or_default())?;
        Ok(Self(signed_in))
    }
}

/// An administrator, with the second factor if they have one (`docs/security-requirements.md#n50`).
pub(super) struct Administrator(pub(super) SignedIn);

impl FromRequestParts<AccountState> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Problem> {
        let User(signed_in) = User::from_request_parts(parts, state).await?;
        if !signed_in.is_administrator() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "only administrators may do this"));
        }
        require_second_factor(&signed_in.state, &signed_in.on_behalf()).await?;
        Ok(Self(signed_in))
    }
}

impl User {
    /// Requires a recent sign-in, for what the pages require one for.
    pub(super) async fn recent_sign_in(&self) -> Result<(), Problem> {
        recent_sign_in(&self.0).await
    }
}

async fn recent_sign_in(signed_in: &SignedIn) -> Result<(), Problem> {
    Ok(require_recent(&signed_in.state, &signed_in.on_behalf(), RECENT).await?)
}

impl Administrator {
    /// Requires a recent sign-in, for what the pages require one for.
    pub(super) async fn recent_sign_in(&self) -> Result<(), Problem> {
        recent_sign_in(&self.0).await
    }

    /// Whether it is the administrator's own account.
    pub(super) fn is_own(&self, id: &str) -> bool {
        self.0.user.id.opaque_id == id
    }
}
