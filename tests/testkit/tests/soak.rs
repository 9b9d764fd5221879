//! `soak` of the load tool, for a few seconds: every call is answered correctly, and the growth of memory is reported.

use std::process::{Command, Output};

fn soak(more: &[&str]) -> Output {
    let arguments = ["soak", "--minutes", "0.2", "--rate", "5"];
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).args(more).output().expect("the load tool runs")
}

#[test]
fn soak_of_the_one_process_reports_its_growth() {
    let Output { status, stdout, stderr } = soak(&["--most-mib", "1000", "--most-slope-mib", "1000000"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("resident memory grew by") && stdout.contains("by least squares"), "{stdout}");
    let minutes = stdout.lines().filter(|line| line.starts_with("| 0.")).count();
    assert!(minutes >= 5, "{stdout}");
}

#[test]
fn soak_of_the_one_process_fails_if_memory_grows() {
    let Output { status, stdout, stderr } = soak(&["--most-mib=-1000"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(!status.success() && stderr.contains("memory grows"), "{stdout}{stderr}");
}
