//! The file with further issuers.

use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use config::{duration, read_secret_file, read_yaml_file};
use outbound::issuer::discovery_of;
use serde::Deserialize;

use super::oidc::{LEEWAY, MAX_CACHE_TTL, MOST_LEEWAY};
use super::provisioning::{MAX_GROUPS, MOST_GROUPS, role_of};
use super::tenants;
use crate::access::Rules;
use crate::claims::{Path, TenantClaim};
use crate::issuer::{Client, Method, Naming, Provisioning, Roles, Settings};

/// Why the issuers are not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file cannot be read, or is not what it should be.
    #[error("AUTH_BEARER_OIDC_ISSUERS_FILE: {file}: {problem}")]
    Unreadable {
        /// Its name.
        file: String,
        /// What is wrong, and with which issuer.
        problem: String,
    },
    /// They do not go together.
    #[error("the issuers: {0}")]
    Together(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    issuers: Vec<Entry>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    issuer: String,
    #[serde(default)]
    insecure: bool,
    access_token_verify_method: Option<String>,
    #[serde(default)]
    audience: Vec<String>,
    #[serde(default)]
    authorized_parties: Vec<String>,
    #[serde(default)]
    at_jwt_only: bool,
    #[serde(default)]
    userinfo_any_client: bool,
    #[serde(default)]
    skip_user_info: bool,
    leeway: Option<String>,
    client: Option<ClientEntry>,
    people: UserMapping,
    auto_provision: Option<Claims>,
    roles: Option<RolesEntry>,
    tenant_claim: Option<String>,
    #[serde(default)]
    tenant_id_mapping: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    id: String,
    secret_file: PathBuf,
    #[serde(default)]
    post: bool,
}

/// Whom its tokens name.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum UserMapping {
    Own { suffix: String },
    Directory { claim: String, by: By },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Username,
    Userid,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Claims {
    username: String,
    email: String,
    displayname: String,
    groups: String,
    group_ids: Option<String>,
    max_groups: usize,
    trust_email: bool,
}

impl Default for Claims {
    fn default() -> Self {
        let [username, email, displayname, groups] =
            ["preferred_username", "email", "name", "groups"].map(str::to_owned);
        Self { username, email, displayname, groups, group_ids: None, max_groups: MAX_GROUPS, trust_email: false }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesEntry {
    claim: Option<String>,
    mapping: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    claim_value: String,
    role_name: String,
}

/// The files of secrets that a file of issuers names; none if it is wrong.
pub(super) fn secret_files(path: &FilePath) -> Vec<PathBuf> {
    let document = read_yaml_file(path).ok().and_then(|text| serde_yaml_ng::from_str::<Document>(&text).ok());
    let issuers = document.map(|document| document.issuers).unwrap_or_default();
    issuers.into_iter().filter_map(|entry| entry.client).map(|client| client.secret_file).collect()
}

/// The issuers of a file: all of them, or none if one is wrong.
pub(super) fn read(path: &FilePath, allow_exposed: bool) -> Result<Vec<Settings>, FileError> {
    let text = read_yaml_file(path).map_err(|error| error.to_string());
    let file = path.display().to_string();
    text.and_then(|text| parse(&text, allow_exposed)).map_err(|problem| FileError::Unreadable { file, problem })
}

pub(super) fn parse(text: &str, allow_exposed: bool) -> Result<Vec<Settings>, String> {
    let document: Document = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let settings = |entry: Entry| {
        let issuer = entry.issuer.clone();
        entry.settings(allow_exposed).map_err(|problem| format!("issuer {issuer}: {problem}"))
    };
    document.issuers.into_iter().map(settings).collect()
}

impl Entry {
    fn settings(self, allow_exposed: bool) -> Result<Settings, String> {
        discovery_of(&self.issuer, self.insecure)?;
        let name = self.access_token_verify_method.as_deref().unwrap_or("jwt");
        if !["jwt", "introspection", "userinfo", "none"].contains(&name) {
            return Err("access_token_verify_method is jwt, introspection, userinfo or none".to_owned());
        }
        let method = Method::named(name);
        if self.audience.is_empty() && self.authorized_parties.is_empty() && method != Method::UserInfo {
            return Err("audience is missing, and authorized_parties: tokens that it made for others are none for us"
                .to_owned());
        }
        if self.client.is_none() && method == Method::Introspection {
            return Err("client is missing: introspection asks who asks".to_owned());
        }
        Ok(Settings {
            rules: Rules {
                issuer: self.issuer,
                is_own: false,
                audiences: self.audience,
                authorized_parties: self.authorized_parties,
                at_jwt_only: self.at_jwt_only,
                leeway: self.leeway.as_deref().map_or(Ok(LEEWAY), leeway)?,
            },
            insecure: self.insecure,
            method,
            any_client: self.userinfo_any_client,
            client: self.client.map(|entry| client(entry, allow_exposed)).transpose()?,
            skip_user_info: self.skip_user_info,
            cache_ttl: MAX_CACHE_TTL,
            naming: naming(self.people)?,
            numbers: [None, None],
            provisioning: self.auto_provision.as_ref().map(provisioning).transpose()?,
            roles: self.roles.map(mapped).transpose()?,
            instance: None,
            tenant: tenant(self.tenant_claim.as_deref(), self.tenant_id_mapping)?,
        })
    }
}

fn tenant(claim: Option<&str>, is_external: bool) -> Result<Option<TenantClaim>, String> {
    if is_external && claim.is_none_or(str::is_empty) {
        return Err("tenant_claim is missing: tenant_id_mapping needs it".to_owned());
    }
    tenants::claim(claim.unwrap_or_default(), is_external).map_err(|problem| format!("tenant_claim {problem}"))
}

fn leeway(text: &str) -> Result<Duration, String> {
    let leeway = duration::parse(text).filter(|leeway| *leeway <= MOST_LEEWAY);
    leeway.ok_or_else(|| "leeway is a duration of at most 5m, as in 60s".to_owned())
}

fn client(entry: ClientEntry, allow_exposed: bool) -> Result<Client, String> {
    let ClientEntry { id, secret_file, post } = entry;
    let shown = secret_file.display();
    let secret = read_secret_file(&secret_file, allow_exposed);
    let secret = secret.map_err(|error| format!("client.secret_file names {shown}, {error}"))?;
    if id.is_empty() || secret.is_empty() {
        return Err("client: id and secret must not be empty".to_owned());
    }
    Ok(Client { id, secret, in_form: post })
}

fn naming(people: UserMapping) -> Result<Naming, String> {
    match people {
        UserMapping::Own { suffix } if suffix.len() < 2 || suffix.contains(|c: char| c.is_control() || c == ':') => {
            Err("people.own.suffix has at least two characters and no colon, like @partner".to_owned())
        }
        UserMapping::Own { suffix } => Ok(Naming::Own { suffix }),
        UserMapping::Directory { claim, by } => {
            Ok(Naming::Directory { claim: path("people.directory.claim", &claim)?, by_id: matches!(by, By::Userid) })
        }
    }
}

fn provisioning(claims: &Claims) -> Result<Provisioning, String> {
    if !(1..=MOST_GROUPS).contains(&claims.max_groups) {
        return Err("auto_provision.max_groups must be between 1 and 5000".to_owned());
    }
    let group_ids = claims.group_ids.as_deref().map(|ids| path("auto_provision.group_ids", ids)).transpose()?;
    Ok(Provisioning {
        group_ids,
        max_groups: claims.max_groups,
        username: path("auto_provision.username", &claims.username)?,
        mail: path("auto_provision.email", &claims.email)?,
        display_name: path("auto_provision.displayname", &claims.displayname)?,
        groups: path("auto_provision.groups", &claims.groups)?,
        trust_mail: claims.trust_email,
    })
}

fn mapped(entry: RolesEntry) -> Result<Roles, String> {
    let pair = |Pair { claim_value, role_name }: Pair| {
        let role = role_of(&role_name);
        role.map(|role| (claim_value, role)).ok_or_else(|| format!("roles.mapping: there is no role {role_name:?}"))
    };
    let mapping = entry.mapping.into_iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    if mapping.is_empty() {
        return Err("roles.mapping is empty: no user could sign in".to_owned());
    }
    Ok(Roles { claim: path("roles.claim", entry.claim.as_deref().unwrap_or("roles"))?, mapping })
}

fn path(key: &str, text: &str) -> Result<Path, String> {
    text.parse().map_err(|error| format!("{key} {error}"))
}
