//! Python environments, by which programs are installed.

use std::path::Path;

use crate::tools::{self, Outcome, Workspace};

/// A new Python environment in a folder, with the packages that pip installs for these arguments.
pub(crate) fn environment(workspace: &Workspace, folder: &Path, wanted: &[&str]) -> Outcome {
    tools::run(workspace.program("python3".as_ref()).args(["-m", "venv", "--clear"]).arg(folder))?;
    tools::run(workspace.program(&folder.join("bin/pip")).args(["install", "--quiet"]).args(wanted))
}
