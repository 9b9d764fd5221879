//! Images: what is in them, and that the same contents have the same digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deploy::{read, services, workspace};

#[test]
fn image_has_the_binary_of_every_service() {
    let listed: Vec<_> = read("deploy/services").lines().map(str::to_owned).collect();
    let unique: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!((unique.len(), unique), (listed.len(), services()));
    // none has a list of its own
    for file in ["deploy/build-root", "deploy/build-image", "deploy/oci-archive", "deploy/Dockerfile"] {
        let code: Vec<_> = read(file).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        assert!(!code.iter().any(|line| line.contains("auth-machine")), "{file} lists services");
    }
    assert!(read("deploy/build-root").contains("deploy/services"));
}

/// The other values of labels come from a commit, which the folder that is built does not have.
#[test]
fn label_of_the_dockerfile_has_the_version_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let (_, package) = manifest.split_once("[workspace.package]\n").expect("there is one");
    let version =
        package.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version").trim_matches('"');
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.lines().any(|line| line == format!("ARG VERSION={version}")), "{version}");
    for (label, argument) in [("version", "VERSION"), ("revision", "REVISION"), ("created", "CREATED")] {
        let line = format!("org.opencontainers.image.{label}=\"${argument}\"");
        assert!(dockerfile.contains(&line), "{line}");
    }
}

/// A root folder as `deploy/build-root` lays it out, with programs that are texts.
fn root(folder: &Path, programs: &[&str]) {
    for inside in ["usr/bin", "etc/ssl/certs", "etc/doorward", "var/lib/doorward"] {
        fs::create_dir_all(folder.join(inside)).expect("a folder");
    }
    for program in programs {
        let file = folder.join("usr/bin").join(program);
        fs::write(&file, program).expect("a file");
        fs::set_permissions(file, Permissions::from_mode(0o755)).expect("the mode can be set");
    }
    fs::write(folder.join("etc/passwd"), "doorward:x:65532:0::/var/lib/doorward:/sbin/nologin\n").expect("a file");
}

/// Runs `deploy/oci-archive`, and returns the digest that it prints.
fn archive(root: &Path, image: &str, program: &str, programs: &str, file: &Path) -> String {
    let output = Command::new(workspace().join("deploy/oci-archive"))
        .arg(root)
        .args([image, program, programs])
        .arg(file)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("VERSION", "0.2.0")
        .env("REVISION", "0a1b2c")
        .env("ARCHITECTURE", "arm64")
        .output()
        .expect("a shell can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("text");
    let (digest, name) = printed.trim_end().split_once(' ').expect("a digest and a name");
    assert_eq!(name, image);
    digest.to_owned()
}

/// The lines of `tar --list --verbose`.
fn listing(archive: &Path) -> Vec<String> {
    let mut command = Command::new("tar");
    command.args(["--list", "--verbose", "--numeric-owner", "--file"]).arg(archive);
    let output = command.output().expect("tar can be started");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// An archive, unpacked.
struct Image {
    folder: TempDir,
}

impl Image {
    fn unpack(archive: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let status =
            Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("-C").arg(folder.path()).status();
        assert!(status.expect("tar can be started").success());
        Self { folder }
    }

    fn json(&self, file: &str) -> Value {
        let text = fs::read(self.folder.path().join(file)).expect("it is there");
        serde_json::from_slice(&text).expect("JSON")
    }

    fn blob(&self, descriptor: &Value) -> String {
        let digest = descriptor["digest"].as_str().expect("a digest").strip_prefix("sha256:").expect("a SHA-256");
        let file = format!("blobs/sha256/{digest}");
        let size = fs::metadata(self.folder.path().join(&file)).expect("it is there").len();
        assert_eq!(descriptor["size"], size, "{file}");
        file
    }

    /// The manifest, the configuration and the file of the layer.
    fn parts(&self) -> (Value, Value, String) {
        let manifest = self.json(&self.blob(&self.json("index.json")["manifests"][0]));
        let (config, layer) = (self.json(&self.blob(&manifest["config"])), self.blob(&manifest["layers"][0]));
        (manifest, config, layer)
    }
}

/// `docs/security-requirements.md#d9`
#[test]
fn image_of_the_same_contents_has_the_same_digest() {
    let folder = TempDir::new().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    root(&first, &["doorward", "gateway", "users"]);
    // the order, the times and the modes of files are others
    root(&second, &["users", "gateway", "doorward"]);
    fs::set_permissions(second.join("etc/passwd"), Permissions::from_mode(0o600)).expect("the mode can be set");
    let old = fs::File::options().write(true).open(second.join("usr/bin/users")).expect("a file");
    old.set_modified(std::time::UNIX_EPOCH).expect("the time can be set");
    let files = ["one.tar", "two.tar"].map(|name| folder.path().join(name));
    let one = archive(&first, "doorward:test", "doorward", "", &files[0]);
    let two = archive(&second, "doorward:test", "doorward", "", &files[1]);
    assert_eq!(one, two);
    assert_eq!(fs::read(&files[0]).expect("a file"), fs::read(&files[1]).expect("a file"));
    fs::write(second.join("usr/bin/users"), "another").expect("a file");
    assert_ne!(archive(&second, "doorward:test", "doorward", "", &files[1]), one);
}

/// `docs/security-requirements.md#d9`
#[test]
fn neither_folders_of_the_machine_nor_the_time_are_in_programs() {
    let folder = TempDir::new().expect("a folder");
    let [programs, target, recorded] = ["programs", "target", "recorded"].map(|name| folder.path().join(name));
    fs::create_dir(&programs).expect("a folder");
    let cargo = programs.join("cargo");
    fs::write(&cargo, "#!/bin/sh\nenv >\"$RECORDED\"\nexit 1\n").expect("a file");
    fs::set_permissions(&cargo, Permissions::from_mode(0o755)).expect("the mode can be set");
    let status = Command::new(workspace().join("deploy/build-root"))
        .arg(folder.path().join("root"))
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .env("TARGET", "x86_64-unknown-linux-gnu")
        .env("CARGO_HOME", "/home/user/.cargo")
        .env("CARGO_TARGET_DIR", &target)
        .env("RECORDED", &recorded)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .status();
    assert!(!status.expect("a shell can be started").success(), "the build has failed");
    let environment = fs::read_to_string(&recorded).expect("cargo was called");
    assert!(environment.lines().any(|line| line == "SOURCE_DATE_EPOCH=0"), "C sources write the time of compilation");
    let source = workspace().canonicalize().expect("it is there");
    let names = [(source.as_path(), "/source"), (target.as_path(), "/source/target")];
    let names = names.into_iter().chain([(Path::new("/home/user/.cargo"), "/cargo")]);
    let names: Vec<_> = names.map(|(path, name)| format!("{}={name}", path.display())).collect();
    for (variable, option) in
        [("RUSTFLAGS", "--remap-path-prefix="), ("CFLAGS_x86_64_unknown_linux_gnu", "-ffile-prefix-map=")]
    {
        let flags = environment.lines().find_map(|line| line.strip_prefix(&format!("{variable}=")));
        let replaced: Vec<_> =
            flags.expect("it is set").split(' ').filter_map(|flag| flag.strip_prefix(option)).collect();
        // the last one that matches counts: a target folder is often in that of the source
        assert_eq!(replaced, names, "{variable}");
    }
}

/// `docs/security-requirements.md#d3`
#[test]
fn image_runs_as_any_user_and_holds_nothing_else() {
    let folder = TempDir::new().expect("a folder");
    let (laid_out, file) = (folder.path().join("root"), folder.path().join("image.tar"));
    root(&laid_out, &["doorward", "gateway"]);
    archive(&laid_out, "example.org/doorward-gateway:test", "gateway", "gateway", &file);
    let image = Image::unpack(&file);
    let (manifest, config, layer) = image.parts();
    assert_eq!(config["architecture"], "arm64");
    assert_eq!(config["config"]["User"], "65532:0");
    assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/gateway"]));
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.title"], "gateway");
    assert_eq!(labels["org.opencontainers.image.version"], "0.2.0");
    assert_eq!(labels["org.opencontainers.image.revision"], "0a1b2c");
    assert_eq!(labels["org.opencontainers.image.created"], "2023-11-14T22:13:20Z");
    assert_eq!(manifest["annotations"], *labels);
    assert_eq!(image.json("manifest.json")[0]["RepoTags"], json!(["example.org/doorward-gateway:test"]));
    let lines = listing(&image.folder.path().join(layer));
    let entries: BTreeMap<_, _> = lines
        .iter()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            (words[words.len() - 1], (words[0], words[1]))
        })
        .collect();
    assert_eq!(entries["usr/bin/gateway"], ("-rwxr-xr-x", "0/0"));
    // the group root, which any user without a group of its own has
    assert_eq!(entries["var/lib/doorward/"], ("drwxrwx---", "65532/0"));
    assert!(!entries.contains_key("usr/bin/doorward"), "{entries:?}");
    let mut others = entries.iter().filter(|(name, _)| **name != "var/lib/doorward/");
    assert!(others.all(|(_, (_, owner))| *owner == "0/0"), "{entries:?}");
}
