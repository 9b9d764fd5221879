//! `cargo xtask env-docs`: the tables of environment variables in the services' READMEs, as the services tell them.

use std::fs;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};

const BEGIN: &str = "<!-- env:begin -->";
const END: &str = "<!-- env:end -->";

/// The family in one process has no settings of its own: it reads those of the services in it.
const WITHOUT_TABLE: &str = "doorward";

/// Write each service's environment table into its README.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if a table is not what it should be
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    tools::run(&mut workspace.cargo(&["build", "--workspace", "--bins"]))?;
    if arguments.check { check(workspace) } else { write(workspace) }
}

/// Fails if a README's table differs from what its service says. The binaries have to be built.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let mut stale = Vec::new();
    for readme in readmes(workspace)? {
        if readme.now != readme.wanted {
            stale.push(readme.path.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("not up to date: {}; run: cargo xtask env-docs", stale.join(", ")))
}

fn write(workspace: &Workspace) -> Outcome {
    for readme in readmes(workspace)? {
        if readme.now != readme.wanted {
            fs::write(&readme.path, readme.wanted).map_err(|error| format!("{}: {error}", readme.path.display()))?;
            tools::say(&format!("wrote {}", readme.path.display()));
        }
    }
    Ok(())
}

struct Readme {
    path: std::path::PathBuf,
    now: String,
    wanted: String,
}

fn readmes(workspace: &Workspace) -> Outcome<Vec<Readme>> {
    let with_table = workspace.services.iter().filter(|name| *name != WITHOUT_TABLE);
    with_table.map(|service| readme(workspace, service)).collect()
}

fn readme(workspace: &Workspace, service: &str) -> Outcome<Readme> {
    let path = workspace.root.join("services").join(service).join("README.md");
    let now = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    // Without the caller's environment, so that no default is that of the caller's home.
    let table = tools::output(Command::new(workspace.binary(service)).args(["config", "docs"]).env_clear())?;
    let wanted = with_table(&now, &table)
        .ok_or_else(|| format!("{}: has no lines {BEGIN} and {END} for the table", path.display()))?;
    Ok(Readme { path, now, wanted })
}

/// The text with what stands between the two marks replaced; nothing where a mark is missing.
fn with_table(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_what_is_between_the_marks() {
        let text = format!("# a\n\n{BEGIN}\nold\n{END}\n\nafter\n");
        let written = with_table(&text, "new\n").unwrap();
        assert_eq!(written, format!("# a\n\n{BEGIN}\nnew\n{END}\n\nafter\n"));
        assert_eq!(with_table(&written, "new\n").unwrap(), written, "writing twice changes nothing");
    }

    #[test]
    fn a_text_without_both_marks_is_refused() {
        for text in ["", BEGIN, END, &format!("{END} {BEGIN}")] {
            assert_eq!(with_table(text, "new"), None, "{text}");
        }
    }
}
