//! `cargo xtask test`: everything that has to hold, in the order of what it costs.

use std::time::Instant;

use clap::ValueEnum;

use crate::packages;
use crate::steps::Step;
use crate::tools::{self, Outcome, Workspace};

/// Check everything that continuous integration checks.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run this step alone; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave out the tests that need programs other than Rust, and install nothing
    #[arg(long)]
    reduced: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    if arguments.reduced {
        let names = packages::names();
        tools::say(&format!("reduced: left out are the tests that need {names}, and the check of dependencies"));
    }
    let chosen = |step: &Step| arguments.only.is_empty() || arguments.only.contains(step);
    let start = Instant::now();
    for step in Step::value_variants().iter().copied().filter(chosen) {
        tools::say(&format!("\n==> {}: {}", step.name(), step.about()));
        let start = Instant::now();
        step.run(workspace, arguments.reduced).map_err(|failure| format!("{}: {failure}", step.name()))?;
        tools::say(&format!("<== {}: good, {:.1} s", step.name(), start.elapsed().as_secs_f32()));
    }
    tools::say(&format!("\nall good, {:.0} s", start.elapsed().as_secs_f32()));
    Ok(())
}
