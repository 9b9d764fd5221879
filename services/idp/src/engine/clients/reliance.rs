//! What clients may be registered for only where a setting offers it, and those that rely on it although it does not.

use std::path::Path;

use oidc::jose::Algorithm;
use oidc::response::ResponseType;

use super::client::{AuthMethod, Client, GrantType, Source};
use super::metadata::{Metadata, MetadataError, PkceChoice};
use super::{Described, FileError};
use crate::config::Config;

/// What the settings offer to clients.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// `IDP_SIGNING_ALGORITHMS`
    algorithms: Vec<Algorithm>,
    /// `IDP_ALLOW_UNSIGNED_ID_TOKENS`
    unsigned_id_tokens: bool,
    /// Whether every issuer takes only what OAuth 2.1 allows (`IDP_STRICT_LAYOUTS`).
    strict: bool,
}

impl Offer {
    /// The offer of these settings.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            algorithms: config.algorithms(),
            unsigned_id_tokens: config.unsigned_id_tokens,
            strict: config.layouts.iter().all(|layout| config.strict_layouts.contains(layout)),
        }
    }

    /// The algorithm of clients whose registration names none.
    pub(super) fn default_algorithm(&self) -> Algorithm {
        self.algorithms.first().copied().unwrap_or(Algorithm::Rs256)
    }

    /// Checks that a client that is registered or changed asks for nothing else; what it had `before`, it keeps.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub(super) fn check(&self, client: &Client, before: Option<&Client>) -> Result<(), MetadataError> {
        let had = |algorithm| before.is_some_and(|before| before.signatures.ours().any(|(_, one)| one == algorithm));
        let foreign =
            client.signatures.ours().find(|(_, algorithm)| !self.algorithms.contains(algorithm) && !had(*algorithm));
        if let Some((member, algorithm)) = foreign {
            return Err(MetadataError::new(member, format!("{algorithm} is not one of IDP_SIGNING_ALGORITHMS")));
        }
        if client.signatures.id_token_unsigned && !self.unsigned_id_tokens {
            let problem = "none is not offered (IDP_ALLOW_UNSIGNED_ID_TOKENS)";
            return Err(MetadataError::new("id_token_signed_response_alg", problem));
        }
        Ok(())
    }

    /// The algorithms that tokens are signed with: those that are offered, and those that clients are registered for.
    pub(super) fn signed_with(&self, clients: &[Described]) -> Vec<Algorithm> {
        let mut all = self.algorithms.clone();
        for (_, algorithm) in clients.iter().flat_map(|described| described.client.signatures.ours()) {
            if !all.contains(&algorithm) {
                all.push(algorithm);
            }
        }
        all
    }

    /// Names the clients that rely on what is not offered, each in one line with the remedy.
    pub(super) fn warnings<'a>(&self, clients: impl IntoIterator<Item = &'a Described>) -> Vec<String> {
        clients.into_iter().flat_map(|described| self.warnings_of(described)).collect()
    }

    fn warnings_of(&self, Described { client, metadata }: &Described) -> Vec<String> {
        let id = &client.id;
        let mut warnings = Vec::new();
        let mut foreign: Vec<_> = client.signatures.ours().filter(|(_, one)| !self.algorithms.contains(one)).collect();
        foreign.dedup_by_key(|(_, algorithm)| *algorithm);
        warnings.extend(foreign.into_iter().map(|(member, algorithm)| {
            format!(
                "the client {id} is registered for {algorithm} ({member}), which keeps its key although \
                 IDP_SIGNING_ALGORITHMS does not name it: change the client or the setting"
            )
        }));
        if client.signatures.id_token_unsigned && !self.unsigned_id_tokens {
            warnings.push(format!(
                "the client {id} is registered for unsigned ID tokens and gets signed ones: change \
                 id_token_signed_response_alg, or set IDP_ALLOW_UNSIGNED_ID_TOKENS"
            ));
        }
        if client.may(GrantType::ClientCredentials) && client.scopes.is_none() {
            warnings.push(format!(
                "the client {id} uses client_credentials without a list of scopes and gets none: set scope in its \
                 registration"
            ));
        }
        if let Some(refused) = refused_by_oauth_2_1(client, metadata).filter(|_| self.strict) {
            warnings.push(format!(
                "the client {id} is registered for {refused}, which every issuer refuses (IDP_STRICT_LAYOUTS): change \
                 the client, or leave its layout out of the setting"
            ));
        }
        // in oCIS, and for the built-in client web before, such a client could leave the challenge out
        let is_configured_web = client.source == Source::Configured && !client.is_native;
        let sends_codes = client.may(GrantType::AuthorizationCode);
        if is_configured_web && sends_codes && client.auth == AuthMethod::None && metadata.pkce.is_none() {
            warnings.push(format!(
                "the web client {id} has no secret and says nothing of pkce, so that it is refused without a \
                 code_challenge: write pkce: required if it sends one, or pkce: optional if it cannot"
            ));
        }
        warnings
    }
}

/// What the registration of a client allows and one of `IDP_STRICT_LAYOUTS` does not. Built-in clients are for both kinds.
fn refused_by_oauth_2_1(client: &Client, metadata: &Metadata) -> Option<&'static str> {
    if client.source == Source::BuiltIn {
        return None;
    }
    if client.responses.iter().any(|response| *response != ResponseType::CODE) {
        return Some("response types other than code");
    }
    match metadata.pkce {
        Some(PkceChoice::Optional | PkceChoice::Plain) => Some("requests without a code_challenge by S256"),
        Some(PkceChoice::Required) | None => None,
    }
}

/// Checks that there is a key for each algorithm that a client of the file is registered for.
///
/// # Errors
/// [`FileError`] that names the first client without.
pub(super) fn check_keys<'a>(
    file: &Path,
    clients: impl Iterator<Item = &'a Described>,
    signed_with: &[Algorithm],
) -> Result<(), FileError> {
    for Described { client, .. } in clients {
        if let Some((member, algorithm)) = client.signatures.ours().find(|(_, one)| !signed_with.contains(one)) {
            let problem = format!("{algorithm} has no key: add it to IDP_SIGNING_ALGORITHMS and start again");
            let error = MetadataError::new(member, problem);
            return Err(FileError::Client { file: file.display().to_string(), client: client.id.clone(), error });
        }
    }
    Ok(())
}
