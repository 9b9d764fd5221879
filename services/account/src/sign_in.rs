//! How far the sign-in behind a request goes: how long ago it was, and whether the second factor was used. idp's record of the
//! session answers that.

use std::time::UNIX_EPOCH;

use proto::doorward::idp::v1::GetCurrentSessionResponse;
use tonic::Status;

use crate::state::AccountState;
use crate::transport::OnBehalfOf;

/// How long ago the sign-in may be for what is dangerous, in seconds: when it is done.
pub(crate) const RECENT: i64 = 600;
/// The same when the form for it is shown, so that there is time to fill it in. A sign-in that is asked for is at most as old.
pub(crate) const RECENT_TO_SHOW: i64 = 300;
/// The method that stands for several factors (`amr`, RFC 8176), and their level of authentication (`acr`).
pub(crate) const SEVERAL_FACTORS: &str = "mfa";

/// What a sign-in has to do that the current one has not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// It was too long ago, or is not known.
    pub(crate) recent: bool,
    /// It was without the second factor.
    pub(crate) second_factor: bool,
    /// Why another sign-in may not help.
    pub(crate) obstacle: Option<Obstacle>,
}

/// Why nothing is known of the sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The credential comes from no session of idp, as that of another issuer, or from one that has ended.
    NoSession,
    /// There is no idp.
    NoProvider,
}

fn obstacle(session: &GetCurrentSessionResponse) -> Option<Obstacle> {
    session.session.is_none().then_some(Obstacle::NoSession)
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
            let obstacle = obstacle(&session);
            Err(Insufficient::Missing(Missing { recent: false, second_factor: true, obstacle }))
        }
        Some(_) | None => Ok(()),
    }
}

/// Requires a sign-in of the last `within` seconds, with the second factor if the user has one: for what cannot be undone, or gives
/// access (`docs/security-requirements.md#n3`).
///
/// # Errors
/// If it was earlier, or without the second factor, or idp does not answer.
pub(crate) async fn require_recent(
    state: &AccountState,
    user: &OnBehalfOf<'_>,
    within: i64,
) -> Result<(), Insufficient> {
    let Some(session) = current_session(state, user).await? else {
        let obstacle = Some(Obstacle::NoProvider);
        return Err(Insufficient::Missing(Missing { recent: true, second_factor: false, obstacle }));
    };
    if is_within(state, &session, within) && !lacks_second_factor(&session) {
        return Ok(());
    }
    let (second_factor, obstacle) = (session.second_factor_enrolled, obstacle(&session));
    Err(Insufficient::Missing(Missing { recent: true, second_factor, obstacle }))
}

/// The session of the user's credential, as idp knows it; `None` without idp, where nothing is known of sign-ins.
async fn current_session(
    state: &AccountState,
    user: &OnBehalfOf<'_>,
) -> Result<Option<GetCurrentSessionResponse>, Insufficient> {
    let Some(own_account) = &state.own_account else { return Ok(None) };
    own_account.current_session(user).await.map(Some).map_err(Insufficient::Unknown)
}

fn is_within(state: &AccountState, session: &GetCurrentSessionResponse, seconds: i64) -> bool {
    let now = state.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(session.signed_in);
    session.session.is_some() && age < seconds
}

/// Whether the user has a second factor and has not used it in this session.
fn lacks_second_factor(session: &GetCurrentSessionResponse) -> bool {
    session.second_factor_enrolled
        && (session.session.is_none() || !session.amr.iter().any(|method| method == SEVERAL_FACTORS))
}
