//! `cargo xtask package`: what a release consists of.

mod contents;
mod notes;
mod trial;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

use crate::cargo_tools::{AUDITABLE, DEB};
use crate::tools::{self, Outcome, Workspace};
use trial::Files;

/// The crate whose program, version and metadata the packages have.
const CRATE: &str = "doorward";

/// Build the Debian package, a tarball with the same contents, the bill of materials, the release notes and their checksums.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Install, use and remove the package on a machine in a container, which needs root and systemd-nspawn; start there what the
    /// tarball has and what `cargo install` makes
    #[arg(long = "try")]
    is_tried: bool,
    /// The time of the release in seconds since 1970, by default that of the last commit; the same time gives the same files
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    time: Option<u64>,
}

/// A release, and where its files are.
struct Release {
    version: String,
    maintainer: String,
    /// The machines that its program runs on, as Rust names them.
    host: String,
    /// In seconds since 1970.
    time: u64,
    /// The folder of the finished files.
    folder: PathBuf,
    /// The folder of files that packages contain and that are not in the source tree.
    generated: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    let release = Release::of(workspace, arguments.time)?;
    for folder in [&release.folder, &release.generated] {
        // there may be none yet
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let auditable = AUDITABLE.find_or_build(workspace)?;
    let build = ["auditable", "build", "--release", "--locked", "--package", CRATE];
    // the C compiler writes this time where sources ask for that of their compilation
    tools::run(workspace.program(&auditable).args(build).env("SOURCE_DATE_EPOCH", "0"))?;
    contents::generate(workspace, &release)?;
    let package = release.debian_package(workspace)?;
    let tarball = release.tarball(&package)?;
    release.write_notes(workspace)?;
    release.write_checksums()?;
    tools::say(&format!("the release {} is in {}", release.version, release.folder.display()));
    if !arguments.is_tried {
        return Ok(());
    }
    let program = installed(workspace)?;
    trial::run(&Files { package: &package, tarball: &tarball, program: &program })
}

/// Installs the program as the page on installation says, into a folder of its own; where it is.
fn installed(workspace: &Workspace) -> Outcome<PathBuf> {
    let root = workspace.target.join("release/installed");
    // there may be none of an earlier run
    let _ = fs::remove_dir_all(&root);
    let mut command = workspace.cargo(&["install", "--locked", "--path", "services/doorward", "--root"]);
    tools::run(command.arg(&root))?;
    Ok(root.join("bin").join(CRATE))
}

impl Release {
    fn of(workspace: &Workspace, time: Option<u64>) -> Outcome<Self> {
        let mut metadata = MetadataCommand::new();
        let metadata = metadata.manifest_path(workspace.root.join("Cargo.toml")).no_deps().exec();
        let metadata = metadata.map_err(|error| format!("cargo metadata: {error}"))?;
        let found = metadata.packages.iter().find(|package| package.name.as_str() == CRATE);
        let found = found.ok_or_else(|| format!("there is no crate {CRATE}"))?;
        let maintainer = found.metadata.pointer("/deb/maintainer").and_then(|value| value.as_str());
        let compiler = tools::output(workspace.program("rustc".as_ref()).arg("-vV"))?;
        let host = compiler.lines().find_map(|line| line.strip_prefix("host: "));
        let time = match time {
            Some(time) => time,
            None => last_commit(workspace)?,
        };
        Ok(Self {
            version: found.version.to_string(),
            maintainer: maintainer.unwrap_or_default().to_owned(),
            host: host.unwrap_or("unknown").to_owned(),
            time,
            folder: workspace.target.join("distribution"),
            generated: workspace.target.join("release/generated"),
        })
    }

    /// Packs what is built; the path of the package.
    fn debian_package(&self, workspace: &Workspace) -> Outcome<PathBuf> {
        let program = DEB.find_or_build(workspace)?;
        let arguments = ["--no-build", "--no-strip", "--locked", "--package", CRATE, "--output"];
        let mut command = workspace.program(&program);
        command.args(arguments).arg(&self.folder).env("SOURCE_DATE_EPOCH", self.time.to_string());
        tools::run(&mut command)?;
        let packages = files(&self.folder, "deb")?;
        packages.into_iter().next().ok_or_else(|| format!("{}: there is no package", self.folder.display()))
    }

    /// Packs the contents of the Debian package for other machines with systemd; the path of the tarball.
    fn tarball(&self, package: &Path) -> Outcome<PathBuf> {
        let name = format!("{CRATE}-{}-{}", self.version, self.host);
        let root = self.folder.join(&name);
        tools::run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&root))?;
        let time = format!("--mtime=@{}", self.time);
        let same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu", &time];
        let mut tar = Command::new("tar");
        tar.arg("--create").args(same).arg("--use-compress-program=gzip -9n");
        let tarball = self.folder.join(format!("{name}.tar.gz"));
        tar.arg("--file").arg(&tarball);
        tools::run(tar.arg("--directory").arg(&self.folder).arg(&name))?;
        fs::remove_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        Ok(tarball)
    }

    fn write_notes(&self, workspace: &Workspace) -> Outcome {
        let changelog = workspace.root.join("CHANGELOG.md");
        let text = fs::read_to_string(&changelog).map_err(|error| format!("{}: {error}", changelog.display()))?;
        let notes = notes::of(&text, &self.version)
            .ok_or_else(|| format!("{}: there is no section for {}", changelog.display(), self.version))?;
        write(&self.folder.join("release-notes.md"), notes)
    }

    fn write_checksums(&self) -> Outcome {
        let mut names = Vec::new();
        for extension in ["deb", "gz", "json", "md"] {
            names.extend(files(&self.folder, extension)?.iter().filter_map(|file| Some(file.file_name()?.to_owned())));
        }
        names.sort();
        let sums = tools::output(Command::new("sha256sum").args(&names).current_dir(&self.folder))?;
        write(&self.folder.join("SHA256SUMS"), &sums)
    }
}

/// The time of the last commit, in seconds since 1970.
fn last_commit(workspace: &Workspace) -> Outcome<u64> {
    let time = tools::output(workspace.program("git".as_ref()).args(["log", "-1", "--format=%ct"]))?;
    time.trim().parse().map_err(|error| format!("git log: {error}; name the time with --time"))
}

/// The files of a folder with this extension, sorted.
fn files(folder: &Path, extension: &str) -> Outcome<Vec<PathBuf>> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut found: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    Ok(found)
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
