//! Second factors of users, for operators.

use authn::BoxError;
use proto::doorward::idp::v1::ResetFactorsRequest;
use runtime::Context;

use super::operator::Operator;
use crate::Config;

/// Removes the second factors, recovery codes and trusted devices of a user, with the service's configuration over these
/// defaults. Returns whether the user had a second factor.
///
/// # Errors
/// When the service does not answer, or refuses.
pub async fn reset_factors(defaults: &Config, user_id: &str, context: &Context) -> Result<bool, BoxError> {
    let mut operator = Operator::connect(defaults, context)?;
    operator.reset_factors(ResetFactorsRequest { user_id: user_id.to_owned() }).await
}
