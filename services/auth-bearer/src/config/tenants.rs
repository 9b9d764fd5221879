//! Which claim names the tenant of a user.

use super::Config;
use crate::claims::{Path, TenantClaim};
use crate::issuer::Settings;

/// Characters by which `JMESPath` does more than naming a claim below another one.
const EXPRESSION: [char; 7] = ['[', ']', '|', '&', '*', '@', '\''];

/// The claim with this name; `None` for an empty name.
///
/// # Errors
/// Says what is wrong.
pub(super) fn claim(name: &str, is_external: bool) -> Result<Option<TenantClaim>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    if name.contains(EXPRESSION) {
        return Err("must be names joined by dots: other expressions of JMESPath are not supported".to_owned());
    }
    let path = name.parse::<Path>().map_err(|error| error.to_string())?;
    Ok(Some(TenantClaim { path, is_external }))
}

/// Checks what issuers say of tenants.
///
/// # Errors
/// Says which rule does not hold.
pub(super) fn check_together(config: &Config, all: &[Settings]) -> Result<(), String> {
    let named = |issuer: Option<&Settings>| issuer.map(|issuer| issuer.rules.issuer.clone());
    if let Some(issuer) = named(all.iter().find(|issuer| issuer.tenant.is_some() && !config.multi_tenant_enabled)) {
        return Err(format!("{issuer}: tenant_claim needs OCIS_MULTI_TENANT_ENABLED=true"));
    }
    if let Some(issuer) = named(all.iter().find(|issuer| issuer.provisioning.is_some() && config.multi_tenant_enabled))
    {
        return Err(format!(
            "{issuer}: auto_provision and OCIS_MULTI_TENANT_ENABLED exclude each other: tenants come from LDAP"
        ));
    }
    let is_external = |issuer: &&Settings| issuer.tenant.as_ref().is_some_and(|tenant| tenant.is_external);
    match named(all.iter().find(is_external)) {
        Some(issuer) if config.minting.jwt_secret.is_empty() => {
            Err(format!("{issuer}: tenants are looked up with a token, and OCIS_JWT_SECRET is not set"))
        }
        _ => Ok(()),
    }
}
