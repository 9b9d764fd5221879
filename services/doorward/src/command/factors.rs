//! `doorward user reset-factors`.

use authn::BoxError;
use proto::doorward::users::v1::Person;
use runtime::{Confirmation, Context};

use super::say;

/// Removes the second factors of a user and ends the sessions. The user signs in with the password alone, or enrols another one, then.
pub(super) async fn reset(
    person: &Person,
    confirmation: Confirmation,
    idp: &idp::Config,
    context: &Context,
) -> Result<(), BoxError> {
    let name = &person.username;
    let question = format!(
        "Remove the second factors of {name} ({}, id {}) and end all sessions?",
        person.display_name, person.id
    );
    if !confirmation.is_given(&question)? {
        return Ok(());
    }
    if idp::command::reset_factors(idp, &person.id, context).await? {
        say(format_args!("{name} has no second factor any more, and is signed out everywhere"))
    } else {
        say(format_args!("{name} had no second factor, and is signed out everywhere"))
    }
}
