//! Where the certificates come from that are in use.

use std::path::Path;
use std::sync::Arc;

use crate::tls::validity::Dated;
use crate::{CertificateExpiry, CertificatesInUse, Context, FileValue};

impl CertificatesInUse {
    /// Adds the certificates of a value that is read from files. `expiries` says when they expire.
    pub fn follow<T: Send + Sync + 'static>(
        &self,
        value: &Arc<FileValue<T>>,
        expiries: impl Fn(&T) -> Vec<CertificateExpiry> + Send + Sync + 'static,
        context: &Context,
    ) {
        let value = Arc::downgrade(value);
        self.add(move || Some(expiries(&value.upgrade()?.current())), context);
    }

    /// Adds the authorities in the file of a setting.
    pub(crate) fn add_authorities(&self, setting: &'static str, file: &Path, context: &Context) {
        let file = file.to_owned();
        let read = move || Dated::authorities(setting, &file).ok().and_then(|dated| dated.expiry());
        self.add(move || Some(read().into_iter().collect()), context);
    }

    /// Adds the certificates of what uses them, for as long as it does: `source` answers `None` when it has ended.
    pub(crate) fn add(
        &self,
        source: impl Fn() -> Option<Vec<CertificateExpiry>> + Send + Sync + 'static,
        context: &Context,
    ) {
        self.add_source(source, (&context.metrics, &context.clock));
    }
}
