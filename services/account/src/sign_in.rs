//! How far the sign-in behind a request goes: how long ago it was, and whether the second factor was used. idp's record of the
//! session answers that.

use std::time::UNIX_EPOCH;

use proto::doorward::idp::v1::GetCurrentSessionResponse;
use tonic::Status;

use crate::state::AccountState;
use crate::transport::OnBehalfOf;

/// How long ago the sign-in may be for what is dangerous, in seconds.
pub(crate) const RECENT: i64 = 600;
/// The method that stands for several factors (`amr`, RFC 8176), and their level of authentication (`acr`).
pub(crate) const SEVERAL_FACTORS: &str = "mfa";

/// What a sign-in has to do that the current one has not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// It was too long ago, or is not known.
    pub(crate) recent: bool,
    /// It was without the second factor.
    pub(crate) second_factor: bool,
}

/// Why a sign-in does not suffice.
#[derive(Debug)]
pub(crate) enum Insufficient {
    /// The user has to sign in anew.
    Missing(Missing),
    /// idp does not say how the user has signed in.
    Unknown(Status),
}

/// Requires the second factor of a user who has one (`docs/security-requirements.md#n2`).
///
/// # Errors
/// If it was not used, or idp does not answer.
pub(crate) async fn require_second_factor(state: &AccountState, user: &OnBehalfOf<'_>) -> Result<(), Insufficient> {
    match current_session(state, user).await? {
        Some(session) if lacks_second_factor(&session) => {
            Err(Insufficient::Missing(Missing { recent: false, second_factor: true }))
        }
        Some(_) | None => Ok(()),
    }
}

/// Requires a sign-in of the last ten minutes, with the second factor if the user has one: for what cannot be undone, or gives access
/// (`docs/security-requirements.md#n3`).
///
/// # Errors
/// If it was earlier, or without the second factor, or idp does not answer.
pub(crate) async fn require_recent(state: &AccountState, user: &OnBehalfOf<'_>) -> Result<(), Insufficient> {
    let session = current_session(state, user).await?;
    if session.as_ref().is_some_and(|session| is_recent(state, session) && !lacks_second_factor(session)) {
        return Ok(());
    }
    let second_factor = session.is_some_and(|session| session.second_factor_enrolled);
    Err(Insufficient::Missing(Missing { recent: true, second_factor }))
}

/// The session of the user's credential, as idp knows it; `None` without idp, where nothing is known of sign-ins.
async fn current_session(
    state: &AccountState,
    user: &OnBehalfOf<'_>,
) -> Result<Option<GetCurrentSessionResponse>, Insufficient> {
    let Some(own_account) = &state.own_account else { return Ok(None) };
    own_account.current_session(user).await.map(Some).map_err(Insufficient::Unknown)
}

fn is_recent(state: &AccountState, session: &GetCurrentSessionResponse) -> bool {
    let now = state.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(session.signed_in);
    session.session.is_some() && age < RECENT
}

/// Whether the user has a second factor and has not used it in this session.
fn lacks_second_factor(session: &GetCurrentSessionResponse) -> bool {
    session.second_factor_enrolled
        && (session.session.is_none() || !session.amr.iter().any(|method| method == SEVERAL_FACTORS))
}
