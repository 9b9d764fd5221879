//! Links from comments and pages to rows of the security requirements, and from the rows to their tests.

use std::collections::BTreeSet;

use super::files::File;

/// The name of the page with the rows.
const PAGE: &str = "security-requirements.md";

/// The links to rows that the page does not have, each in one line.
pub(crate) fn broken(page: &str, files: &[File]) -> Vec<String> {
    let rows: BTreeSet<_> = rows_of(page).collect();
    let broken = |file: &File| {
        let missing = targets(&file.text).into_iter().filter(|target| !rows.contains(target));
        missing
            .map(|target| format!("{} links to {PAGE}#{target}, which does not exist", file.path))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(broken).collect()
}

/// The rows that the page has more than once.
pub(crate) fn repeated(page: &str) -> Vec<&str> {
    let mut rows = BTreeSet::new();
    rows_of(page).filter(|row| !rows.insert(*row)).collect()
}

fn rows_of(page: &str) -> impl Iterator<Item = &str> {
    page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next())
}

/// The tests that the page names as [`name`](../path) and that no file of this path has, each in one line.
pub(crate) fn missing_tests(page: &str, files: &[File]) -> Vec<String> {
    let is_there = |name: &str, path: &str| {
        let declaration = format!("fn {name}(");
        files.iter().any(|file| file.path == path && file.text.contains(&declaration))
    };
    let cited = page.split("[`").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("`](../")?;
        Some((name, rest.split_once(".rs)")?.0))
    });
    let missing = cited.filter(|(name, path)| !is_there(name, &format!("{path}.rs")));
    missing.map(|(name, path)| format!("{PAGE} names the test {name} in {path}.rs, which does not exist")).collect()
}

/// The rows of tables of the page that begin with a number, and name no test as [`name`](../path).
pub(crate) fn rows_without_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter_map(|line| Some((line.strip_prefix("| ")?.split(" |").next()?, line)));
    let numbered = rows.filter(|(number, _)| number.parse::<u32>().is_ok());
    let names_test = |row: &str| row.split("[`").skip(1).any(|rest| rest.contains("`](../") && rest.contains(".rs)"));
    numbered.filter(|(_, row)| !names_test(row)).map(|(number, _)| number).collect()
}

/// The rows that a text links to, by the name of the page or after another one: `docs/security-requirements.md#e1`, `#e2`.
fn targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for link in text.split(&format!("{PAGE}#")).skip(1) {
        let mut rest = Some(link);
        while let Some(link) = rest {
            let end = link.find(|character: char| !character.is_alphanumeric() && character != '-');
            let (target, after) = link.split_at(end.unwrap_or(link.len()));
            targets.push(target);
            rest = after.strip_prefix("`, `#");
        }
    }
    targets
}

#[test]
fn a_link_without_a_row_is_found() {
    let page = "| <a id=\"e1\"></a>E1 | a rule |\n| <a id=\"e2\"></a>E2 | another |\n";
    let text = format!("/// (`docs/{PAGE}#e2`, `#e3`).\n/// See [E9](../docs/{PAGE}#e9) and `docs/{PAGE}`.\n");
    let found = broken(page, &[File { path: "a.rs".to_owned(), text }]);
    let missing = |row| format!("a.rs links to {PAGE}#{row}, which does not exist");
    assert_eq!(found, [missing("e3"), missing("e9")]);
}

#[test]
fn a_row_that_is_there_twice_is_found() {
    let row = |name: &str| format!("| <a id=\"{name}\"></a> | a rule |\n");
    assert_eq!(repeated(&["e1", "e2", "e1"].map(row).concat()), ["e1"]);
}

#[test]
fn a_row_without_a_test_is_found() {
    let page = "| # | there | tests |\n|---|---|---|\n| 1 | a | [`is_kept`](../a.rs) |\n| 2 | `b` | |\n| 3 | [c](c.md) | [`D`](d.rs) |\n";
    assert_eq!(rows_without_tests(page), ["2", "3"]);
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let page = "| [`is_kept`](../shared/a/tests/a.rs)<br>[`is_moved`](../shared/a/tests/a.rs) |\n| [`is_lost`](../shared/b.rs) |\n";
    let text = "#[test]\nfn is_kept() {}\n".to_owned();
    let found = missing_tests(page, &[File { path: "shared/a/tests/a.rs".to_owned(), text }]);
    let missing = |name, path| format!("{PAGE} names the test {name} in {path}, which does not exist");
    assert_eq!(found, [missing("is_moved", "shared/a/tests/a.rs"), missing("is_lost", "shared/b.rs")]);
}
