//! Following spans from their begin to their end.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{EndedSpan, RecentSpans};
use crate::Clock;

/// How many fields of a span are kept.
const MAX_FIELDS: usize = 12;
/// How many characters of a name or a value are kept.
const MAX_TEXT: usize = 96;

/// Records spans that end.
pub(in crate::telemetry) struct RecentSpansLayer {
    spans: RecentSpans,
    clock: Clock,
}

impl RecentSpansLayer {
    pub(in crate::telemetry) fn new(spans: RecentSpans, clock: Clock) -> Self {
        Self { spans, clock }
    }
}

/// A span that has begun.
struct Recording {
    begin: Instant,
    started: SystemTime,
    name: Arc<str>,
    has_failed: bool,
    parent: Option<Arc<str>>,
    request_id: Option<Arc<str>>,
    fields: Vec<(&'static str, String)>,
}

impl Recording {
    fn keep(&mut self, name: &'static str, value: &str) {
        if let Some((_, known)) = self.fields.iter_mut().find(|(known, _)| *known == name) {
            *known = bounded(value);
        } else if self.fields.len() < MAX_FIELDS {
            self.fields.push((name, bounded(value)));
        }
    }

    fn end(self) -> EndedSpan {
        let Self { begin, started, name, has_failed, parent, request_id, fields } = self;
        EndedSpan { name, started, took: begin.elapsed(), has_failed, parent, request_id, fields }
    }
}

impl Visit for Recording {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.name" => self.name = bounded(value).into(),
            "otel.status_code" => self.has_failed = value.eq_ignore_ascii_case("error"),
            "otel.kind" => {}
            "request_id" => self.request_id = Some(bounded(value).into()),
            name => self.keep(name, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RecentSpansLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let inherited = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Recording>().map(|parent| (Arc::clone(&parent.name), parent.request_id.clone()))
        });
        let (parent, request_id) = inherited.unzip();
        let mut recording = Recording {
            begin: Instant::now(),
            started: self.clock.now(),
            name: span.name().into(),
            has_failed: false,
            parent,
            request_id: request_id.flatten(),
            fields: Vec::new(),
        };
        attributes.record(&mut recording);
        span.extensions_mut().insert(recording);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(recording) = span.extensions_mut().get_mut::<Recording>() {
            values.record(recording);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let recording = span.extensions_mut().remove::<Recording>();
        if let Some(recording) = recording {
            self.spans.add(recording.end());
        }
    }
}
