//! The keys of the internal token, and their change while the service runs.

use std::sync::Arc;

use secrecy::SecretString;
use token::{KeyError, KeyRing};

use crate::{Context, Service};
use config::{TokenManager, load_over};

/// The key ring that `token_manager` describes. It is read again at every reload, so that secrets change without a
/// restart; what cannot be read then is logged and changes nothing.
///
/// # Errors
/// When a secret is too short.
pub fn key_ring<S: Service>(
    config: &S::Config,
    token_manager: fn(&S::Config) -> TokenManager,
    context: &Context,
) -> Result<Arc<KeyRing>, KeyError> {
    let (current, previous) = secrets(&token_manager(config));
    let ring = Arc::new(KeyRing::new(&current, previous.as_ref())?);
    let mut reload = context.reload.subscribe_from_start();
    let (keys, config, environment) = (Arc::downgrade(&ring), config.clone(), context.environment.clone());
    let shutdown = context.shutdown.clone();
    context.background.spawn("token secrets", async move {
        while let Some(Ok(())) = shutdown.run_until_cancelled(reload.changed()).await {
            let Some(keys) = keys.upgrade() else { return };
            let (defaults, environment) = (config.clone(), environment.clone());
            // Reading files may block.
            let read = tokio::task::spawn_blocking(move || {
                load_over(&defaults, &S::IDENTITY, &environment).map(|loaded| secrets(&token_manager(&loaded.config)))
            });
            let replaced = match read.await {
                Ok(Ok((current, previous))) => {
                    keys.replace(&current, previous.as_ref()).map_err(|error| error.to_string())
                }
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match replaced {
                Ok(()) => tracing::info!("token secrets read again"),
                Err(error) => tracing::error!(%error, "token secrets stay as they were"),
            }
        }
    });
    Ok(ring)
}

fn secrets(tokens: &TokenManager) -> (SecretString, Option<SecretString>) {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let previous = &tokens.jwt_secret_previous;
    (secret(tokens.jwt_secret.expose()), (!previous.is_empty()).then(|| secret(previous.expose())))
}
