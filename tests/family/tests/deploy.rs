//! What the files under `deploy/` and docker-compose.yml have in common with the services, and that the programs which read these
//! files accept them.

mod compose;
mod documented;
mod helm;
mod images;
mod kubernetes;
mod monitoring;
mod network;
mod pods;
mod programs;
mod routes;
mod schemas;
mod selection;
mod settings;
mod workload_policy;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The services in the source tree, each of which is a binary.
pub(crate) fn services() -> BTreeSet<String> {
    let folders = fs::read_dir(workspace().join("services")).expect("the folder is there");
    let binaries = folders.filter_map(|entry| {
        let folder = entry.expect("it can be read").path();
        folder.join("src/main.rs").exists().then(|| folder.file_name().expect("a name").to_string_lossy().into_owned())
    });
    binaries.collect()
}

/// Those that can run in a process of their own: all but the one that has all of them.
pub(crate) fn single_services() -> BTreeSet<String> {
    services().into_iter().filter(|service| service != "doorward").collect()
}
