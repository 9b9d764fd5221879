//! Whether the settings can be used.

use super::{Finding, Installation, Subject};
use crate::cli::Check;

/// Reads the files that the settings name, and repeats the warnings of the settings themselves, which were read before.
pub(super) fn check(installation: &Installation) -> Vec<Finding> {
    let Installation { settings, enabled, .. } = installation;
    let all = Subject::new(Check::Configuration, "settings");
    let warning = |warning: &String| all.warning(warning, "correct or remove it, as the message says");
    let mut findings: Vec<_> = settings.warnings.iter().map(warning).collect();
    match settings.check_files(enabled) {
        Ok(warnings) => {
            findings.extend(warnings.iter().map(warning));
            let names: Vec<_> = enabled.iter().map(crate::services::ServiceId::name).collect();
            findings.push(all.ok(format_args!("those of {} can be used", names.join(", "))));
        }
        Err(problem) => {
            findings.push(all.failed(problem, "correct the file, or the setting that names it"));
        }
    }
    findings
}
