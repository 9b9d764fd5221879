//! The keys of `proxy.yaml` that are not about routes: their proxy's settings, which the edge has under names of its own, or not at all.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

use super::document::AuthEntry;

/// The setting of auth-bearer that says which values of a claim are which roles.
const MAPPING: &str = "AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING";

/// The keys, and what to do instead; empty where nothing has to be done.
const KEYS: [(&str, &str); 34] = [
    ("account_backend", ""),
    ("auto_provision_accounts", "set PROXY_AUTOPROVISION_ACCOUNTS for auth-bearer"),
    ("auto_provision_claims", "set PROXY_AUTOPROVISION_CLAIM_* for auth-bearer"),
    ("backend_https_cacert", "set PROXY_HTTPS_CACERT"),
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
    ("oidc_profile_picture", "the edge does not copy pictures of issuers"),
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

/// A warning for each key that the edge does not read from the file. Values are not shown: some are secrets.
///
/// # Errors
/// For a key that their proxy has not either.
pub(super) fn warnings(rest: &BTreeMap<String, Value>) -> Result<Vec<String>, String> {
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

/// Warnings about `auth_middleware`.
///
/// # Errors
/// If the file forbids app tokens, which the edge accepts.
pub(super) fn of_authentication(entry: Option<AuthEntry>, accepts_app_tokens: bool) -> Result<Option<String>, String> {
    let Some(AuthEntry { credentials_by_user_agent, allow_app_auth }) = entry else { return Ok(None) };
    if allow_app_auth == Some(false) && accepts_app_tokens {
        return Err("auth_middleware: allow_app_auth is false; set PROXY_ENABLE_APP_AUTH=false too".to_owned());
    }
    let is_used = credentials_by_user_agent.is_some_and(|agents| !agents.is_empty());
    let warning = "auth_middleware: credentials_by_user_agent has no effect: every client is offered the same schemes";
    Ok(is_used.then(|| warning.to_owned()))
}
