//! What shells and `man` read: completions, and manual pages.

use std::fs;
use std::path::Path;

use authn::BoxError;
use clap::CommandFactory;
use clap_complete::aot::{self, Shell};
use clap_mangen::Man;

use super::say;
use crate::cli::Cli;

/// Runs `doorward completions`.
pub(crate) fn completions(shell: Shell) -> Result<(), BoxError> {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    aot::generate(shell, &mut command, name, &mut script);
    runtime::print(String::from_utf8(script)?)
}

/// Runs `doorward man`: prints the page of the program, or writes those of all commands into a folder.
pub(crate) fn man(folder: Option<&Path>) -> Result<(), BoxError> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        return runtime::print(String::from_utf8(page)?);
    };
    let failed = |error: std::io::Error| format!("{}: {error}; name a folder that can be written", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    say(format_args!("the manual pages are in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_manual_page() {
        let folder = tempfile::tempdir().expect("a folder");
        clap_mangen::generate_to(Cli::command(), folder.path()).expect("writes");
        for page in ["doorward.1", "doorward-user-import.1", "doorward-client-update.1"] {
            let text = fs::read_to_string(folder.path().join(page)).expect(page);
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }

    #[test]
    fn completions_of_every_shell_know_the_commands() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let mut script = Vec::new();
            aot::generate(shell, &mut Cli::command(), "doorward", &mut script);
            let script = String::from_utf8(script).expect("is text");
            assert!(script.contains("quickstart") && script.contains("import"), "{shell}");
        }
    }
}
