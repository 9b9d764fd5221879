//! nginx, Caddy, Traefik, `HAProxy` and Envoy: tests of `cargo xtask test` run them, and the lines here are copied from the page with
//! their results.

use std::fs;

use super::report::Report;
use crate::tools::{Outcome, Workspace};

const PAGE: &str = "docs/doors.md";

/// Adds a line for each proxy of the page.
pub(super) fn copy(workspace: &Workspace, report: &mut Report) -> Outcome {
    let path = workspace.root.join(PAGE);
    let page = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (requests, proxies) = proxies(&page);
    if requests == 0 || proxies.is_empty() {
        return Err(format!("{PAGE}: there is no table of proxies"));
    }
    for (name, version) in proxies {
        // the page has several ways of one proxy: `Envoy, gRPC`
        let (name, way) = name.split_once(", ").unwrap_or((name, ""));
        let way = if way.is_empty() { String::new() } else { format!(" ({way})") };
        let scenario = format!("{requests} requests through the configuration of its page{way}");
        report.copy(name, version, &scenario, "as of the tests whose results are in [Tested proxies](doors.md)");
    }
    Ok(())
}

/// How many requests the page has, and the name and version of each proxy.
fn proxies(page: &str) -> (usize, Vec<(&str, &str)>) {
    let rows: Vec<Vec<&str>> = page.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    let row = |first: &str| rows.iter().find(|row| row.first() == Some(&first)).cloned().unwrap_or_default();
    let (names, versions) = (row(""), row("version"));
    let is_request = |row: &&Vec<&str>| row.first().is_some_and(|first| !["", "version", "---"].contains(first));
    (rows.iter().filter(is_request).count(), names.into_iter().zip(versions).skip(1).collect())
}

/// The cells of a row of a table.
fn cells(row: &str) -> Vec<&str> {
    let inside = row.strip_prefix('|').unwrap_or(row);
    inside.strip_suffix('|').unwrap_or(inside).split('|').map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Proxies\n\n| | nginx | Envoy, gRPC |\n|---|---|---|\n| version | 1.22.1 | 1.40.0 |\n\n## Access\n\n\
                        | | nginx | Envoy, gRPC |\n|---|---|---|\n| a public path | passes | passes |\n| `//admin` | 403 | 400 |\n";

    #[test]
    fn each_column_of_the_page_is_a_proxy() {
        assert_eq!(proxies(TEXT), (2, vec![("nginx", "1.22.1"), ("Envoy, gRPC", "1.40.0")]));
        assert_eq!(proxies("no table"), (0, Vec::new()));
    }
}
