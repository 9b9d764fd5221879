//! What source files import.

use crate::files;

/// The lines below a folder of the workspace that import one of these crates or modules, each with its file; those of tests left
/// out.
pub(crate) fn imports(folder: &str, of: &[&str]) -> Vec<String> {
    let names_one = |line: &&str| of.iter().any(|name| line.contains(&format!("{name}::")));
    let is_test = |path: &str| path.split('/').any(|part| part == "tests" || part == "tests.rs");
    let sources = files::below(folder, "rs").into_iter().filter(|file| !is_test(&file.path));
    let lines = |file: files::File| {
        let found: Vec<_> =
            file.text.lines().filter(names_one).map(|line| format!("{}: {}", file.path, line.trim())).collect();
        found
    };
    sources.flat_map(lines).collect()
}
