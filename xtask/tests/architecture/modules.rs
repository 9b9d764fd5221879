//! Cycles among the modules of a folder, by the paths in its sources. Comments and tests do not count.

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
fn shortest_cycle<'a>(module: &'a str, imports: &'a Imports) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![module]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        for next in imports.get(last).into_iter().flat_map(BTreeMap::keys) {
            if next == module {
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
    let mut imports: Imports = modules.iter().map(|(module, _)| (module[0].to_owned(), BTreeMap::new())).collect();
    for (module, file) in &modules {
        let code = code_of(&file.text);
        for name in names_from_root(&code, root, module.len()) {
            if name != module[0] && imports.contains_key(name) {
                let imported = imports.entry(module[0].to_owned()).or_default();
                imported.entry(name.to_owned()).or_insert_with(|| file.path.clone());
            }
        }
    }
    imports
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
fn code_of(text: &str) -> String {
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
fn first_names(rest: &str) -> Vec<&str> {
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

fn identifier(text: &str) -> &str {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or_default()
}

/// The cycles of a crate with these files.
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
    let found = cycles_of(&files);
    assert_eq!(
        found,
        [
            "a (made/src/a/mod.rs) -> b (made/src/b/deep.rs) -> c (made/src/c.rs) -> a",
            "d (made/src/d.rs) -> e (made/src/e/deep.rs) -> d"
        ]
    );
}

#[test]
fn cycle_of_modules_below_the_root_is_found() {
    let file = |path: &str, text: &str| File { path: format!("made/src/core/{path}"), text: text.to_owned() };
    let files = [
        file("a.rs", "use super::b::B;\n"),
        file("b.rs", "use crate::core::a::A;\n"),
        file("c.rs", "use crate::a::A;\n"),
    ];
    let found = cycles("made/src/core", "crate::core::", &files);
    assert_eq!(found, ["a (made/src/core/a.rs) -> b (made/src/core/b.rs) -> a"]);
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
