//! `scale` of the load tool, with small stores: every call is answered correctly, and growing CPU time is reported.

use std::process::{Command, Output};

fn scale(more: &[&str]) -> Output {
    let arguments = ["scale", "--sizes", "1000,2000", "--rounds", "1", "--calls", "50"];
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).args(more).output().expect("the load tool runs")
}

#[test]
fn scale_of_the_one_process_reports_each_size() {
    let Output { status, stdout, stderr } = scale(&["--most-growth", "1000000"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{stdout}{stderr}");
    for size in ["1000", "2000"] {
        let rows = stdout.lines().filter(|line| line.starts_with(&format!("| {size} |"))).count();
        assert_eq!(rows, 1, "{stdout}");
    }
}

#[test]
fn scale_of_the_one_process_fails_if_cpu_time_grows() {
    let Output { status, stdout, stderr } = scale(&["--most-growth", "0"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let reason = "grows with the number of app tokens: first use, later use, creation, listing, revocation";
    assert!(!status.success() && stderr.contains(reason), "{stdout}{stderr}");
}
