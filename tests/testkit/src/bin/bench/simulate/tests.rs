//! The model behaves as the promise says: announcements are fast, a lost one costs the time of a poll, and more memory costs fewer
//! reads.

use clap::{Args, Command, FromArgMatches};

use super::outbox::Outbox;
use super::traffic::Traffic;
use super::{Arguments, milliseconds};

fn arguments(more: &[&str]) -> Arguments {
    let command = Arguments::augment_args(Command::new("simulate"));
    let matches =
        command.try_get_matches_from(["simulate", "--seconds", "30"].iter().chain(more)).expect("are understood");
    let arguments = Arguments::from_arg_matches(&matches).expect("are understood");
    arguments.check().expect("are accepted");
    arguments
}

fn lags(arguments: &Arguments, lost: f64) -> (f64, f64, f64) {
    let lags = Outbox::new(arguments, lost).run().expect("runs");
    let of = |part| milliseconds(lags.lag.value_at_quantile(part));
    (of(0.5), milliseconds(lags.lag.max()), lags.statements_per_second(arguments.seconds))
}

#[test]
fn announced_revocations_reach_all_replicas_before_the_next_poll() {
    let (median, longest, _) = lags(&arguments(&[]), 0.0);
    // two reads may be needed, and an announcement waits for the previous one of its replica
    assert!((4.0..60.0).contains(&median) && longest < 60.0, "{median} {longest}");
}

#[test]
fn lost_announcements_cost_at_most_a_poll() {
    let arguments = arguments(&[]);
    let (median, longest, statements) = lags(&arguments, 1.0);
    assert!((300.0..700.0).contains(&median) && longest < 1_010.0, "{median} {longest}");
    // each replica polls each second, and each revocation is announced at most once
    assert!((24.0..50.0).contains(&statements), "{statements}");
}

#[test]
fn every_revocation_is_counted_at_every_other_replica() {
    let arguments = arguments(&["--nodes", "3"]);
    let count = Outbox::new(&arguments, 0.5).run().expect("runs").lag.len();
    // 20 in a second for 30 seconds, at two replicas
    assert!(count.is_multiple_of(2) && (900..1_500).contains(&count), "{count}");
}

#[test]
fn more_memory_answers_more_calls() {
    let arguments = arguments(&["--active", "100000", "--tokens", "100000", "--calls", "200000"]);
    let ratios: Vec<_> = [1, 8, 64, 512].map(|mib| Traffic::new(&arguments, arguments.active, mib).hit_ratio()).into();
    assert!(ratios.is_sorted() && ratios[0] > 0.05 && ratios[0] < 0.6, "{ratios:?}");
    assert!(ratios[3] > 0.999, "all tokens fit: {ratios:?}");
}

#[test]
fn cached_tokens_are_read_again_after_their_time() {
    let never = arguments(&["--active", "1000", "--tokens", "1000", "--calls", "200000", "--cached-for", "900"]);
    let often = Arguments { cached_for: 1, ..never.clone() };
    let [never, often] = [&never, &often].map(|arguments| Traffic::new(arguments, arguments.active, 64).hit_ratio());
    assert!(never > 0.999 && often < 0.99, "{never} {often}");
}

#[test]
fn impossible_regions_are_refused() {
    for wrong in [["--lost", "1.5"], ["--skew", "-1"], ["--cache", "0"], ["--active", "0"], ["--seconds", "1"]] {
        let command = Arguments::augment_args(Command::new("simulate").allow_negative_numbers(true));
        let matches = command.try_get_matches_from(["simulate"].iter().chain(&wrong)).expect("are numbers");
        let arguments = Arguments::from_arg_matches(&matches).expect("are numbers");
        let problem = arguments.check().expect_err("is refused").to_string();
        assert!(problem.contains(wrong[0]), "{problem}");
    }
}
