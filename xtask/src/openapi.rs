//! `cargo xtask openapi`: the OpenAPI documents of the account API and of auth-app, as their handlers describe them.

use std::fs;
use std::process::Command;

use crate::tools::{self, Outcome, Workspace};

/// The examples that print the documents, and the copies in the documentation.
const DOCUMENTS: [(&str, &str); 2] =
    [("openapi", "docs/openapi/account.json"), ("auth-app-openapi", "docs/openapi/auth-app.json")];

/// Writes the copies. A test of each service fails while its copy is not up to date.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    // with the features of the whole workspace, so that nothing is built twice
    let mut build = workspace.cargo(&["build", "--quiet", "--workspace"]);
    tools::run(build.args(DOCUMENTS.iter().flat_map(|(example, _)| ["--example", example])))?;
    for (example, copy) in DOCUMENTS {
        let program = workspace.target.join("debug/examples").join(example);
        let document = tools::output(&mut Command::new(program))?;
        let path = workspace.root.join(copy);
        fs::write(&path, document).map_err(|error| format!("{}: {error}", path.display()))?;
        tools::say(&format!("wrote {copy}"));
    }
    Ok(())
}
