use authn::BoxError;

use super::say;
use crate::services::{EnabledServices, Settings};

/// Runs `doorward health`: checks every service that is enabled.
pub(crate) fn run(settings: &Settings, enabled: &EnabledServices) -> Result<(), BoxError> {
    let mut unwell = Vec::new();
    for service in enabled.iter() {
        match runtime::health(&settings.listeners(service).debug.addr) {
            Ok(()) => say(format_args!("{:13}ok", service.name()))?,
            Err(error) => {
                say(format_args!("{:13}{error}", service.name()))?;
                unwell.push(service.name());
            }
        }
    }
    if unwell.is_empty() { Ok(()) } else { Err(format!("not well: {}", unwell.join(", ")).into()) }
}
