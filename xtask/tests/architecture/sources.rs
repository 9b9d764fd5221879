//! What source files import.

use std::fs;
use std::path::{Path, PathBuf};

/// The lines below a folder of the workspace that import one of these crates or modules, each with its file; those of tests left
/// out.
pub(crate) fn imports(folder: &str, of: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)) {
        let text = fs::read_to_string(&file).expect("a source file");
        let names_one = |line: &&str| of.iter().any(|name| line.contains(&format!("{name}::")));
        found.extend(text.lines().filter(names_one).map(|line| format!("{}: {}", file.display(), line.trim())));
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let all = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs") && !is_test(path)).collect()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}
