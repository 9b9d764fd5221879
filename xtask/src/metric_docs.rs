//! `cargo xtask metric-docs`: the list of metrics in the documentation, read off the sources that register them.

mod labels;
mod source;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::marks;
use crate::tools::{self, Outcome, Workspace};
use labels::Labels;
use source::Registration;

const MARKS: (&str, &str) = ("<!-- metrics:begin -->", "<!-- metrics:end -->");
const PAGE: &str = "docs/metrics.md";

/// Write the list of all metrics into the documentation, and find labels and values that it leaves out.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if the list is not what it should be
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    if arguments.check {
        return check(workspace);
    }
    let page = Page::read(workspace)?;
    if page.now != page.wanted {
        fs::write(&page.path, page.wanted).map_err(|error| format!("{}: {error}", page.path.display()))?;
        tools::say(&format!("wrote {}", page.path.display()));
    }
    complete(&page.omissions)
}

/// Fails if the list differs from what the sources say. Nothing has to be built.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let page = Page::read(workspace)?;
    if page.now != page.wanted {
        return Err(format!("not up to date: {PAGE}; run: cargo xtask metric-docs"));
    }
    complete(&page.omissions)
}

/// Fails if the table of labels, which is written by hand, is not complete.
fn complete(omissions: &[String]) -> Outcome {
    if omissions.is_empty() {
        return Ok(());
    }
    Err(format!("{PAGE}, section Labels: {}", omissions.join("; ")))
}

struct Page {
    path: PathBuf,
    now: String,
    wanted: String,
    /// What the table of labels leaves out.
    omissions: Vec<String>,
}

impl Page {
    fn read(workspace: &Workspace) -> Outcome<Self> {
        let path = workspace.root.join(PAGE);
        let now = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (metrics, labels) = metrics(&workspace.root)?;
        let list = table(&metrics);
        let omissions = labels::omissions(&now, &labels);
        let wanted = marks::replaced(&now, MARKS, &list)
            .ok_or_else(|| format!("{PAGE}: has no lines {} and {} for the list", MARKS.0, MARKS.1))?;
        Ok(Self { path, now, wanted, omissions })
    }
}

/// A metric, and the crates that register it.
struct Metric {
    registration: Registration,
    crates: Vec<String>,
}

/// The metrics of all crates, by name, and their labels.
fn metrics(root: &Path) -> Outcome<(BTreeMap<String, Metric>, Labels)> {
    let (mut metrics, mut labels) = (BTreeMap::new(), Labels::new());
    for group in ["services", "shared"] {
        for name in names(&root.join(group))? {
            let mut files = Vec::new();
            collect(&root.join(group).join(&name).join("src"), &mut files)?;
            for file in files {
                let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                for registration in source::registrations(&text) {
                    add(&mut metrics, &registration, &name)?;
                }
                labels::add(&mut labels, &text);
            }
        }
    }
    Ok((metrics, labels))
}

fn add(metrics: &mut BTreeMap<String, Metric>, registration: &Registration, crate_name: &str) -> Outcome {
    let name = registration.name.clone();
    let metric = metrics
        .entry(name.clone())
        .or_insert_with(|| Metric { registration: registration.clone(), crates: Vec::new() });
    if metric.registration != *registration {
        return Err(format!("{name} is registered with two types or descriptions"));
    }
    if !metric.crates.iter().any(|known| known == crate_name) {
        metric.crates.push(crate_name.to_owned());
    }
    Ok(())
}

fn table(metrics: &BTreeMap<String, Metric>) -> String {
    let mut text = "| Name | Type | Meaning | Crate |\n|---|---|---|---|\n".to_owned();
    for Metric { registration, crates } in metrics.values() {
        let Registration { name, kind, help } = registration;
        // writing into a String cannot fail
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {} |", help.replace('|', "\\|"), crates.join(", "));
    }
    text
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in entries(folder)? {
        names.push(entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
    }
    Ok(names)
}

/// The sources below a folder that are no tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in entries(folder)? {
        let is_test = entry.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing");
        if entry.is_dir() && !is_test {
            collect(&entry, files)?;
        } else if !is_test && entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect::<Outcome<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
