//! Confirmation of commands that cannot be undone.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use crate::print;
use authn::BoxError;

/// The arguments of a command that asks before it acts.
#[derive(Debug, Clone, Copy, Args)]
pub struct Confirmation {
    /// Does not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

impl Confirmation {
    /// Whether the question is answered with yes, in advance or at the terminal. If not, prints that nothing was changed.
    ///
    /// # Errors
    /// When there is no terminal to ask at.
    pub fn is_given(self, question: &str) -> Result<bool, BoxError> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(format!(
                "{question} Nothing was changed: there is no terminal to ask at; repeat the command with --yes"
            )
            .into());
        }
        write!(io::stderr(), "{question} [y/N] ")?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        let is_confirmed = is_yes(&line);
        if !is_confirmed {
            print("nothing was changed\n")?;
        }
        Ok(is_confirmed)
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_yes_confirms() {
        for yes in ["y\n", "Y\r\n", " yes \n", "YES"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "yess\n", "einstein\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
