use authn::BoxError;

use super::say;
use crate::{selection::Selection, settings::Settings};

/// Runs `doorward health`: asks every service that is to run.
pub(crate) fn run(settings: &Settings, selection: &Selection) -> Result<(), BoxError> {
    let mut unwell = Vec::new();
    for member in selection.members() {
        match runtime::health(&settings.listeners(member).debug.addr) {
            Ok(()) => say(format_args!("{:13}ok", member.name()))?,
            Err(error) => {
                say(format_args!("{:13}{error}", member.name()))?;
                unwell.push(member.name());
            }
        }
    }
    if unwell.is_empty() { Ok(()) } else { Err(format!("not well: {}", unwell.join(", ")).into()) }
}
