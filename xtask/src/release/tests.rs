use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{MetadataCommand, Package};

use super::CRATE;
use crate::tools;

/// The highest exposure of the unit that is accepted, in tenths: that of `systemd-analyze security`, from 0 to 100.
const EXPOSURE: &str = "20";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn package() -> Package {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("metadata");
    metadata.packages.into_iter().find(|package| package.name.as_str() == CRATE).expect("the crate is there")
}

/// The source and the destination of every file in the Debian package.
fn assets() -> Vec<(String, String)> {
    let package = package();
    let assets = package.metadata.pointer("/deb/assets").and_then(|value| value.as_array()).expect("assets").clone();
    let lists = assets.iter().map(|asset| asset.as_array().expect("a list"));
    let pairs = lists.map(|list| {
        let text = |at: usize| list[at].as_str().expect("text").to_owned();
        (text(0), text(1))
    });
    pairs.collect()
}

/// Whether the machine has systemd's programs. Without them the test is left out of a reduced run, and fails otherwise.
fn has_systemd() -> bool {
    let is_there = tools::answers("systemd-analyze", &["--version"]);
    #[expect(clippy::disallowed_methods, reason = "the word of the operator that programs are missing")]
    let is_reduced = std::env::var("DOORWARD_TEST_REDUCED").is_ok_and(|value| value == "1");
    assert!(is_there || is_reduced, "install systemd, or set DOORWARD_TEST_REDUCED=1 to do without");
    is_there
}

#[test]
fn files_of_the_package_are_in_the_source_tree() {
    let folder = package().manifest_path.parent().expect("a folder").to_path_buf();
    let mut found = BTreeSet::new();
    for (source, _) in assets().into_iter().filter(|(source, _)| !source.starts_with("target/")) {
        let path = folder.join(&source);
        let (parent, name) = (path.parent().expect("a folder"), path.file_name().expect("a name"));
        let is_there = match name.strip_prefix('*') {
            Some(ending) => {
                parent.read_dir_utf8().expect("is read").flatten().any(|file| file.file_name().ends_with(ending))
            }
            None => path.is_file(),
        };
        assert!(is_there, "{source}");
        found.insert(name.to_owned());
    }
    // the unit itself is found by its name, and what packages do not contain is in no other place
    for entry in fs::read_dir(root().join("deploy/systemd")).expect("the folder is there") {
        let entry = entry.expect("is read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = entry.file_type().expect("a type").is_file();
        assert!(!is_file || name == "doorward.service" || found.contains(&name), "no package has {name}");
    }
}

/// What operators change is in `/etc`, where dpkg takes every file for a setting, and upgrades leave their version alone.
#[test]
fn settings_are_in_etc_and_nothing_else_is() {
    let settings: Vec<_> = assets().into_iter().filter(|(_, destination)| destination.starts_with("etc/")).collect();
    let sources: Vec<_> = settings.iter().map(|(source, _)| source.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(sources, ["doorward.env", "doorward.logrotate"]);
    let listed = package().metadata.pointer("/deb/conf-files").cloned();
    assert!(listed.is_none(), "files outside of /etc: {listed:?}");
}

#[test]
fn maintainer_scripts_are_sound_and_contain_the_steps_for_systemd() {
    for name in ["postinst", "prerm", "postrm"] {
        let path = root().join("deploy/debian").join(name);
        let text = fs::read_to_string(&path).expect(name);
        assert_eq!(text.matches("#DEBHELPER#").count(), 1, "{name}");
        assert!(text.starts_with("#!/bin/sh\nset -e\n"), "{name}");
        tools::run(Command::new("/bin/sh").arg("-n").arg(&path)).expect(name);
    }
    tools::run(Command::new("/bin/sh").arg("-n").arg(root().join("deploy/systemd/doorwardctl"))).expect("doorwardctl");
}

/// With the answers of `systemctl` and `id`, and with files instead of those of an installation.
#[test]
fn doorwardctl_reads_every_file_of_settings_that_the_unit_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let script = |name: &str, lines: &str| {
        fs::write(path(name), format!("#!/bin/sh\n{lines}\n")).expect("writes");
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).expect("sets the mode");
    };
    script(
        "systemctl",
        r#"case $2 in *EnvironmentFiles) printf '%s' "$FILES" ;; *) echo 'A=unit "B=of the unit"' ;; esac"#,
    );
    script("id", r#"[ "$1" = -u ] && echo 7 || echo doorward"#);
    script("doorward", r#"echo "$A|$B|$C|$*""#);
    let text = fs::read_to_string(root().join("deploy/systemd/doorwardctl")).expect("doorwardctl");
    let text = text.replace("/usr/bin/doorward", &path("doorward")).replace("/var/lib/doorward", &path(""));
    script("ctl", &text.replace("/etc/doorward", &path("")));
    fs::write(path("doorward.env"), "# settings\nA=file\nC=\"first\"").expect("writes");
    fs::write(path("20-more settings.env"), "C=$HOME `id`").expect("writes");

    let run = |files: &str| {
        let search = format!("{}:/usr/bin:/bin", path(""));
        let mut command = Command::new(path("ctl"));
        let output = command.arg("health").env_clear().env("PATH", search).env("FILES", files).output().expect("runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let answer = |text: &str| (Some(0), format!("{text}|health\n"));
    assert_eq!(run(""), answer("file|of the unit|first"), "without systemd");
    let (usual, more) = (path("doorward.env"), path("20-*.env"));
    let both = format!("{usual} (ignore_errors=yes)\n{more} (ignore_errors=no)\n");
    assert_eq!(run(&both), answer("file|of the unit|$HOME `id`"));
    let none = path("none.env");
    assert_eq!(run(&format!("{none} (ignore_errors=yes)\n")), answer("unit|of the unit|"));
    assert_eq!(run(&format!("{none} (ignore_errors=no)\n")).0, Some(78));
}

/// The example names settings that exist: the first word of each line is in the table of a service's README.
#[test]
fn settings_of_the_example_exist() {
    let example = fs::read_to_string(root().join("deploy/systemd/doorward.env")).expect("the example");
    let readmes = fs::read_dir(root().join("services")).expect("services").map(|entry| entry.expect("is read").path());
    let readmes: String = readmes.filter_map(|path| fs::read_to_string(path.join("README.md")).ok()).collect();
    let is_name =
        |name: &str| name.chars().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_');
    let lines = example.lines().map(|line| line.trim_start_matches('#'));
    let names: Vec<_> =
        lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name).filter(|name| is_name(name)).collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names.into_iter().map(|name| name.strip_suffix("_FILE").unwrap_or(name)) {
        assert!(readmes.contains(name), "no README has {name}");
    }
}

#[test]
fn units_are_valid() {
    if !has_systemd() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["doorward.service", "doorward-https.socket", "doorward-http.socket"];
    for name in names {
        let text = fs::read_to_string(root().join("deploy/systemd").join(name)).expect(name);
        // the program is not installed here
        fs::write(folder.path().join(name), text.replace("/usr/bin/doorward", "/usr/bin/true")).expect(name);
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(names.map(|name| folder.path().join(name)));
    let output = verify.output().expect("it runs");
    let complaints = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = complaints.lines().filter(|line| line.contains("doorward")).collect();
    assert!(output.status.success() && ours.is_empty(), "{complaints}");
}

/// `docs/security-requirements.md#d12`
#[test]
fn unit_is_little_exposed() {
    if !has_systemd() {
        return;
    }
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--no-pager", "--offline=true", &format!("--threshold={EXPOSURE}")]);
    let output = security.arg(root().join("deploy/systemd/doorward.service")).output().expect("it runs");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("Overall exposure level for doorward.service"), "{table}");
}
