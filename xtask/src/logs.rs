//! The last check of a test run: what the services logged, at their most talkative, has no secret in it.
//!
//! `testkit` writes every log into `target/test-logs`, and every secret that a test used into `secrets.txt` there.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tools::{self, Outcome, Workspace};

const SECRETS: &str = "secrets.txt";

/// Shorter ones would be found in ordinary words.
const SHORTEST: usize = 6;

/// Where a test run leaves its logs.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("test-logs")
}

/// Removes the logs of the run before.
pub(crate) fn clear(workspace: &Workspace) -> Outcome {
    let folder = folder(workspace);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}

/// Fails if a log has a secret in it, and also if there is nothing to search or to search for.
pub(crate) fn check(folder: &Path) -> Outcome {
    let list = folder.join(SECRETS);
    let text =
        fs::read_to_string(&list).map_err(|error| format!("{}: {error}; run the tests first", list.display()))?;
    let secrets: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if secrets.is_empty() {
        return Err(format!("{} is empty", list.display()));
    }
    if let Some(position) = secrets.iter().position(|secret| secret.len() < SHORTEST) {
        return Err(format!("{}: entry {} is shorter than {SHORTEST} bytes", list.display(), position + 1));
    }
    let logs = count_files(folder)?.saturating_sub(1);
    if logs == 0 {
        return Err(format!("{} has no logs", folder.display()));
    }
    let hits = search(folder, &secrets)?;
    if hits.is_empty() {
        tools::say(&format!("{logs} logs, {} secrets, none of them found", secrets.len()));
        return Ok(());
    }
    Err(format!("secrets in the logs:\n{}", hits.join("\n")))
}

/// The places that have a secret, as `file:line`; what stands there is not repeated.
fn search(folder: &Path, secrets: &[&str]) -> Outcome<Vec<String>> {
    let mut grep = Command::new("grep")
        .args(["--recursive", "--line-number", "--text", "--fixed-strings", "--file=-"])
        .arg(format!("--exclude={SECRETS}"))
        .arg(".")
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("grep: {error}"))?;
    // Dropped at the end of the statement, which ends grep's list.
    let written = grep.stdin.take().map(|mut stdin| stdin.write_all(secrets.join("\n").as_bytes()));
    let output = grep.wait_with_output().map_err(|error| format!("grep: {error}"))?;
    match (written, output.status.code()) {
        (Some(Ok(())), Some(0 | 1)) => {}
        _ => return Err(format!("grep ended with {}", output.status)),
    }
    let place = |line: &str| line.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(place).collect())
}

fn count_files(folder: &Path) -> Outcome<usize> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut count = 0;
    for entry in entries.flatten() {
        count += if entry.path().is_dir() { count_files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn clean_logs_pass() {
        let folder = folder_with(&[(SECRETS, "s3cr3t.*\n\n"), ("a/gateway.log", "s3cr3t-like\nhello\n")]);
        assert_eq!(check(folder.path()), Ok(()));
    }

    #[test]
    fn a_secret_is_found_and_not_repeated() {
        let folder = folder_with(&[(SECRETS, "unused-one\nrelativity\n"), ("a/gateway.log", "hello\nx=relativity!\n")]);
        let failure = check(folder.path()).unwrap_err();
        assert!(failure.contains("a/gateway.log:2"), "{failure}");
        assert!(!failure.contains("relativity"), "{failure}");
    }

    #[test]
    fn nothing_to_search_is_a_failure() {
        assert!(check(Path::new("/nonexistent")).is_err());
        for files in [&[("x.log", "hello")][..], &[(SECRETS, "relativity")], &[(SECRETS, "\n"), ("x.log", "hello")]] {
            assert!(check(folder_with(files).path()).is_err(), "{files:?}");
        }
        let too_short = folder_with(&[(SECRETS, "abc"), ("x.log", "hello")]);
        assert!(check(too_short.path()).unwrap_err().contains("shorter"));
    }
}
