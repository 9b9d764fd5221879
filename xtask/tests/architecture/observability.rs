//! The dashboard and the alerts: they use metrics that exist, and each alert has a paragraph in the runbook.

use std::collections::BTreeSet;

use super::files::File;

/// How the names of metrics begin.
const PREFIXES: [&str; 3] = ["doorward_", "proxy_", "process_"];
/// The series of a histogram, and its name in the list.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The names in the generated list.
pub(crate) fn listed(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name).filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix))).collect()
}

/// The names of metrics that a file uses and that the list does not have.
pub(crate) fn unknown<'a>(file: &'a File, listed: &BTreeSet<&str>) -> Vec<&'a str> {
    let is_listed = |name: &str| {
        let base = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        listed.contains(name) || listed.contains(base)
    };
    used(&file.text).filter(|name| !is_listed(name)).collect()
}

/// The names of metrics in a text.
pub(crate) fn used(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

/// The anchors of the runbook that alerts name and that it does not have; an alert without one is reported too.
pub(crate) fn missing_paragraphs(rules: &str, runbook: &str) -> Vec<String> {
    let anchors: BTreeSet<String> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let mut missing = Vec::new();
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap_or_default();
        let link = rule.lines().find_map(|line| line.trim().strip_prefix("runbook_url: docs/runbook.md#"));
        if !link.is_some_and(|link| anchors.contains(link)) {
            missing.push(format!("{name}: {}", link.unwrap_or("no runbook_url")));
        }
    }
    missing
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// The names of the fields that a line of the audit log can have.
pub(crate) fn fields_of_audit_events(source: &str) -> Vec<&str> {
    let event = source.split_once("pub struct Event").and_then(|(_, rest)| rest.split_once("\n}"));
    let lines = event.map(|(fields, _)| fields.lines()).into_iter().flatten();
    lines.filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':').map(|(name, _)| name)).collect()
}
