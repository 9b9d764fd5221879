//! Service accounts as clients (RFC 6749 4.4). They are not registered: auth-service says whether the credentials are those of an account.

use std::time::{Duration, SystemTime};

use authn::{Authenticated, Grants};
use serde_json::json;

use super::Clients;
use super::client::{AuthMethod, Client, GrantType, Source};
use super::metadata::{Metadata, MetadataError};

/// The longest lifetime of an access token: it is not asked about again, so that this is how long a disabled account can be used.
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);

/// The service account that a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceAccount {
    /// When its credentials end, if they do.
    pub not_after: Option<SystemTime>,
}

impl ServiceAccount {
    /// When an access token ends at the latest that is issued now.
    pub fn end_of_token(self, now: SystemTime) -> SystemTime {
        let end = now + TOKEN_LIFETIME;
        self.not_after.map_or(end, |not_after| not_after.min(end))
    }
}

impl Clients {
    /// The client that a service account is. It may ask for what the account may do, and for nothing else.
    ///
    /// # Errors
    /// [`MetadataError`] if the identifier or the scopes of the account are none that a client can have.
    pub(crate) fn of_service_account(&self, account: &Authenticated) -> Result<Client, MetadataError> {
        let grants = Grants::from_cs3(&account.scopes).map_err(|error| MetadataError::new("scope", error))?;
        let metadata = json!({
            "client_id": account.user.id.opaque_id,
            "token_endpoint_auth_method": AuthMethod::SecretBasic.name(),
            "grant_types": [GrantType::ClientCredentials.name(), GrantType::JwtBearer.name()],
            "response_types": [],
            "scope": grants.words().join(" "),
            "access_token_format": "jwt",
        });
        let metadata = Metadata::parse(metadata.to_string().as_bytes())?;
        let client = Client::from_metadata(&metadata, Source::Configured, &self.0.sites)?;
        Ok(Client { service_account: Some(ServiceAccount { not_after: account.not_after }), ..client })
    }
}
