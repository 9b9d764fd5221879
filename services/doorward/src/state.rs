//! The state of all services, for commands that copy it: their databases, and the secrets of the data folder.

pub(crate) mod sealed_files;
pub(crate) mod sources;
pub(crate) mod targets;

use store::ServiceState;

/// Services that share a database, with its URL, in the order of the first of each.
pub(crate) fn by_database(states: Vec<ServiceState>) -> Vec<(String, Vec<ServiceState>)> {
    let mut groups: Vec<(String, Vec<ServiceState>)> = Vec::new();
    for state in states {
        match groups.iter_mut().find(|(url, _)| *url == state.url) {
            Some((_, group)) => group.push(state),
            None => groups.push((state.url.clone(), vec![state])),
        }
    }
    groups
}

/// The names of services, for messages.
pub(crate) fn names(states: &[ServiceState]) -> String {
    states.iter().map(|state| state.service).collect::<Vec<_>>().join(", ")
}

/// What the rows of these services are worth nothing without: the variable of each secret, and what it opens.
pub(crate) fn needed_secrets(services: &[&str]) -> Vec<&'static str> {
    let needed = [
        ("auth-app", "AUTH_APP_TOKEN_KEY (app tokens)"),
        ("idp", "IDP_ENCRYPTION_SECRET (signing keys, secrets of clients, second factors)"),
        ("proxy", "PROXY_SESSION_SECRET (sessions at the edge)"),
    ];
    needed.into_iter().filter(|(service, _)| services.contains(service)).map(|(_, secret)| secret).collect()
}
