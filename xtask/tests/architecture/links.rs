//! Links from comments and pages to rows of the security requirements.

use std::collections::BTreeSet;

use super::files::File;

/// The name of the page with the rows.
const PAGE: &str = "security-requirements.md";

/// The links to rows that the page does not have, each in one line.
pub(crate) fn broken(page: &str, files: &[File]) -> Vec<String> {
    let rows: BTreeSet<_> = page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let broken = |file: &File| {
        let missing = targets(&file.text).into_iter().filter(|target| !rows.contains(target));
        missing
            .map(|target| format!("{} links to {PAGE}#{target}, which does not exist", file.path))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(broken).collect()
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
