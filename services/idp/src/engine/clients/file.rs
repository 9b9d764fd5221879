//! The file with further clients, in the format of lico's `identifier-registration.yaml`.

use std::path::Path;
use std::sync::Arc;

use config::{Secret, read_yaml_file};
use oidc::redirect::Sites;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::{AuthMethod, Client, SecretDigest, Source};
use super::metadata::{Metadata, MetadataError};
use super::{Described, built_in, secret};
use crate::seal::{Purpose, Sealer};

/// Names of lico, and their equivalents in RFC 7591.
const RENAMED: [(&str, &str); 3] = [("id", "client_id"), ("name", "client_name"), ("uri", "client_uri")];
/// Members without effect: scopes are granted by the registration, and CORS is a setting of the listener.
const WITHOUT_EFFECT: [&str; 3] = ["trusted_scopes", "origins", "external_authorize_redirect_uris"];
/// The placeholders of the site in the files of oCIS and `OpenCloud`.
const SITE_VARIABLES: [&str; 4] = ["{{OCIS_URL}}", "{{OC_URL}}", "${OCIS_URL}", "${OC_URL}"];
/// The shortest secret, in bytes: it is compared by a plain digest, and must not be guessed.
const MIN_SECRET: usize = 16;
/// Placeholder values of secrets in examples.
const PLACEHOLDERS: [&str; 8] =
    ["change-me", "change_me", "changeme", "example", "insecure", "password", "placeholder", "secret"];

/// Why the file is rejected.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("IDP_CLIENTS_FILE: {file}: {problem}")]
    Unreadable {
        /// Its name.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A client in it is not one.
    #[error("IDP_CLIENTS_FILE: {file}: client {client}: {error}")]
    Client {
        /// Its name.
        file: String,
        /// The client's identifier; its place in the list where it has none.
        client: String,
        /// What is wrong.
        error: MetadataError,
    },
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    clients: Vec<Map<String, Value>>,
}

/// Refuses a file that does not name its clients, or names none where a list should begin: while idp runs, it may not be written to its end
/// yet, and what users have granted to clients that are gone is revoked for good.
///
/// # Errors
/// [`FileError`] also when it cannot be read.
pub(super) fn require_list(path: &Path) -> Result<(), FileError> {
    let unreadable = |problem: String| FileError::Unreadable { file: path.display().to_string(), problem };
    let text = read_yaml_file(path).map_err(|error| unreadable(error.to_string()))?;
    let document: Value = serde_yaml_ng::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if document.get("clients").is_some_and(Value::is_array) {
        return Ok(());
    }
    Err(unreadable("has no list of clients; write \"clients: []\" to remove all of them".to_owned()))
}

/// The clients of a file.
///
/// # Errors
/// [`FileError`] for the first that is wrong: a file is taken as a whole or not at all.
pub(super) fn read(path: &Path, sites: &Sites, sealer: &Sealer) -> Result<Vec<Described>, FileError> {
    let file = path.display().to_string();
    let unreadable = |problem: String| FileError::Unreadable { file: file.clone(), problem };
    let text = read_yaml_file(path).map_err(|error| unreadable(error.to_string()))?;
    let document: Document = serde_yaml_ng::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let mut clients: Vec<Described> = Vec::new();
    for (index, members) in document.clients.into_iter().enumerate() {
        let id = members.get("id").or_else(|| members.get("client_id")).and_then(Value::as_str);
        let client = id.map_or_else(|| format!("number {}", index + 1), str::to_owned);
        let refused = |error| FileError::Client { file: file.clone(), client: client.clone(), error };
        let read = client_of(members, sites, sealer).map_err(refused)?;
        if clients.iter().any(|other| other.client.id == read.client.id) {
            return Err(refused(MetadataError::new("id", "is there twice")));
        }
        clients.push(read);
    }
    Ok(clients)
}

fn client_of(mut members: Map<String, Value>, sites: &Sites, sealer: &Sealer) -> Result<Described, MetadataError> {
    let secret = take_secret(&mut members)?;
    translate(&mut members)?;
    let mut metadata = Metadata::read(members)?;
    metadata.refuse_unknown()?;
    // a published secret does not authenticate a client
    let id = metadata.client_id.as_deref();
    let proves = |secret: &SecretString| id.is_none() || built_in::published(secret.expose_secret()) != id;
    let (secret, known) = match secret {
        Some(secret) if !proves(&secret) => (None, Some(secret)),
        secret => (secret, None),
    };
    if secret.is_none() && (known.is_some() || metadata.token_endpoint_auth_method.is_none()) {
        metadata.token_endpoint_auth_method = Some(AuthMethod::None.name().to_owned());
    }
    for uris in [&mut metadata.redirect_uris, &mut metadata.post_logout_redirect_uris] {
        for uri in uris.iter_mut() {
            *uri = with_site(uri);
        }
    }
    // as lico does
    if metadata.post_logout_redirect_uris.is_empty() {
        metadata.post_logout_redirect_uris.clone_from(&metadata.redirect_uris);
    }
    let mut client = Client::from_metadata(&metadata, Source::Configured, sites)?;
    if let Some(secret) = secret {
        give(&mut client, &secret, sealer)?;
    } else if client.auth.has_secret() {
        return Err(MetadataError::new("secret", format!("is needed for {}", client.auth.name())));
    }
    if let Some(known) = known {
        client.secrets = vec![SecretDigest { digest: secret::digest(known.expose_secret()), expires: None }];
    }
    Ok(Described { client: Arc::new(client), metadata })
}

/// Removes the secret, which is not part of the metadata.
fn take_secret(members: &mut Map<String, Value>) -> Result<Option<SecretString>, MetadataError> {
    let refused = |problem: &str| Err(MetadataError::new("secret", problem));
    let value = match (members.remove("secret"), members.remove("client_secret")) {
        (Some(_), Some(_)) => return refused("is set together with client_secret, its synonym"),
        (one, other) => one.or(other).unwrap_or_default(),
    };
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => {
            let plain = text.to_ascii_lowercase();
            if PLACEHOLDERS.iter().any(|known| plain.contains(known)) {
                return refused("is the one of an example: make one with openssl rand -base64 32");
            }
            match Secret::from(text.as_str()).weakness(MIN_SECRET) {
                Some(weakness) => refused(&weakness),
                None => Ok(Some(text.into())),
            }
        }
        _ => refused("is not a text; put it in quotation marks"),
    }
}

/// Translates lico's members.
fn translate(members: &mut Map<String, Value>) -> Result<(), MetadataError> {
    for (from, to) in RENAMED {
        if let Some(value) = members.remove(from) {
            if members.contains_key(to) {
                return Err(MetadataError::new(from, format!("is set together with {to}, its synonym")));
            }
            members.insert(to.to_owned(), value);
        }
    }
    for name in WITHOUT_EFFECT {
        members.remove(name);
    }
    match members.remove("trusted") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(()),
        Some(Value::Bool(true)) => {
            members.entry("consent").or_insert_with(|| "trusted".into());
            Ok(())
        }
        Some(_) => Err(MetadataError::new("trusted", "is true or false")),
    }
}

fn with_site(uri: &str) -> String {
    let rest = SITE_VARIABLES.iter().find_map(|variable| uri.strip_prefix(variable));
    rest.map_or_else(|| uri.to_owned(), |rest| format!("#default_bind#{rest}"))
}

fn give(client: &mut Client, secret: &SecretString, sealer: &Sealer) -> Result<(), MetadataError> {
    if !client.auth.has_secret() {
        return Err(MetadataError::new("secret", format!("does not go with {}", client.auth.name())));
    }
    let secret = secret.expose_secret();
    if built_in::published(secret).is_some() {
        return Err(MetadataError::new("secret", "is printed in the source of another client: it is public"));
    }
    client.secrets = vec![SecretDigest { digest: secret::digest(secret), expires: None }];
    if client.auth == AuthMethod::SecretJwt {
        client.sealed_secret = Some(sealer.seal_bytes(Purpose::ClientSecret, secret.as_bytes()));
    }
    Ok(())
}
