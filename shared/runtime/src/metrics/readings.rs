//! Metrics whose values are read at each scrape.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{MetricLabels, ReadingKind};

type Read = Box<dyn Fn() -> Option<f64> + Send + Sync>;

/// The readings of a process, by name.
#[derive(Clone, Default)]
pub(super) struct Readings(Arc<Mutex<BTreeMap<&'static str, Reading>>>);

struct Reading {
    help: &'static str,
    kind: ReadingKind,
    values: Vec<(MetricLabels, Read)>,
}

impl Readings {
    pub(super) fn add(
        &self,
        kind: ReadingKind,
        (name, help): (&'static str, &'static str),
        labels: MetricLabels,
        read: Read,
    ) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = readings.entry(name).or_insert_with(|| Reading { help, kind, values: Vec::new() });
        // what is opened again takes the place of what it was before
        reading.values.retain(|(known, _)| *known != labels);
        reading.values.push((labels, read));
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, reading) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let kind = match reading.kind {
                ReadingKind::Counter => MetricType::Counter,
                ReadingKind::Gauge => MetricType::Gauge,
            };
            let mut values = encoder.encode_descriptor(name, reading.help, None, kind)?;
            for (labels, read) in &reading.values {
                let Some(value) = read() else { continue };
                if labels.is_empty() {
                    encode(&mut values, reading.kind, value)?;
                } else {
                    encode(&mut values.encode_family(labels)?, reading.kind, value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode(encoder: &mut MetricEncoder<'_>, kind: ReadingKind, value: f64) -> Result<(), fmt::Error> {
    match kind {
        ReadingKind::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
        ReadingKind::Gauge => encoder.encode_gauge(&value),
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readings").finish_non_exhaustive()
    }
}
