//! What a test's own thread logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tracing::Level;
use tracing::subscriber::DefaultGuard;

/// The log of this thread, one JSON object a line, for as long as this exists.
#[derive(Debug)]
pub struct CapturedLog {
    bytes: Bytes,
    _recording: DefaultGuard,
}

#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    /// Records events of this level and more severe ones.
    pub fn start(level: Level) -> Self {
        let bytes = Bytes::default();
        let writer = bytes.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(level).with_writer(move || writer.clone()).finish();
        Self { bytes, _recording: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything that was logged.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().clone()).expect("a log is UTF-8")
    }

    /// The fields of the audit events, in their order.
    ///
    /// # Panics
    /// When a line is not JSON.
    pub fn audit_events(&self) -> Vec<Value> {
        let text = self.text();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
        events.filter(|event| event["target"] == "audit").map(|event| event["fields"].clone()).collect()
    }
}

impl Bytes {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
