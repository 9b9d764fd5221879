//! What came of the checks.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    outcome::Outcome,
    plan::{Plan, Profile},
};

/// One run of one check.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The check's name in the OpenID Foundation's suite.
    pub check: &'static str,
    /// The plan that it ran for.
    pub plan: Plan,
    /// What it found.
    pub outcome: Outcome,
}

/// What came of the checks of some plans.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every run, in the order of the suite.
    pub entries: Vec<Entry>,
}

impl Report {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The runs that found a broken rule.
    pub fn failures(&self) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Failed(_))).collect()
    }

    /// The runs that the provider does not offer what they are about.
    pub fn skipped(&self) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Skipped(_))).collect()
    }

    /// How many runs there were of each outcome: passed, warned, skipped, failed.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for entry in &self.entries {
            let [passed, warned, skipped, failed] = &mut counts;
            let count = match entry.outcome {
                Outcome::Passed => passed,
                Outcome::Warned(_) => warned,
                Outcome::Skipped(_) => skipped,
                Outcome::Failed(_) => failed,
            };
            *count += 1;
        }
        counts
    }

    /// In Markdown: the counts, a table of checks and plans for each profile, and every remark with the runs that made it.
    pub fn table(&self) -> String {
        let [passed, warned, skipped, failed] = self.counts();
        let total = self.entries.len();
        let mut text = format!(
            "{total} runs: {passed} passed, {warned} passed with a warning, {skipped} skipped, {failed} failed.\n"
        );
        for profile in Profile::ALL {
            self.table_of(profile, &mut text);
        }
        self.remarks(&mut text);
        text
    }

    fn table_of(&self, profile: Profile, text: &mut String) {
        let mut plans: Vec<Plan> = Vec::new();
        let mut rows: Vec<(&str, BTreeMap<Plan, &Outcome>)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.plan.profile == profile) {
            if !plans.contains(&entry.plan) {
                plans.push(entry.plan);
            }
            if rows.last().is_none_or(|row| row.0 != entry.check) {
                rows.push((entry.check, BTreeMap::new()));
            }
            if let Some(row) = rows.last_mut() {
                row.1.insert(entry.plan, &entry.outcome);
            }
        }
        if rows.is_empty() {
            return;
        }
        plans.sort_by_key(|plan| (plan.static_client, plan.form_post, plan.response_type));
        let names: Vec<_> = plans.iter().map(Plan::name).collect();
        let line = "|---".repeat(plans.len() + 1);
        push(text, format_args!("\n## {}\n\n| check | {} |\n{line}|\n", profile.as_str(), names.join(" | ")));
        for (check, outcomes) in rows {
            let cells: Vec<_> = plans.iter().map(|plan| outcomes.get(plan).map_or("", |found| found.word())).collect();
            push(text, format_args!("| `{check}` | {} |\n", cells.join(" | ")));
        }
    }

    fn remarks(&self, text: &mut String) {
        let mut found: Vec<(&str, &Outcome, Vec<String>)> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.outcome != Outcome::Passed) {
            let run = format!("{} {}", entry.plan.profile.as_str(), entry.plan.name());
            match found.iter_mut().find(|known| known.0 == entry.check && known.1 == &entry.outcome) {
                Some(known) => known.2.push(run),
                None => found.push((entry.check, &entry.outcome, vec![run])),
            }
        }
        if found.is_empty() {
            return;
        }
        text.push_str("\n## Remarks\n\n| check | runs | outcome |\n|---|---|---|\n");
        for (check, outcome, runs) in found {
            let cell = outcome.to_string().replace('|', "\\|").replace('\n', " ");
            let where_ = if runs.len() > 3 { format!("{} runs", runs.len()) } else { runs.join("; ") };
            push(text, format_args!("| `{check}` | {where_} | {cell} |\n"));
        }
    }
}

/// Writing to a text does not fail.
fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}
