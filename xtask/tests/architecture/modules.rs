//! Cycles among the modules of a folder, by the paths in its sources. Comments and tests do not count. A name that the root of the
//! folder's module re-exports counts as the module that the root has it from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::files::File;

/// The modules that each module imports, with the first file that does.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// The cycles among the modules of a folder, whose path in the crate is `root`, as in `crate::`. Each has its modules in order, and for
/// each module a file that imports the next one.
pub(crate) fn cycles(folder: &str, root: &str, files: &[File]) -> Vec<String> {
    let imports = imports(folder, root, files);
    let mut found = Vec::new();
    let mut reported: BTreeSet<&str> = BTreeSet::new();
    for module in imports.keys().map(String::as_str) {
        if reported.contains(module) {
            continue;
        }
        let Some(cycle) = shortest_cycle(module, &imports) else { continue };
        let next = cycle.iter().cycle().skip(1);
        let edges: Vec<_> =
            cycle.iter().zip(next).map(|(from, to)| format!("{from} ({})", imports[*from][*to])).collect();
        found.push(format!("{} -> {module}", edges.join(" -> ")));
        reported.extend(cycle);
    }
    found
}

/// The modules on the shortest way from a module back to itself.
fn shortest_cycle<'a>(start: &'a str, imports: &'a Imports) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        for next in imports.get(last).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                return Some(way);
            }
            if seen.insert(next) {
                ways.push_back(way.iter().copied().chain([next.as_str()]).collect());
            }
        }
    }
    None
}

fn imports(folder: &str, root: &str, files: &[File]) -> Imports {
    let modules: Vec<_> = files
        .iter()
        .filter_map(|file| Some((module_of(file.path.strip_prefix(folder)?.strip_prefix('/')?)?, file)))
        .collect();
    let of_root: String = files.iter().filter(|file| is_root(folder, file)).map(|file| code_of(&file.text)).collect();
    let re_exports = re_exports(&of_root);
    let mut imports: Imports = modules.iter().map(|(module, _)| (module[0].to_owned(), BTreeMap::new())).collect();
    for (module, file) in &modules {
        let code = code_of(&file.text);
        for name in names_from_root(&code, root, module.len()) {
            let target = if imports.contains_key(name) { name } else { re_exports.get(name).copied().unwrap_or(name) };
            if target != module[0] && imports.contains_key(target) {
                let imported = imports.entry(module[0].to_owned()).or_default();
                imported.entry(target.to_owned()).or_insert_with(|| file.path.clone());
            }
        }
    }
    imports
}

fn is_root(folder: &str, file: &File) -> bool {
    ["/lib.rs", "/main.rs", ".rs"].iter().any(|root| file.path == format!("{folder}{root}"))
}

/// The names in the `use` declarations of a root, each with the module that the declaration begins with.
fn re_exports(root: &str) -> BTreeMap<&str, &str> {
    let mut names = BTreeMap::new();
    for path in used_paths(root).into_iter().filter(|path| !path.starts_with("::")) {
        let path = path.trim_start_matches("self::").trim_start_matches("crate::");
        let mut words = path.split(|sign: char| !is_part_of_name(sign)).filter(|word| !word.is_empty());
        if let Some(module) = words.next() {
            names.extend(words.map(|word| (word, module)));
        }
    }
    names
}

/// The paths of the `use` declarations of a text, without the semicolon.
pub(crate) fn used_paths(text: &str) -> Vec<&str> {
    let is_visibility = |text: &str| matches!(text, "" | "pub") || (text.starts_with("pub(") && text.ends_with(')'));
    let declarations = text.match_indices("use ").filter(|(at, _)| {
        let before = text[..*at].rsplit('\n').next().unwrap_or_default();
        is_visibility(before.trim())
    });
    declarations.filter_map(|(at, keyword)| text[at + keyword.len()..].split(';').next()).collect()
}

/// The path of the module in a file; `None` for the root of a crate and for tests.
fn module_of(path: &str) -> Option<Vec<&str>> {
    let mut module: Vec<_> = path.strip_suffix(".rs")?.split('/').collect();
    if module.last() == Some(&"mod") {
        module.pop();
    }
    let is_root = module.first().is_none_or(|first| matches!(*first, "lib" | "main" | "bin"));
    let is_test = module.iter().any(|name| matches!(*name, "tests" | "testing"));
    (!is_root && !is_test).then_some(module)
}

/// The lines that are neither a comment nor part of an item for tests.
pub(crate) fn code_of(text: &str) -> String {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == "#[cfg(test)]" {
            // rustfmt indents the last line of an item like its attribute.
            let is_last = |other: &str| indentation(other) == indentation(line) && other.ends_with([';', '}', ',']);
            for skipped in lines.by_ref() {
                if is_last(skipped) {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The names that a module so many levels below the root takes from there: after the root's path, and after as many `super::`.
fn names_from_root<'a>(code: &'a str, root: &str, depth: usize) -> Vec<&'a str> {
    let up = "super::".repeat(depth);
    let mut names = Vec::new();
    for root in [root, up.as_str()] {
        for (at, _) in code.match_indices(root) {
            let continues = |before: char| before.is_alphanumeric() || matches!(before, '_' | ':');
            if !code[..at].ends_with(continues) {
                names.extend(first_names(&code[at + root.len()..]));
            }
        }
    }
    names
}

/// The first name of a path, or of each path in braces.
pub(crate) fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let (mut names, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(identifier(group[start..at].trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

pub(crate) fn identifier(text: &str) -> &str {
    text.split(|sign: char| !is_part_of_name(sign)).next().unwrap_or_default()
}

fn is_part_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The cycles of a crate of these files.
fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let file = |(path, text): &(&str, &str)| File { path: format!("made/src/{path}"), text: (*text).to_owned() };
    cycles("made/src", "crate::", &files.iter().map(file).collect::<Vec<_>>())
}

#[test]
fn a_cycle_of_modules_is_found_with_its_files() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        ("a/mod.rs", "use crate::b::B;\n"),
        ("b/deep.rs", "use crate::{\n    c::{C, D},\n    d,\n};\n"),
        ("c.rs", "fn new() -> super::a::A {}\n"),
        ("d.rs", "use crate::e;\n"),
        ("e/deep.rs", "use super::super::d::D;\n"),
    ];
    let found = [
        "a (made/src/a/mod.rs) -> b (made/src/b/deep.rs) -> c (made/src/c.rs) -> a",
        "d (made/src/d.rs) -> e (made/src/e/deep.rs) -> d",
    ];
    assert_eq!(cycles_of(&files), found);
}

#[test]
fn cycle_of_modules_below_the_root_is_found() {
    let file = |path: &str, text: &str| File { path: format!("made/src/{path}"), text: text.to_owned() };
    let files = [
        file("core.rs", "pub use d::D;\n"),
        file("core/a.rs", "use super::b::B;\n"),
        file("core/b.rs", "use crate::core::a::A;\n"),
        file("core/c.rs", "use crate::a::A;\nuse super::D;\n"),
        file("core/d.rs", "use super::c;\n"),
    ];
    let found = [
        "a (made/src/core/a.rs) -> b (made/src/core/b.rs) -> a",
        "c (made/src/core/c.rs) -> d (made/src/core/d.rs) -> c",
    ];
    assert_eq!(cycles("made/src/core", "crate::core::", &files), found);
}

#[test]
fn a_cycle_through_a_re_export_is_found() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n\npub use self::a::{\n    A, deep::Other as Renamed,\n};\npub use ::foreign::b;\n"),
        ("a.rs", "use crate::b::B;\n"),
        ("b.rs", "fn new() -> crate::Renamed {}\n"),
    ];
    let found = "a (made/src/a.rs) -> b (made/src/b.rs) -> a";
    assert_eq!(cycles_of(&files), [found]);
}

#[test]
fn sound_modules_have_no_cycle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n\nuse crate::a::A;\n"),
        ("a.rs", "use crate::b::B;\nuse super::c;\n"),
        ("a/deep.rs", "use super::c;\nuse crate::a::A;\n"),
        ("b.rs", "/// See [`A`](crate::a::A).\nuse crate::c::a;\nuse other_crate::a;\n"),
        ("b/tests.rs", "use crate::a::A;\n"),
        ("bin/tool.rs", "use crate::a::A;\n"),
        (
            "c.rs",
            "#[cfg(test)]\nuse crate::a::A;\n\n#[cfg(test)]\nmod tests {\n    use crate::b::{\n        B,\n    };\n}\n",
        ),
    ];
    assert_eq!(cycles_of(&files), Vec::<String>::new());
}
