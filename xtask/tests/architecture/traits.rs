//! Traits that have a single implementation. Tests do not count: an implementation for tests does not justify a trait.

use std::collections::BTreeMap;

use super::files::File;
use super::modules::{code_of, identifier};

/// Each trait of these files with fewer than two implementations in them that is not accepted, and each accepted one that has two or
/// does not exist, in one line each.
pub(crate) fn violations(files: &[File], accepted: &[(&str, &str)]) -> Vec<String> {
    let mut traits: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let code: Vec<_> =
        files.iter().filter(|file| !is_test(&file.path)).map(|file| (file, code_of(&file.text))).collect();
    for (file, code) in &code {
        for name in declared(code) {
            traits.insert(name.to_owned(), (file.path.clone(), 0));
        }
    }
    for name in code.iter().flat_map(|(_, code)| implemented(code)) {
        if let Some((_, count)) = traits.get_mut(name) {
            *count += 1;
        }
    }
    let is_accepted = |name: &str| accepted.iter().any(|(accepted, _)| *accepted == name);
    let single = traits.iter().filter(|(name, (_, count))| *count < 2 && !is_accepted(name));
    let single = single.map(|(name, (path, count))| format!("{path}: the trait {name} has implementations: {count}"));
    let needs_no_exception = |name: &str| traits.get(name).is_none_or(|(_, count)| *count >= 2);
    let unneeded = accepted.iter().filter(|(name, _)| needs_no_exception(name));
    single.chain(unneeded.map(|(name, _)| format!("the trait {name} needs no exception"))).collect()
}

fn is_test(path: &str) -> bool {
    let mut parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    parts.any(|part| matches!(part, "tests" | "testing" | "benches"))
}

/// The traits that a text declares.
fn declared(code: &str) -> Vec<&str> {
    let is_item = |before: &str| before.split_whitespace().all(|word| word.starts_with("pub") || word == "unsafe");
    let declarations = code.match_indices("trait ").filter(|(at, _)| {
        let before = code[..*at].rsplit('\n').next().unwrap_or_default();
        is_item(before)
    });
    declarations.map(|(at, keyword)| identifier(&code[at + keyword.len()..])).collect()
}

/// The traits that a text implements, by the last names of their paths.
fn implemented(code: &str) -> Vec<&str> {
    let headers = code.match_indices("impl").filter_map(|(at, keyword)| {
        let is_item = code[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
        let header = is_item.then(|| code[at + keyword.len()..].split('{').next())??;
        let (of, _) = without_generics(header)?.split_once(" for ")?;
        of.split('<').next()?.rsplit("::").next()
    });
    headers.map(str::trim).collect()
}

/// The header of an implementation after its own generic parameters; `None` if it is none.
fn without_generics(header: &str) -> Option<&str> {
    if !header.starts_with('<') {
        return header.strip_prefix(' ');
    }
    let mut depth = 0;
    let end = header.char_indices().find_map(|(at, sign)| {
        match sign {
            '<' => depth += 1,
            '>' if !header[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at + 1)
    })?;
    Some(&header[end..])
}

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn a_trait_with_one_implementation_is_found() {
    let files = [
        file("a.rs", "pub(crate) trait One {\n}\n\nimpl One for A {}\n\n#[cfg(test)]\nimpl One for B {}\n"),
        file(
            "b.rs",
            "pub trait Two<T>: Send {}\n\nimpl<F: Fn() -> Vec<u8>> a::Two<F> for A<F> {}\nimpl Two<u8> for B {}\n",
        ),
        file("c/tests.rs", "trait OfTests {}\nimpl One for C {}\n"),
        file(
            "d.rs",
            "/// A trait of no account.\nfn none() -> impl Fn() {}\n\nimpl<'a, T> Iterator for One<'a, T> {}\n",
        ),
    ];
    assert_eq!(violations(&files, &[]), ["a.rs: the trait One has implementations: 1"]);
    assert_eq!(violations(&files, &[("One", "guards a trust boundary")]), Vec::<String>::new());
}

#[test]
fn an_exception_for_a_trait_that_needs_none_is_found() {
    let files = [file("a.rs", "trait Two {}\nimpl Two for A {}\nimpl Two for B {}\n")];
    let wanted = ["Two", "None"].map(|name| format!("the trait {name} needs no exception"));
    assert_eq!(violations(&files, &[("Two", ""), ("None", "")]), wanted);
}
