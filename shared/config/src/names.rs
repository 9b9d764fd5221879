//! Environment names: the service's prefix, the equal names, the nearest right one.

use crate::{Environment, Identity};

/// The name that is equal to `name`: `OC_X` for `OCIS_X`.
pub(crate) fn twin(name: &str) -> Option<String> {
    name.strip_prefix("OCIS_").map(|rest| format!("OC_{rest}"))
}

/// The variable that may name a file instead of `name` holding the secret.
pub(crate) fn file_name(name: &str) -> String {
    format!("{name}_FILE")
}

/// The candidate most like `wrong`, if one is like it at all.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|name| (strsim::osa_distance(wrong, name), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + wrong.len() / 4)
        .map(|(_, name)| name)
}

/// A variable that bears a service's prefix, and that no setting of the service has. Another service may have it: `PROXY_USER_OIDC_CLAIM`
/// is a setting of auth-bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// What the operator should know, in one line.
    pub warning: String,
}

/// The variables that bear the service's prefix and that no setting has.
pub(crate) fn unknown(identity: &Identity, env: &Environment, known: &[String]) -> Vec<UnknownVariable> {
    let prefix = format!("{}_", identity.prefix);
    let own = || known.iter().map(String::as_str).filter(|name| name.starts_with(&prefix));
    env.names()
        .filter(|name| name.starts_with(&prefix) && !known.iter().any(|known| known == name))
        .filter(|name| !is_service_link(&name[prefix.len()..]))
        .map(|name| {
            let hint = crate::error::did_you_mean(nearest(name, own()));
            let warning = format!("{name} is set, but {} has no such setting; it is ignored{hint}", identity.name);
            UnknownVariable { name: name.to_owned(), warning }
        })
        .collect()
}

/// Kubernetes and Docker put `AUTH_APP_SERVICE_HOST`, `AUTH_APP_PORT_9246_TCP_ADDR` and the like into every container
/// of a network with a service named `auth-app`: those are not mistyped.
fn is_service_link(rest: &str) -> bool {
    rest == "PORT" || ["PORT_", "SERVICE_HOST", "SERVICE_PORT"].iter().any(|link| rest.starts_with(link))
}
