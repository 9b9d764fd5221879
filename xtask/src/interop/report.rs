//! The results of the scenarios, and the page that shows them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::marks;
use crate::tools::{self, Outcome, Workspace};

const MARKS: (&str, &str) = ("<!-- interop:begin -->", "<!-- interop:end -->");
const PAGE: &str = "docs/interoperability.md";

/// Why the scenarios of a program were not run to their end.
pub(super) enum Trouble {
    /// This machine lacks what the program needs.
    Missing(String),
    /// Something failed before a scenario.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(failure: String) -> Self {
        Self::Failed(failure)
    }
}

/// The result of a scenario.
enum Verdict {
    Passed(String),
    Failed(String),
    NotRun(String),
    /// Nothing was run: the result is that of a test of the family.
    Copied(String),
}

struct Line {
    program: String,
    version: String,
    scenario: String,
    verdict: Verdict,
}

/// The results of a run.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<Line>,
}

/// The results of one program.
pub(super) struct Scenarios<'a> {
    report: &'a mut Report,
    program: String,
    version: String,
    /// The folder of the program's logs.
    pub(super) logs: PathBuf,
}

impl Report {
    /// The part for one program, whose logs are in this folder.
    pub(super) fn of(&mut self, program: &str, version: &str, logs: PathBuf) -> Scenarios<'_> {
        tools::say(&format!("\n==> {program} {version}"));
        Scenarios { report: self, program: program.to_owned(), version: version.to_owned(), logs }
    }

    /// Adds a line that says where the result is, of a program that a test of the family runs.
    pub(super) fn copy(&mut self, program: &str, version: &str, scenario: &str, source: &str) {
        let [program, version, scenario, source] = [program, version, scenario, source].map(str::to_owned);
        self.lines.push(Line { program, version, scenario, verdict: Verdict::Copied(source) });
    }

    /// The table.
    fn table(&self) -> String {
        let mut text = "| program | version | scenario | result |\n|---|---|---|---|\n".to_owned();
        for Line { program, version, scenario, verdict } in &self.lines {
            let result = match verdict {
                Verdict::Passed(details) if details.is_empty() => "passed".to_owned(),
                Verdict::Passed(details) => format!("passed: {details}"),
                Verdict::Failed(reason) => format!("**failed**: {reason}"),
                Verdict::NotRun(reason) => format!("not run: {reason}"),
                Verdict::Copied(source) => source.clone(),
            };
            let result = result.lines().next().unwrap_or_default().replace('|', "\\|");
            // writing into a String cannot fail
            let _ = writeln!(text, "| {program} | {version} | {scenario} | {result} |");
        }
        text
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        tools::say(&format!("\n{}", self.table()));
    }

    /// Writes the table into the documentation.
    pub(super) fn write(&self, workspace: &Workspace) -> Outcome {
        let path = workspace.root.join(PAGE);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let page = fs::read_to_string(&path).map_err(failed)?;
        let written = marks::replaced(&page, MARKS, &self.table())
            .ok_or_else(|| format!("{PAGE}: has no lines {} and {} for the table", MARKS.0, MARKS.1))?;
        fs::write(&path, written).map_err(failed)
    }

    /// Fails if a scenario has failed, or none has passed.
    pub(super) fn outcome(&self) -> Outcome {
        let failed = self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Failed(_))).count();
        let passed = self.lines.iter().filter(|line| matches!(line.verdict, Verdict::Passed(_))).count();
        match (failed, passed) {
            (0, 0) => Err("no scenario was run".to_owned()),
            (0, _) => Ok(()),
            (failed, _) => Err(format!("{failed} of {} scenarios have failed", failed + passed)),
        }
    }
}

impl Scenarios<'_> {
    /// Adds the result of a scenario; whether it has passed.
    pub(super) fn add(&mut self, scenario: &str, outcome: Outcome<String>) -> bool {
        let passed = outcome.is_ok();
        self.push(
            scenario,
            match outcome {
                Ok(details) => Verdict::Passed(details),
                Err(reason) => Verdict::Failed(reason),
            },
        );
        passed
    }

    /// Adds a scenario that is not run, and why.
    pub(super) fn skip(&mut self, scenario: &str, reason: &str) {
        self.push(scenario, Verdict::NotRun(reason.to_owned()));
    }

    /// Adds what has kept the scenarios from being run.
    pub(super) fn close(&mut self, ended: Result<(), Trouble>) {
        match ended {
            Ok(()) => {}
            Err(Trouble::Missing(reason)) => self.skip("all", &reason),
            Err(Trouble::Failed(reason)) => self.push("preparation", Verdict::Failed(reason)),
        }
    }

    /// The log of this name.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn push(&mut self, scenario: &str, verdict: Verdict) {
        let said = match &verdict {
            Verdict::Passed(details) => format!("passed: {scenario}: {details}"),
            Verdict::Failed(reason) => format!("FAILED: {scenario}: {reason}; logs: {}", self.logs.display()),
            Verdict::NotRun(reason) => format!("not run: {scenario}: {reason}"),
            Verdict::Copied(source) => format!("{scenario}: {source}"),
        };
        tools::say(&said);
        let (program, version) = (self.program.clone(), self.version.clone());
        self.report.lines.push(Line { program, version, scenario: scenario.to_owned(), verdict });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_shows_each_result_in_one_line() {
        let mut report = Report::default();
        let mut scenarios = report.of("tool", "1.2", "logs".into());
        assert!(scenarios.add("first", Ok("3 a|b".to_owned())));
        assert!(!scenarios.add("second", Err("no\nlines".to_owned())));
        scenarios.close(Err(Trouble::Missing("there is none".to_owned())));
        let table = report.table();
        assert!(table.ends_with(
            "| tool | 1.2 | first | passed: 3 a\\|b |\n| tool | 1.2 | second | **failed**: no |\n\
             | tool | 1.2 | all | not run: there is none |\n"
        ));
        assert_eq!(report.outcome(), Err("1 of 2 scenarios have failed".to_owned()));
    }

    #[test]
    fn run_without_a_scenario_fails() {
        let mut report = Report::default();
        report.copy("proxy", "1.0", "3 requests", "as of a test");
        assert!(report.table().ends_with("\n| proxy | 1.0 | 3 requests | as of a test |\n"));
        report.of("tool", "1.2", "logs".into()).close(Err(Trouble::Missing("there is none".to_owned())));
        assert_eq!(report.outcome(), Err("no scenario was run".to_owned()));
    }
}
