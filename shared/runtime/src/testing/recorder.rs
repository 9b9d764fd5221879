//! Records log events and spans.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

/// Remembers the fields of all spans and events, in order; an event's text is its field `message`.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Recorder {
    /// Records what this thread tells until the guard is dropped.
    pub(crate) fn here() -> (Self, DefaultGuard) {
        let recorder = Self::default();
        let guard = tracing::subscriber::set_default(Registry::default().with(recorder.clone()));
        (recorder, guard)
    }

    /// The values that this field had, from the first to the last.
    pub(crate) fn values(&self, field: &str) -> Vec<String> {
        let told = self.0.lock().expect("no panic");
        told.iter().filter(|(name, _)| *name == field).map(|(_, value)| value.clone()).collect()
    }

    /// Whether this occurs anywhere.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.0.lock().expect("no panic").iter().any(|(_, value)| value.contains(text))
    }
}

impl Visit for &Recorder {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.lock().expect("no panic").push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        attributes.record(&mut &*self);
    }

    fn on_record(&self, _id: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        values.record(&mut &*self);
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        event.record(&mut &*self);
    }
}
