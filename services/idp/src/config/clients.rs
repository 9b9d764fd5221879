//! What the settings say of clients.

use runtime::Random;

use super::Config;
use crate::engine::clients::{self, ClientSettings, Offer};
use crate::seal::Sealer;

impl Config {
    /// Which clients are configured, and what they may be registered for.
    pub fn client_settings(&self) -> ClientSettings {
        ClientSettings {
            site: self.site(),
            built_in: self.default_clients.clone(),
            file: self.clients_file.clone(),
            offer: Offer { algorithms: self.algorithms(), unsigned_id_tokens: self.unsigned_id_tokens },
        }
    }

    /// What an operator should know about the file of clients.
    pub(super) fn warnings_of_clients(&self) -> Vec<String> {
        let Some(file) = &self.clients_file else { return Vec::new() };
        let sealer = Sealer::new(&self.encryption_secret, &self.encryption_secret_previous, Random::system());
        match clients::warnings_of_file(&self.client_settings(), file, &sealer) {
            Ok(warnings) => warnings,
            Err(error) => vec![format!("the clients cannot be read (IDP_CLIENTS_FILE): {error}")],
        }
    }
}
