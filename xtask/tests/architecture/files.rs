//! The files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of installed packages and built programs.
const FOREIGN: [&str; 2] = ["node_modules", "target"];

/// A file of text.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path, seen from the root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The files below a folder, seen from the root, that have this extension; none if there is no such folder.
pub(crate) fn below(folder: &str, extension: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    collect(&root.join(folder), extension, &mut paths);
    paths.sort();
    let file = |path: &PathBuf| File {
        path: path.strip_prefix(&root).expect("it is below the root").to_string_lossy().into_owned(),
        text: fs::read_to_string(path).expect("a file of text"),
    };
    paths.iter().map(file).collect()
}

fn collect(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) {
    // A crate that consists of tests has no sources.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.expect("an entry of a folder");
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() && !name.to_string_lossy().starts_with('.') && !FOREIGN.iter().any(|foreign| name == *foreign)
        {
            collect(&path, extension, paths);
        } else if kind.is_file() && path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
}
