//! What source files import.

use crate::files;
use crate::modules::{first_names, used_paths};

/// The lines below a folder of the workspace that import one of these crates or modules, and the `use` declarations that begin with
/// one, each with its file; those of tests left out.
pub(crate) fn imports(folder: &str, of: &[&str]) -> Vec<String> {
    let is_test = |path: &str| path.split('/').any(|part| part == "tests" || part == "tests.rs");
    let sources = files::below(folder, "rs").into_iter().filter(|file| !is_test(&file.path));
    let found = |file: files::File| {
        imports_of(&file.text, of).into_iter().map(|line| format!("{}: {line}", file.path)).collect::<Vec<_>>()
    };
    sources.flat_map(found).collect()
}

fn imports_of(text: &str, of: &[&str]) -> Vec<String> {
    let names_one = |line: &&str| of.iter().any(|name| line.contains(&format!("{name}::")));
    let lines = text.lines().filter(names_one).map(|line| line.trim().to_owned());
    let uses = used_paths(text).into_iter().flat_map(|path| first_names(path.trim_start_matches("::")));
    lines.chain(uses.filter(|name| of.contains(name)).map(|name| format!("use {name}"))).collect()
}

#[test]
fn an_import_is_found_however_it_is_written() {
    for text in [
        "use axum;",
        "use ::axum;",
        "pub(crate) use axum as web;",
        "use {\n    std::fmt,\n    axum,\n};",
        "fn serve() -> axum::Router {}",
        "use std::fmt;\nuse axum::{Json, Router};",
    ] {
        assert!(!imports_of(text, &["axum"]).is_empty(), "{text}");
    }
    assert_eq!(imports_of("use crate::axum;\nuse axum_extra;\n// to use axum\n", &["axum"]), Vec::<String>::new());
}
