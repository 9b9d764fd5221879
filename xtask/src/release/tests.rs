use std::collections::BTreeSet;
use std::fs;
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
