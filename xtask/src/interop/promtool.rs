//! promtool of Prometheus: the rules, the configuration, and the metrics of each service.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::Session;
use super::family::{Family, PASSWORD, USER};
use super::go_program::GoProgram;
use super::processes::{self, write};
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

pub(super) const PROGRAM: GoProgram = GoProgram::new(
    "promtool",
    ("github.com/prometheus/prometheus", "v0.316.0"),
    "github.com/prometheus/prometheus/cmd/promtool",
);

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let promtool = session.build(&PROGRAM)?;
    let folder = session.workspace.root.join("deploy/observability");
    scenarios.add("`check rules` of `deploy/observability/rules.yaml`", rules(session, &promtool, &folder));
    scenarios.add("`check config` of `deploy/observability/prometheus.yaml`", configuration(&promtool, &folder));
    let family = Family::start(session, "promtool-family", scenarios)?;
    // so that there is something to count
    family.request("/auth-app/tokens", &["--user", &format!("{USER}:{PASSWORD}")])?;
    let token = family.app_token()?;
    family.request("/auth-app/tokens", &["--user", &format!("{USER}:{token}")])?;
    let folder = scenarios.logs.clone();
    scenarios.add("`check metrics` of each service", metrics(&promtool, &family, &folder));
    Ok(())
}

fn rules(session: &Session<'_>, promtool: &Path, folder: &Path) -> Outcome<String> {
    let file = folder.join("rules.yaml");
    let check = |file: &Path| {
        tools::output(Command::new(promtool).args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(file))
    };
    let said = check(&file)?;
    let count = said.lines().find_map(|line| line.trim().strip_prefix("SUCCESS: "));
    let count = count.filter(|count| !count.starts_with("0 ")).ok_or_else(|| format!("it says: {said}"))?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let broken = session.processes.scratch.join("broken-rules.yaml");
    write(&broken, &text.replacen("expr: ", "expr: sum by ", 1))?;
    if check(&broken).is_ok() {
        return Err("a rule with a broken expression is accepted".to_owned());
    }
    Ok(count.to_owned())
}

fn configuration(promtool: &Path, folder: &Path) -> Outcome<String> {
    let file = folder.join("prometheus.yaml");
    tools::output(Command::new(promtool).args(["check", "config"]).arg(file)).map(|_| String::new())
}

/// The metrics of each service are read as they are, and judged by the conventions for names, types and help.
fn metrics(promtool: &Path, family: &Family<'_>, folder: &Path) -> Outcome<String> {
    let mut series = 0;
    for (service, address) in family.debug_servers() {
        let (status, text) = processes::get(*address, "/metrics")?;
        let count = text.lines().filter(|line| !line.starts_with('#')).count();
        if status != 200 || count == 0 {
            return Err(format!("{service}: {status}, {count} series"));
        }
        series += count;
        for (kind, text, options) in [
            ("openmetrics", text.clone(), &["--lint=none", "--extended"][..]),
            ("classic", classic(&text), &["--lint=all"]),
        ] {
            let file = folder.join(format!("{service}.{kind}"));
            write(&file, &text)?;
            check(promtool, &file, options).map_err(|complaint| format!("{service}: {complaint}"))?;
        }
    }
    Ok(format!("{} services, {series} series", family.debug_servers().len()))
}

fn check(promtool: &Path, file: &Path, options: &[&str]) -> Outcome {
    let input = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let output = Command::new(promtool).args(["check", "metrics"]).args(options).stdin(input).output();
    let output = output.map_err(|error| format!("promtool: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned())
}

/// As the classic text format has it, the only one that promtool judges: there the name of a counter ends with `_total` in the lines
/// on type and help too.
fn classic(text: &str) -> String {
    let counters: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                format!("# {what} {name}_total {rest}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    text.lines().filter(|line| *line != "# EOF").map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::classic;

    #[test]
    fn counters_have_one_name_in_the_classic_format() {
        let text = "# HELP a Things.\n# TYPE a counter\na_total 1\n# HELP b More.\n# TYPE b gauge\nb 2\n# EOF\n";
        let wanted = "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n# HELP b More.\n# TYPE b gauge\nb 2\n";
        assert_eq!(classic(text), wanted);
    }
}
