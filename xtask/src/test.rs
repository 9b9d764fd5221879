//! `cargo xtask test`: everything that has to hold, in the order of what it costs.

use std::time::Instant;

use clap::ValueEnum;

use crate::packages;
use crate::steps::{Options, Step};
use crate::tools::{self, Outcome, Workspace};

/// Check everything that continuous integration checks.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run this step alone; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave out the tests that need programs other than Rust, and install nothing
    #[arg(long, conflicts_with = "postgres")]
    reduced: bool,
    /// Run the tests with the stores on a PostgreSQL server, which is started for them, and the steps that depend on it
    #[arg(long)]
    postgres: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    if arguments.reduced {
        let names = packages::names();
        tools::say(&format!("reduced: left out are the tests that need {names}, and the check of dependencies"));
    }
    let options = Options { reduced: arguments.reduced, postgres: arguments.postgres };
    let is_of_all = |step: &Step| arguments.only.is_empty() && (!options.postgres || step.depends_on_database());
    let chosen = |step: &Step| is_of_all(step) || arguments.only.contains(step);
    let start = Instant::now();
    for step in Step::value_variants().iter().copied().filter(chosen) {
        tools::say(&format!("\n==> {}: {}", step.name(), step.about()));
        let start = Instant::now();
        step.run(workspace, options).map_err(|failure| format!("{}: {failure}", step.name()))?;
        tools::say(&format!("<== {}: good, {:.1} s", step.name(), start.elapsed().as_secs_f32()));
    }
    tools::say(&format!("\nall good, {:.0} s", start.elapsed().as_secs_f32()));
    Ok(())
}
