//! What packages contain and the source tree does not: manual pages, completions, a changelog in Debian's form, the bill of
//! materials.

use std::fs;
use std::process::Command;

use super::{CRATE, Release, files, write};
use crate::cargo_tools::CYCLONEDX;
use crate::tools::{self, Outcome, Workspace};

/// The shells with completions.
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// Makes all of it from the built program.
pub(super) fn generate(workspace: &Workspace, release: &Release) -> Outcome {
    let program = workspace.target.join("release").join(CRATE);
    let completions = release.generated.join("completions");
    fs::create_dir(&completions).map_err(|error| format!("{}: {error}", completions.display()))?;
    for shell in SHELLS {
        let script = tools::output(Command::new(&program).args(["completions", shell]))?;
        write(&completions.join(format!("{CRATE}.{shell}")), &script)?;
    }
    let manual = release.generated.join("man");
    tools::run(Command::new(&program).args(["man", "--folder"]).arg(&manual))?;
    tools::run(gzip().args(files(&manual, "1")?))?;
    changelog(release)?;
    bill_of_materials(workspace, release)
}

/// Compresses files without their names and times.
fn gzip() -> Command {
    let mut command = Command::new("gzip");
    command.arg("-9n");
    command
}

/// The changelog that Debian requires; it refers to ours.
fn changelog(release: &Release) -> Outcome {
    let time = format!("--date=@{}", release.time);
    let date = tools::output(Command::new("date").args(["--utc", "--rfc-email", &time]).env("LC_ALL", "C"))?;
    let text = format!(
        "{CRATE} ({}-1) unstable; urgency=medium\n\n  * The changes are in changelog.gz in this folder.\n\n -- {}  {}\n",
        release.version,
        release.maintainer,
        date.trim()
    );
    let path = release.generated.join("changelog.Debian");
    write(&path, &text)?;
    tools::run(gzip().arg(&path))
}

/// The crates that the program is built from, as `CycloneDX`. The tool writes into the source tree and names its path, so it gets a
/// copy of the last commit, and the path of the copy is removed.
fn bill_of_materials(workspace: &Workspace, release: &Release) -> Outcome {
    let (source, archive) = (release.folder.join("source"), release.folder.join("source.tar"));
    fs::create_dir(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    tools::run(workspace.program("git".as_ref()).args(["archive", "--output"]).arg(&archive).arg("HEAD"))?;
    tools::run(Command::new("tar").arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(&source))?;
    let mut command = workspace.program(&CYCLONEDX.find_or_build(workspace)?);
    let described = source.join("services").join(CRATE);
    command.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--no-build-deps"]);
    command.arg("--manifest-path").arg(described.join("Cargo.toml"));
    tools::run(command.current_dir(&source).env("SOURCE_DATE_EPOCH", release.time.to_string()))?;
    let name = format!("{CRATE}.cdx.json");
    let written = described.join(&name);
    let text = fs::read_to_string(&written).map_err(|error| format!("{}: {error}", written.display()))?;
    let text = text.replace(&source.display().to_string(), &format!("/{CRATE}"));
    write(&release.generated.join(&name), &text)?;
    write(&release.folder.join(format!("{CRATE}-{}.cdx.json", release.version)), &text)?;
    fs::remove_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    fs::remove_file(&archive).map_err(|error| format!("{}: {error}", archive.display()))
}
