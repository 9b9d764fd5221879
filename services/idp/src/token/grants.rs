//! What a client may ask tokens for: one file a grant type.

mod bearer;
mod code;
mod credentials;
mod device;
mod exchange;
mod renew;

use oidc::error::ErrorCode;

use super::answer::Answer;
use super::call::Call;
use crate::answer::Refusal;
use crate::clients::GrantType;

/// Answers a call by its grant type.
///
/// # Errors
/// Those of RFC 6749 5.2 and of the grant type.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Refusal> {
    let named = call.asked.form.need("grant_type")?;
    let grant_type = GrantType::ALL.into_iter().find(|grant| grant.name() == named);
    // implicit is a grant type of the authorization endpoint
    let grant_type = grant_type.filter(|grant| *grant != GrantType::Implicit);
    let unsupported = || Refusal::new(ErrorCode::UnsupportedGrantType, "there is no such grant type");
    let grant_type = grant_type.ok_or_else(unsupported)?;
    if !call.client().may(grant_type) {
        return Err(Refusal::new(ErrorCode::UnauthorizedClient, "this client may not use this grant type"));
    }
    match grant_type {
        GrantType::AuthorizationCode => code::redeem(call).await,
        GrantType::RefreshToken => renew::renew(call).await,
        GrantType::ClientCredentials => credentials::issue(call).await,
        GrantType::DeviceCode => device::poll(call).await,
        GrantType::TokenExchange => exchange::exchange(call).await,
        GrantType::JwtBearer => bearer::issue(call).await,
        GrantType::Implicit => Err(unsupported()),
    }
}
