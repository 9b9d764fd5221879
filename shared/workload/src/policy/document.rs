//! The policy file, as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Which workloads may authenticate without a shared secret, and for whom they may act.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A workload policy of Doorward")]
pub(super) struct Document {
    /// The callers, in order: the first entry that matches a request decides. A request that matches none is refused.
    #[schemars(extend("maxItems" = super::MAX_ENTRIES))]
    pub(super) callers: Vec<CallerEntry>,
    /// How issuers are reached. An issuer that is not here is found by discovery over https.
    #[serde(default)]
    pub(super) issuers: Vec<IssuerEntry>,
}

/// A workload, and what it may do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallerEntry {
    /// A SPIFFE ID, a name in a certificate, or with `issuer` the subject of a token. It may end in `*`.
    pub(super) identity: Option<String>,
    /// The issuer of the tokens (`iss`), byte for byte. Not together with a SPIFFE ID.
    pub(super) issuer: Option<String>,
    /// For whom tokens must be made: one of these, as their only audience. Without it only certificates are accepted.
    #[serde(default)]
    pub(super) audience: Vec<String>,
    /// The namespace of a Kubernetes service account; `*` is any.
    pub(super) namespace: Option<String>,
    /// The name of a Kubernetes service account; `*` is any.
    pub(super) name: Option<String>,
    /// Claims that the token must have with exactly these texts.
    #[serde(default)]
    #[schemars(extend("maxProperties" = super::MAX_CLAIMS))]
    pub(super) claims: BTreeMap<String, String>,
    /// The users for whom the workload may act, with the type `machine`.
    pub(super) may_act_for: Option<UsersEntry>,
    /// The service account that the workload is, with the type `serviceaccounts`.
    pub(super) service_account: Option<String>,
    /// The OAuth client that the workload is, at the token endpoint.
    pub(super) client: Option<String>,
    /// What the workload may do for a user: scopes as app tokens have them. `user`, which is everything, if unset.
    pub(super) scopes: Option<Vec<String>>,
    /// How long that may last, from 10s to 1h. As long as the token, if unset.
    pub(super) lifetime: Option<String>,
}

/// Users for whom a workload may act: those of whom one of the lists is true.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsersEntry {
    /// Login names. `*` stands for all users who are neither administrators nor accounts of programs.
    #[serde(default)]
    pub(super) users: Vec<String>,
    /// Groups, by their identifiers and not their names. Administrators do not count as members.
    #[serde(default)]
    pub(super) groups: Vec<String>,
    /// Roles: `admin`, `spaceadmin`, `user`, `guest`, or the identifier of a role.
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

/// How an issuer of tokens is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerEntry {
    /// The issuer (`iss`), byte for byte.
    pub(super) issuer: String,
    /// A file with certificates (PEM) of authorities that are trusted for this issuer, in addition to those of the system.
    pub(super) ca_file: Option<PathBuf>,
    /// A file with a token that is sent with requests to this issuer. It is read at each request.
    pub(super) token_file: Option<PathBuf>,
    /// A file with the keys of the issuer (JWKS), which is read instead of asking it.
    pub(super) jwks_file: Option<PathBuf>,
    /// Whether the keys may be at another address in a private network.
    #[serde(default)]
    pub(super) allow_private: bool,
    /// The longest time from `iat`, or from now if a token has none, to `exp`. 24h if unset.
    pub(super) max_token_lifetime: Option<String>,
}
