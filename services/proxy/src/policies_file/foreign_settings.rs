//! The keys of `proxy.yaml` that are not about routes: their proxy's settings, which the edge has under names of its own, or not at all.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

use super::document::AuthEntry;
use crate::config::Config;
use crate::user_agents::UserAgents;

/// The setting of auth-bearer that says which values of a claim are which roles.
const MAPPING: &str = "AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING";

/// The keys, and what to do instead; empty where nothing has to be done. One that can refuse something is also among the restrictions.
const KEYS: [(&str, &str); 35] = [
    ("account_backend", ""),
    ("auto_provision_accounts", "set PROXY_AUTOPROVISION_ACCOUNTS for auth-bearer"),
    ("auto_provision_claims", "set PROXY_AUTOPROVISION_CLAIM_* for auth-bearer"),
    ("backend_https_cacert", "set PROXY_HTTPS_CACERT"),
    ("claim_space_management", "the edge neither adds nor removes members of spaces by claims"),
    ("client_ip", "set PROXY_TRUSTED_PROXIES to the addresses of the proxies in front of the edge"),
    ("csp_config_file_location", "set PROXY_CSP_CONFIG_FILE_LOCATION"),
    ("csp_config_file_override_location", "set PROXY_CSP_CONFIG_FILE_OVERRIDE_LOCATION"),
    ("debug", "set PROXY_DEBUG_*"),
    ("enable_basic_auth", "set PROXY_ENABLE_BASIC_AUTH"),
    ("events", ""),
    ("grpc_client_tls", "set OCIS_GRPC_CLIENT_TLS_*"),
    ("http", "set PROXY_HTTP_ADDR, PROXY_TLS, PROXY_TRANSPORT_TLS_CERT and PROXY_TRANSPORT_TLS_KEY"),
    ("insecure_backends", "set PROXY_INSECURE_BACKENDS"),
    ("log", "set PROXY_LOG_LEVEL"),
    ("loglevel", "set PROXY_LOG_LEVEL"),
    ("machine_auth_api_key", "set OCIS_MACHINE_AUTH_API_KEY"),
    ("mfa", "set OCIS_MFA_ENABLED and OCIS_MFA_AUTH_LEVEL_NAMES"),
    ("multi_instance", "set OCIS_MULTI_INSTANCE_*"),
    ("oidc", "set OCIS_OIDC_ISSUER, and PROXY_OIDC_* for auth-bearer"),
    (
        "oidc_profile_picture",
        "set PROXY_OIDC_PROFILE_PICTURE_DISABLE_LOCAL_CHANGES; the edge does not copy pictures of issuers",
    ),
    ("policies_middleware", "the edge asks no policies service; write access rules into PROXY_ROUTES_FILE"),
    ("pre_signed_url", "set PROXY_ENABLE_PRESIGNEDURLS"),
    ("reva", "set PROXY_GATEWAY_ENDPOINT"),
    ("role_assignment", "set PROXY_ROLE_ASSIGNMENT_DRIVER and PROXY_ROLE_ASSIGNMENT_OIDC_CLAIM for auth-bearer"),
    ("role_quotas", "set GATEWAY_ROLE_QUOTAS for the gateway"),
    ("service_account", ""),
    ("tenant_id_mapping_enabled", "set PROXY_TENANT_ID_MAPPING_ENABLED for auth-bearer"),
    ("tenant_oidc_claim", "set PROXY_TENANT_OIDC_CLAIM for auth-bearer"),
    ("token_manager", "set OCIS_JWT_SECRET"),
    ("tracing", "set OCIS_TRACING_*"),
    ("transfer_secret", "uploads that are not sent to /data are not supported"),
    ("transfer_timeout", ""),
    ("user_cs3_claim", "set PROXY_USER_CS3_CLAIM for auth-bearer"),
    ("user_oidc_claim", "set PROXY_USER_OIDC_CLAIM for auth-bearer"),
];

/// A setting of theirs that refuses something. With its value in the file, the edge must not permit more than their proxy has.
#[derive(Debug)]
pub(super) struct Restriction {
    key: &'static str,
    /// The key below it; empty if there is none.
    below: &'static str,
    /// Whether a value refuses something.
    refuses: fn(&Value) -> bool,
    /// Whether the edge refuses it too.
    is_met: fn(&Config) -> bool,
    /// What is wrong if it does not.
    problem: &'static str,
    /// The setting by which it does; empty if there is none.
    setting: &'static str,
}

/// All of them but `auth_middleware`.
static RESTRICTIONS: [Restriction; 7] = [
    Restriction {
        key: "claim_space_management",
        below: "enabled",
        refuses: is_on,
        is_met: |_| false,
        problem: "claim_space_management: enabled is true, and the edge neither adds nor removes members of spaces by claims; remove the key",
        setting: "",
    },
    Restriction {
        key: "enable_basic_auth",
        below: "",
        refuses: is_off,
        is_met: |config| !config.enable_basic_auth,
        problem: "enable_basic_auth is false",
        setting: "PROXY_ENABLE_BASIC_AUTH=false",
    },
    Restriction {
        key: "mfa",
        below: "enabled",
        refuses: is_on,
        is_met: |config| config.mfa.enabled,
        problem: "mfa: enabled is true, and the edge takes every request as one with several factors",
        setting: "OCIS_MFA_ENABLED=true",
    },
    Restriction {
        key: "multi_instance",
        below: "enabled",
        refuses: is_on,
        is_met: |config| config.multi_instance_enabled,
        problem: "multi_instance: enabled is true",
        setting: "OCIS_MULTI_INSTANCE_ENABLED=true",
    },
    Restriction {
        key: "oidc_profile_picture",
        below: "disable_local_changes",
        refuses: is_on,
        is_met: |config| config.oidc_profile_picture.disable_local_changes,
        problem: "oidc_profile_picture: disable_local_changes is true",
        setting: "PROXY_OIDC_PROFILE_PICTURE_DISABLE_LOCAL_CHANGES=true",
    },
    Restriction {
        key: "policies_middleware",
        below: "query",
        refuses: is_set,
        is_met: |_| false,
        problem: "policies_middleware: query is set, and the edge asks no policies service; write access rules into PROXY_ROUTES_FILE, and remove the key",
        setting: "",
    },
    Restriction {
        key: "pre_signed_url",
        below: "enabled",
        refuses: is_off,
        is_met: |config| !config.accepts_signed_urls(),
        problem: "pre_signed_url: enabled is false",
        setting: "PROXY_ENABLE_PRESIGNEDURLS=false",
    },
];

/// Those that the edge does not have by this configuration.
pub(super) fn unmet(config: &Config) -> Vec<&'static Restriction> {
    RESTRICTIONS.iter().filter(|restriction| !(restriction.is_met)(config)).collect()
}

impl Restriction {
    /// Whether the file has it.
    fn is_in(&self, rest: &BTreeMap<String, Value>) -> bool {
        let value = rest.get(self.key);
        let value = if self.below.is_empty() { value } else { value.and_then(|value| value.get(self.below)) };
        value.is_some_and(|value| (self.refuses)(value))
    }
}

/// A restriction that the edge does not have, and the setting by which it would. In their proxy variables have precedence over the
/// file, so that what the file refuses may have been permitted.
fn unmet_problem(problem: &str, setting: &str) -> String {
    if setting.is_empty() {
        return problem.to_owned();
    }
    format!("{problem}; set {setting} too, or remove the key from the file if a variable overrules it in their proxy")
}

fn is_set(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// Whether a truth value is false, in any form that theirs reads.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Bool(is_on) => !is_on,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => ["0", "f", "false"].contains(&text.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

/// Whether a truth value is true. What cannot be read as one counts as true.
fn is_on(value: &Value) -> bool {
    is_set(value) && !is_off(value)
}

/// A warning for each key that the edge does not read from the file. Values are not shown: some are secrets.
///
/// # Errors
/// For a key that their proxy has not either, and for a setting that refuses what the edge permits.
pub(super) fn warnings(rest: &BTreeMap<String, Value>, unmet: &[&Restriction]) -> Result<Vec<String>, String> {
    if let Some(restriction) = unmet.iter().find(|restriction| restriction.is_in(rest)) {
        return Err(unmet_problem(restriction.problem, restriction.setting));
    }
    let mut warnings = Vec::new();
    for (key, value) in rest {
        let Some((_, advice)) = KEYS.iter().find(|(known, _)| known == key) else {
            return Err(format!("the key {key} is not known"));
        };
        let mapping = if key == "role_assignment" { mapping(value) } else { None };
        let mapping = mapping.map(|pairs| format!(", and {MAPPING}='{pairs}'")).unwrap_or_default();
        if !advice.is_empty() && !value.is_null() {
            warnings.push(format!("{key} is not read from this file: {advice}{mapping}"));
        }
    }
    Ok(warnings)
}

/// What `AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING` has to be for the same roles; `None` if there is no mapping, or it cannot be written so.
fn mapping(role_assignment: &Value) -> Option<String> {
    let mapping = role_assignment.get("oidc_role_mapper")?.get("role_mapping")?.as_sequence()?;
    let pair = |entry: &Value| {
        let (role, value) = (entry.get("role_name")?.as_str()?, entry.get("claim_value")?.as_str()?);
        // the role of guests has this name in an OpenCloud
        let role = if role == "user-light" { "guest" } else { role };
        (!value.contains([',', '\''])).then(|| format!("{value}={role}"))
    };
    let pairs: Option<Vec<String>> = mapping.iter().map(pair).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(","))
}

/// The clients of `auth_middleware` that are offered one scheme alone.
///
/// # Errors
/// If the file forbids app tokens, which the edge accepts, or names an unknown scheme.
pub(super) fn of_authentication(entry: Option<AuthEntry>, accepts_app_tokens: bool) -> Result<UserAgents, String> {
    let Some(AuthEntry { credentials_by_user_agent, allow_app_auth }) = entry else {
        return Ok(UserAgents::default());
    };
    if allow_app_auth == Some(false) && accepts_app_tokens {
        return Err(unmet_problem("auth_middleware: allow_app_auth is false", "PROXY_ENABLE_APP_AUTH=false"));
    }
    UserAgents::new(credentials_by_user_agent.unwrap_or_default())
}
