//! `cargo xtask openapi`: the OpenAPI document of the account API, as its handlers describe it.

use std::fs;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};

/// The copy in the documentation.
const COPY: &str = "docs/openapi/account.json";

/// Writes the copy. A test of account fails while it is not up to date.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    // with the features of the whole workspace, so that nothing is built twice
    tools::run(&mut workspace.cargo(&["build", "--quiet", "--workspace", "--example", "openapi"]))?;
    let document = tools::output(&mut Command::new(workspace.target.join("debug/examples/openapi")))?;
    let path = workspace.root.join(COPY);
    fs::write(&path, document).map_err(|error| format!("{}: {error}", path.display()))?;
    tools::say(&format!("wrote {COPY}"));
    Ok(())
}
