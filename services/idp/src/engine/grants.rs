//! The token endpoint (RFC 6749 3.2): one file a grant type.

mod authorization_code;
mod client_credentials;
mod device_code;
mod jwt_bearer;
mod refresh_token;
mod token_exchange;
pub(crate) mod token_request;
pub(crate) mod token_response;

use oidc::error::ErrorCode;

use self::token_request::TokenRequest;
use self::token_response::TokenResponse;
use super::clients::GrantType;
use super::error::OAuthError;

/// Issues tokens by the grant type of the request.
///
/// # Errors
/// Those of RFC 6749 5.2 and of the grant type.
pub(crate) async fn issue(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let named = request.client_request.form.need("grant_type")?;
    let grant_type = GrantType::ALL.into_iter().find(|grant| grant.name() == named);
    // implicit is a grant type of the authorization endpoint
    let grant_type = grant_type.filter(|grant| *grant != GrantType::Implicit);
    let unsupported = || OAuthError::new(ErrorCode::UnsupportedGrantType, "there is no such grant type");
    let grant_type = grant_type.ok_or_else(unsupported)?;
    if !request.client().may(grant_type) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not use this grant type"));
    }
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::redeem(request).await,
        GrantType::RefreshToken => refresh_token::refresh(request).await,
        GrantType::ClientCredentials => client_credentials::issue(request).await,
        GrantType::DeviceCode => device_code::poll(request).await,
        GrantType::TokenExchange => token_exchange::exchange(request).await,
        GrantType::JwtBearer => jwt_bearer::issue(request).await,
        GrantType::Implicit => Err(unsupported()),
    }
}
