//! Programs in Go, built from their modules into a folder outside the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::{Processes, write};
use super::report::Trouble;
use crate::tools::{self, Outcome};

/// A program, and how it is built.
pub(super) struct GoProgram {
    /// The name of the binary.
    pub(super) name: &'static str,
    /// The module whose version counts, and the version.
    pub(super) module: (&'static str, &'static str),
    /// Further modules that the source imports.
    pub(super) more: &'static [(&'static str, &'static str)],
    /// The modules that the module has in its own tree, and their version; they are read off its go.mod.
    pub(super) staging: Option<&'static str>,
    /// What is built, seen from the folder with go.mod.
    pub(super) package: &'static str,
    /// Files of Go source that are written there first.
    pub(super) sources: &'static [(&'static str, &'static str)],
    /// Values of variables that a release of the program has.
    pub(super) variables: &'static [(&'static str, &'static str)],
}

impl GoProgram {
    /// A command of a module.
    pub(super) const fn new(name: &'static str, module: (&'static str, &'static str), package: &'static str) -> Self {
        Self { name, module, more: &[], staging: None, package, sources: &[], variables: &[] }
    }

    /// Its binary, if it was built of the same sources.
    pub(super) fn find(&self, folder: &Path) -> Option<PathBuf> {
        let own = self.own(folder);
        let is_same = fs::read_to_string(own.join("recipe")).is_ok_and(|built| built == self.recipe());
        Some(own.join(self.name)).filter(|binary| is_same && binary.is_file())
    }

    fn own(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}", self.name, self.module.1))
    }

    /// Builds it; where its binary is.
    pub(super) fn build(&self, processes: &Processes, folder: &Path) -> Result<PathBuf, Trouble> {
        let own = self.own(folder);
        needs_go()?;
        fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        tools::say(&format!("building {} {} in {}", self.name, self.module.1, own.display()));
        let log = own.join("build.log");
        let missing = |reason: String| Trouble::Missing(format!("it cannot be built: {reason}"));
        write(&own.join("go.mod"), &self.go_mod(&own).map_err(missing)?)?;
        for (name, text) in self.sources {
            write(&own.join(name), text)?;
        }
        // the other users of the machine come first
        let mut command = Command::new("nice");
        command.args(["-n", "19", "go", "build", "-mod=mod", "-p", "2", "-trimpath", "-ldflags", &self.linker_flags()]);
        command.args(["-o", self.name, self.package]).current_dir(&own).env("GOWORK", "off");
        processes
            .run(&mut command, &log)
            .map_err(|failure| Trouble::Failed(format!("it cannot be built: {failure}")))?;
        write(&own.join("recipe"), &self.recipe())?;
        Ok(own.join(self.name))
    }

    fn go_mod(&self, folder: &Path) -> Outcome<String> {
        let required = std::iter::once(&self.module).chain(self.more);
        let mut lines: Vec<_> = required.map(|(module, version)| format!("require {module} {version}\n")).collect();
        if let Some(version) = self.staging {
            let own = fs::read_to_string(download(folder, self.module)?.join("go.mod"));
            let own = own.map_err(|error| format!("{}: {error}", self.module.0))?;
            lines.extend(staged(&own).iter().map(|module| format!("replace {module} => {module} {version}\n")));
        }
        Ok(format!("module interop\n\ngo 1.26\n\n{}", lines.concat()))
    }

    fn linker_flags(&self) -> String {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| format!(" -X {name}={value}")).collect();
        format!("-s -w{}", variables.concat())
    }

    /// What the binary depends on.
    fn recipe(&self) -> String {
        let sources: Vec<_> = self.sources.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
        let Self { module, more, staging, package, .. } = self;
        format!("{module:?} {more:?} {staging:?} {package} {}\n{}", self.linker_flags(), sources.concat())
    }
}

/// The version of Go that the modules need.
const GO: [u32; 3] = [1, 26, 7];

fn needs_go() -> Result<(), Trouble> {
    let said = tools::output(Command::new("go").args(["env", "GOVERSION", "GOTOOLCHAIN"]));
    let said = said.map_err(|_| Trouble::Missing("there is no Go".to_owned()))?;
    let (version, toolchain) = said.trim().split_once('\n').unwrap_or((said.as_str(), ""));
    is_usable(version, toolchain).map_err(Trouble::Missing)
}

/// Whether this version of Go is enough, or fetches another that is.
fn is_usable(version: &str, toolchain: &str) -> Outcome {
    let number = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok();
    let numbers: Vec<u32> = version.trim_start_matches("go").split('.').map_while(number).collect();
    if numbers.as_slice() >= GO.as_slice() || toolchain.ends_with("auto") || toolchain.ends_with("path") {
        return Ok(());
    }
    let [major, minor, patch] = GO;
    Err(format!("it needs Go {major}.{minor}.{patch}; here is {version}, with GOTOOLCHAIN={toolchain}"))
}

/// The folder with the files of a module; `folder` has a `go.mod`, or is outside of any module.
pub(super) fn download(folder: &Path, (module, version): (&str, &str)) -> Outcome<PathBuf> {
    let wanted = format!("{module}@{version}");
    let command = &mut Command::new("go");
    let said = tools::output(command.args(["mod", "download", "-json", &wanted]).current_dir(folder))?;
    // one member a line, as `go` writes it
    let folder = said.lines().find_map(|line| line.trim().strip_prefix(r#""Dir": ""#)?.strip_suffix(r#"","#));
    folder.map(PathBuf::from).ok_or_else(|| format!("{wanted}: go names no folder"))
}

/// The modules that a go.mod replaces by folders of its own tree.
fn staged(go_mod: &str) -> Vec<&str> {
    let replacements = go_mod.lines().filter_map(|line| line.split_once(" => "));
    let own = replacements.filter(|(_, target)| target.starts_with("./"));
    own.map(|(module, _)| module.trim().trim_start_matches("replace ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_the_own_tree_are_replaced() {
        let go_mod = "module a\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tb.org/c => d.org/e v1.2.3\n)\n\
                      replace k8s.io/cri => ./staging/src/k8s.io/cri\n";
        assert_eq!(staged(go_mod), ["k8s.io/api", "k8s.io/cri"]);
    }

    #[test]
    fn older_go_is_refused_unless_it_fetches_another() {
        for version in ["go1.26.7", "go1.26.12", "go1.27rc1", "go2.0"] {
            assert_eq!(is_usable(version, "local"), Ok(()), "{version}");
        }
        for version in ["go1.26", "go1.26.6", "go1.25.9", ""] {
            assert!(is_usable(version, "local").is_err_and(|reason| reason.contains("1.26.7")), "{version}");
            assert_eq!(is_usable(version, "go1.26.1+auto"), Ok(()), "{version}");
        }
    }

    #[test]
    fn another_source_is_another_recipe() {
        let program = GoProgram::new("tool", ("example.org/tool", "v1.0.0"), "example.org/tool");
        let other = GoProgram { sources: &[("main.go", "package main")], ..program };
        let program = GoProgram::new("tool", ("example.org/tool", "v1.0.0"), "example.org/tool");
        assert_ne!(program.recipe(), other.recipe());
        assert_eq!(
            program.go_mod(Path::new("/")).unwrap(),
            "module interop\n\ngo 1.26\n\nrequire example.org/tool v1.0.0\n"
        );
    }
}
