//! `doorward user invite`.

use authn::BoxError;
use proto::doorward::users::v1::Person;
use runtime::Context;

use super::say;

/// Sends a user a mail with a link to set the first password.
pub(super) async fn invite(person: &Person, idp: &idp::Config, context: &Context) -> Result<(), BoxError> {
    idp::command::invite_user(idp, &person.id, context).await?;
    say(format_args!("{} gets a mail with a link to set the first password", person.username))
}
