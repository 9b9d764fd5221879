//! What memory was over time, and whether it grew.

use std::fs;
use std::io;
use std::iter;
use std::path::Path;
use std::time::Duration;

use authn::BoxError;

use crate::report::{self, mib};
use crate::spent::Spent;

const MINUTE: Duration = Duration::from_mins(1);

/// What was read at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Since the begin.
    pub(super) at: Duration,
    /// The resident memory, in KiB.
    pub(super) resident: u64,
    /// What of it is no part of a file, in KiB.
    pub(super) anonymous: u64,
    /// How many calls there were since the begin.
    pub(super) calls: u64,
    /// How many of them failed.
    pub(super) failed: u64,
}

/// All that was read.
pub(super) struct Samples {
    whole: Duration,
    all: Vec<Sample>,
    /// The last one that was printed, and what had been used up then.
    printed: Option<(Sample, Spent)>,
}

/// Prints the head of the table.
pub(super) fn head() -> io::Result<()> {
    report::line("| minute | resident MiB | of it anonymous MiB | calls | failed | CPU % of a core |")?;
    report::line("|---:|---:|---:|---:|---:|---:|")
}

impl Samples {
    /// None yet, of what will take this long.
    pub(super) fn new(whole: Duration) -> Self {
        Self { whole, all: Vec::new(), printed: None }
    }

    /// Adds one, and prints it if a minute is over; `spent` is what the process had used up.
    pub(super) fn add(&mut self, sample: Sample, spent: Spent) -> Result<(), BoxError> {
        self.all.push(sample);
        let Some((last, before)) = &self.printed else {
            self.printed = Some((sample, spent));
            return Ok(());
        };
        let (since, every) = (sample.at.saturating_sub(last.at), MINUTE.min(self.whole / 6));
        if since + every / 60 < every {
            return Ok(());
        }
        let percent = spent.since(before).cpu_ms / since.as_secs_f64() / 10.0;
        report::line(&format!(
            "| {:.1} | {:.2} | {:.2} | {} | {} | {percent:.1} |",
            sample.at.as_secs_f64() / 60.0,
            mib(sample.resident),
            mib(sample.anonymous),
            sample.calls - last.calls,
            sample.failed - last.failed,
        ))?;
        self.printed = Some((sample, spent));
        Ok(())
    }

    /// By how much the resident memory grew after the first third: the difference between the medians of the first and the
    /// last sixth of the rest. `None` if one of both has no sample.
    pub(super) fn growth_mib(&self) -> Option<f64> {
        let begin = self.whole / 3;
        let sixth = self.whole / 9;
        let first = self.median(begin, begin + sixth)?;
        let last = self.median(begin + 5 * sixth, Duration::MAX)?;
        Some(last - first)
    }

    /// The slope of the line through the medians of the resident memory in each minute after the first third, by least squares, in
    /// MiB in ten minutes: medians, so that a peak that a password takes for a moment does not tilt it. `None` with fewer than two
    /// minutes.
    pub(super) fn slope_mib(&self) -> Option<f64> {
        // where the whole takes a few minutes only, they are shorter
        let minute = MINUTE.min(self.whole / 12);
        let starts = iter::successors(Some(self.whole / 3), |start| start.checked_add(minute));
        let point = |start: Duration| Some((start.as_secs_f64() / 600.0, self.median(start, start + minute)?));
        let points: Vec<_> = starts.take_while(|start| *start < self.whole).filter_map(point).collect();
        slope(&points)
    }

    /// Writes all of them into a file, as comma-separated values.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let lines = self
            .all
            .iter()
            .map(|sample| format!("{:.1},{},{}\n", sample.at.as_secs_f64(), sample.resident, sample.anonymous));
        fs::write(file, format!("seconds,resident_kib,anonymous_kib\n{}", lines.collect::<String>()))
    }

    fn median(&self, from: Duration, to: Duration) -> Option<f64> {
        let within = self.all.iter().filter(|sample| (from..to).contains(&sample.at));
        let all: Vec<_> = within.map(|sample| mib(sample.resident)).collect();
        (!all.is_empty()).then(|| report::median(&all))
    }
}

/// The slope of the line through these points, by least squares. `None` unless two of them are at different times.
#[expect(clippy::cast_precision_loss, reason = "the minutes of a run are far below 2^52")]
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_time = points.iter().map(|(time, _)| time).sum::<f64>() / count;
    let mean_value = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(time, value)| (time - mean_time) * (value - mean_value)).sum();
    let variance: f64 = points.iter().map(|(time, _)| (time - mean_time).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of which each tenth of a minute has so many MiB.
    fn hour(resident_mib: impl Fn(u64) -> u64) -> Samples {
        let sample = |number: u64| Sample {
            at: Duration::from_secs(10 * number),
            resident: resident_mib(number / 6) * 1024,
            anonymous: 0,
            calls: 0,
            failed: 0,
        };
        Samples { all: (0..=360).map(sample).collect(), ..Samples::new(Duration::from_hours(1)) }
    }

    fn growth(samples: &Samples) -> f64 {
        samples.growth_mib().expect("there are samples")
    }

    #[test]
    fn growth_while_caches_fill_is_ignored() {
        assert!(growth(&hour(|minute| 50 + minute.min(20))).abs() < 0.01);
    }

    #[test]
    fn steady_growth_is_found() {
        assert!(growth(&hour(|minute| 50 + minute / 4)) > 2.0, "15 MiB an hour");
    }

    #[test]
    fn single_peak_is_not_growth() {
        let peak = |minute| if minute == 58 { 90 } else { 50 };
        assert!(growth(&hour(peak)).abs() < 0.01);
    }

    #[test]
    fn too_few_samples_are_no_verdict() {
        let none = Samples::new(Duration::from_hours(1));
        assert_eq!((none.growth_mib(), none.slope_mib()), (None, None));
    }

    #[test]
    fn slope_is_that_after_the_first_third() {
        let slope = |samples: &Samples| samples.slope_mib().expect("there are samples");
        assert!(slope(&hour(|minute| 50 + minute.min(20))).abs() < 0.01);
        // a MiB in ten minutes, in steps of one
        let steady = slope(&hour(|minute| 50 + minute / 10));
        assert!((0.9..1.2).contains(&steady), "{steady}");
    }

    #[test]
    fn peaks_of_a_moment_do_not_tilt_the_slope() {
        let mut samples = hour(|_| 50);
        for number in [290, 320, 321, 350, 359] {
            samples.all[number].resident += 100 * 1024;
        }
        assert!(samples.slope_mib().expect("there are samples").abs() < 0.01);
    }
}
