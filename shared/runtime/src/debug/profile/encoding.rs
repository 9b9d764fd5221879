//! A profile in the form that pprof reads: gzip of `profile.proto`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::{Frames, Symbol};
use prost::Message;

use super::proto::{Function, Label, Line, Location, Profile, Sample, ValueType};

/// When samples were taken, and how often.
pub(super) struct Timing {
    /// Samples in a second of CPU time.
    pub(super) frequency: i32,
    pub(super) started: SystemTime,
    pub(super) length: Duration,
}

/// Encodes stacks and how often each was met.
pub(super) fn encode(samples: impl Iterator<Item = (Frames, isize)>, timing: &Timing) -> io::Result<Vec<u8>> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(&Builder::default().build(samples, timing).encode_to_vec())?;
    compressed.finish()
}

impl Timing {
    /// Nanoseconds of CPU time from one sample to the next.
    fn period(&self) -> i64 {
        1_000_000_000 / i64::from(self.frequency.max(1))
    }
}

/// Gives strings, functions and locations their numbers.
#[derive(Default)]
struct Builder {
    strings: HashMap<String, i64>,
    functions: HashMap<(i64, i64), u64>,
    locations: HashMap<Vec<Line>, u64>,
    profile: Profile,
}

impl Builder {
    fn build(mut self, samples: impl Iterator<Item = (Frames, isize)>, timing: &Timing) -> Profile {
        self.string("");
        let count = ValueType { kind: self.string("samples"), unit: self.string("count") };
        let time = ValueType { kind: self.string("cpu"), unit: self.string("nanoseconds") };
        let thread = self.string("thread");
        let period = timing.period();
        for (frames, count) in samples {
            let location_id = frames.frames.iter().map(|symbols| self.location(symbols)).collect();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let label = Label { key: thread, str: self.string(&frames.thread_name_or_id()) };
            let value = vec![count, count.saturating_mul(period)];
            self.profile.sample.push(Sample { location_id, value, label: vec![label] });
        }
        Profile {
            sample_type: vec![count, time],
            period_type: Some(time),
            period,
            time_nanos: nanoseconds(timing.started.duration_since(UNIX_EPOCH).unwrap_or_default()),
            duration_nanos: nanoseconds(timing.length),
            ..self.profile
        }
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(index) = self.strings.get(text) {
            return *index;
        }
        let index = i64::try_from(self.profile.string_table.len()).unwrap_or(i64::MAX);
        self.profile.string_table.push(text.to_owned());
        self.strings.insert(text.to_owned(), index);
        index
    }

    /// The number of an address, by its function and those that it is inlined into.
    fn location(&mut self, symbols: &[Symbol]) -> u64 {
        let line = |symbol: &Symbol| Line { function_id: self.function(symbol), line: i64::from(symbol.lineno()) };
        let lines: Vec<_> = symbols.iter().map(line).collect();
        let next = self.locations.len() as u64 + 1;
        let id = *self.locations.entry(lines.clone()).or_insert(next);
        if id == next {
            self.profile.location.push(Location { id, line: lines });
        }
        id
    }

    fn function(&mut self, symbol: &Symbol) -> u64 {
        let (system_name, filename) = (self.string(&symbol.sys_name()), self.string(&symbol.filename()));
        let next = self.functions.len() as u64 + 1;
        let id = *self.functions.entry((system_name, filename)).or_insert(next);
        if id == next {
            let name = self.string(&symbol.name());
            self.profile.function.push(Function { id, name, system_name, filename });
        }
        id
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
