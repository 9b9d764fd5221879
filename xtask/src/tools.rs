//! What every command needs: where things are, a way to run programs, a way to speak.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::MetadataCommand;

/// A command's result; the error is what the person at the terminal reads.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The workspace that this program was built from.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The services, sorted: the crates in `services/`, which all have a binary of the same name.
    pub(crate) services: Vec<String>,
}

impl Workspace {
    /// Asks cargo, so that a target folder that is set elsewhere is found too.
    pub(crate) fn find() -> Outcome<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
            .no_deps()
            .exec()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        let folder = metadata.workspace_root.join("services");
        let members = metadata.packages.iter().filter(|package| package.manifest_path.starts_with(&folder));
        let mut services: Vec<String> = members.map(|package| package.name.to_string()).collect();
        services.sort();
        Ok(Self { root: metadata.workspace_root.into(), target: metadata.target_directory.into(), services })
    }

    /// A call of cargo in the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(Path::new("cargo"));
        command.args(arguments);
        command
    }

    /// A call of another program in the workspace. It and what it starts find our own programs before the machine's.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let own = self.own_programs();
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        if own.exists() {
            #[expect(clippy::disallowed_methods, reason = "a search path is passed on with one folder before it")]
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(own).chain(std::env::split_paths(&path));
            // a folder that a search path cannot name is not searched
            command.envs(std::env::join_paths(folders).map(|path| ("PATH", path)));
        }
        command
    }

    /// Where programs are installed that the machine does not have, or not new enough.
    pub(crate) fn own_programs(&self) -> PathBuf {
        self.target.join("node/programs")
    }

    /// A binary of the workspace as `cargo build` left it.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }
}

/// Runs a program to its end, with its output on the terminal and nothing to read from it.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// Runs a program to its end and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{} ended with {}: {complaint}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{}: {error}", shown(command)))
}

/// Whether a program can be started and answers with success; what it writes is not shown.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let silent = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Writes one line to the terminal. A failure is ignored: there is no other place to report it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
