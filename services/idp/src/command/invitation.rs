//! Invitations of users, for operators.

use authn::BoxError;
use proto::doorward::idp::v1::InviteUserRequest;
use runtime::Context;

use super::operator::Operator;
use crate::Config;

/// Sends a user a link to set the first password, with the service's configuration over these defaults.
///
/// # Errors
/// When the service does not answer, or refuses.
pub async fn invite_user(defaults: &Config, user_id: &str, context: &Context) -> Result<(), BoxError> {
    let mut operator = Operator::connect(defaults, context)?;
    operator.invite_user(InviteUserRequest { user_id: user_id.to_owned() }).await
}
