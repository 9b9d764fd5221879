//! Trust bundles in files.

use std::path::PathBuf;
use std::sync::Arc;

use runtime::{FileSetting, FileValue, Reading};
use spiffe::TrustDomain;

use super::bundle::{Bundle, BundleError};
use super::{SETTING, TrustBundles};

/// Reads the bundle of a trust domain now, and again when its file changes and at SIGHUP. Needs a tokio runtime.
///
/// # Errors
/// When it cannot be read now.
pub(super) fn follow(bundles: &Arc<TrustBundles>, domain: &TrustDomain, file: PathBuf) -> Result<(), BundleError> {
    let context = bundles.context();
    let setting = FileSetting { service: bundles.service(), name: SETTING, files: vec![file.clone()] };
    let of = domain.clone();
    let read = move |before: Option<&Bundle>| {
        let value = Bundle::read(&of, &file)?;
        value.check_follows(before.and_then(|before| before.sequence))?;
        Ok::<_, BundleError>(Reading { value, files: vec![file.clone()] })
    };
    let of = domain.clone();
    let changes = move |_: &Bundle, after: &Bundle| format!("{of} has {} keys", after.keys.count());
    let value = FileValue::open(setting, read, changes, context)?;
    // before the value is taken, so that no later one is missed
    let mut readings = value.readings();
    let mut taken = value.current();
    bundles.take(domain, &taken);
    bundles.count(domain.as_str(), true);
    let (bundles, domain, shutdown) = (Arc::clone(bundles), domain.clone(), context.shutdown.clone());
    let following = async move {
        while let Some(Ok(())) = shutdown.run_until_cancelled(readings.changed()).await {
            let current = value.current();
            let is_new = !Arc::ptr_eq(&current, &taken);
            if is_new {
                bundles.take(&domain, &current);
                taken = current;
            }
            bundles.count(domain.as_str(), is_new);
        }
    };
    context.background.spawn("trust bundle files", following);
    Ok(())
}
