//! pprof of Go: reads a profile of the edge under load.

use std::path::Path;
use std::process::Command;
use std::thread;

use super::Session;
use super::family::{Family, USER};
use super::report::{Scenarios, Trouble};
use crate::tools::{self, Outcome};

/// How long the profile is, in seconds.
const SECONDS: u32 = 5;
/// The fewest functions with names that the profile of a busy program has.
const FEWEST: usize = 10;

/// The version of Go, which brings pprof; empty where there is none.
pub(super) fn version() -> String {
    let said = tools::output(Command::new("go").arg("version")).unwrap_or_default();
    said.split(' ').nth(2).unwrap_or_default().trim_start_matches("go").to_owned()
}

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    if version().is_empty() {
        return Err(Trouble::Missing("there is no Go".to_owned()));
    }
    let mut family = Family::prepare(session, "pprof-family", scenarios)?;
    family.set("PROXY_DEBUG_PPROF", "true");
    family.run()?;
    let profile = scenarios.logs.join("profile");
    scenarios.add("`-top` of a profile of the edge under load", top(&family, &profile));
    Ok(())
}

/// Takes a profile while requests with an app token are answered, and has pprof list its functions.
fn top(family: &Family<'_>, profile: &Path) -> Outcome<String> {
    let servers = family.debug_servers();
    let (_, address) = servers.iter().find(|(service, _)| *service == "proxy").ok_or("the edge has no debug server")?;
    let credentials = format!("{USER}:{}", family.app_token()?);
    let mut fetch = Command::new("curl");
    fetch.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "60", "--output"]).arg(profile);
    fetch.arg(format!("http://{address}/debug/pprof/profile?seconds={SECONDS}"));
    thread::scope(|scope| {
        let fetching = scope.spawn(move || tools::run(&mut fetch));
        while !fetching.is_finished() {
            family.request("/auth-app/tokens", &["--user", &credentials])?;
        }
        fetching.join().unwrap_or_else(|_| Err("the profile was not fetched".to_owned()))
    })?;
    let listed = tools::output(Command::new("go").args(["tool", "pprof", "-top", "-nodecount=500"]).arg(profile))?;
    judge(&listed)
}

/// What the list has: the functions and the samples.
fn judge(listed: &str) -> Outcome<String> {
    let complaint = |what: &str| format!("{what}: {}", listed.lines().take(6).collect::<Vec<_>>().join(" / "));
    if !listed.lines().any(|line| line == "Type: cpu") {
        return Err(complaint("it is not a profile of the CPU"));
    }
    let total = listed.split_once("Total samples = ").and_then(|(_, rest)| rest.split_whitespace().next());
    let total = total.filter(|total| *total != "0").ok_or_else(|| complaint("it has no samples"))?;
    let rows = listed.lines().skip_while(|line| !line.trim_start().starts_with("flat ")).skip(1);
    let symbols = rows.filter_map(|row| row.split_whitespace().nth(5));
    let named = symbols.filter(|name| !name.starts_with("0x") && !name.starts_with('<')).count();
    if named < FEWEST {
        return Err(complaint(&format!("only {named} functions have names")));
    }
    Ok(format!("{named} functions in {total} of CPU time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Type: cpu\nTime: 2026-01-01 00:00:00 UTC\nDuration: 5s, Total samples = 1.20s (24.00%)\n\
                        Showing nodes accounting for 1.20s, 100% of 1.20s total\n      flat  flat%   sum%        cum   cum%\n";

    #[test]
    fn list_needs_samples_and_names() {
        let row = |name: &str| format!("     0.10s  8.33%  8.33%      0.20s 16.67%  {name}\n");
        let named: String = (0..FEWEST).map(|number| row(&format!("tokio::run_{number} (inline)"))).collect();
        assert_eq!(judge(&format!("{HEAD}{named}")).unwrap(), "10 functions in 1.20s of CPU time");
        let unnamed: String = (0..FEWEST).map(|_| row("0x55d0c0")).collect();
        assert!(judge(&format!("{HEAD}{unnamed}")).unwrap_err().starts_with("only 0 functions have names"));
        assert!(judge(&HEAD.replace("= 1.20s", "= 0")).unwrap_err().starts_with("it has no samples"));
        assert!(judge(&HEAD.replace("cpu", "space")).unwrap_err().starts_with("it is not a profile of the CPU"));
    }
}
