//! The applications that have access to a user's account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use oidc::scope::Scopes;
use store::StoreError;

use super::provider::Provider;
use crate::model::Family;
use crate::store::StoredConsent;

/// An application with access to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectedApplication {
    /// The client.
    pub(crate) client: String,
    /// What users are shown; the identifier of a client that has no name or is gone.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) scope: Scopes,
    /// Since when.
    pub(crate) since: SystemTime,
    /// When its refresh tokens were last used, if it has any.
    pub(crate) last_used: Option<SystemTime>,
}

/// The applications that have access to the account of a user, by their identifiers.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn list(provider: &Provider, user: &str) -> Result<Vec<ConnectedApplication>, StoreError> {
    let consents = provider.store.consents(user).await?;
    let families = provider.store.families(user, provider.clock.now()).await?;
    let mut applications = Vec::new();
    for (client, Access { scope, since, last_used }) in merged(&consents, &families) {
        let name = name(provider, &client).await;
        applications.push(ConnectedApplication { client, name, scope, since, last_used });
    }
    Ok(applications)
}

async fn name(provider: &Provider, id: &str) -> String {
    let client = provider.clients.find(id).await.ok().flatten();
    let name = client.map(|client| client.presentation.name.clone()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| id.to_owned())
}

/// The access of an application.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    scope: Scopes,
    since: SystemTime,
    last_used: Option<SystemTime>,
}

impl Access {
    fn widen(&mut self, other: &Self) {
        // a union is too long only for hundreds of scopes; what is known is shown then
        self.scope = self.scope.union(&other.scope).unwrap_or_else(|_| self.scope.clone());
        self.since = self.since.min(other.since);
        self.last_used = self.last_used.max(other.last_used);
    }
}

/// Merges consents and refresh tokens. A consent is remembered for some clients only: devices, clients that ask each time and the
/// installation's own have access while a refresh token of theirs is valid.
fn merged(consents: &[StoredConsent], families: &[Family]) -> BTreeMap<String, Access> {
    let consents = consents.iter().map(|consent| {
        let scope = consent.scope.parse().unwrap_or_default();
        (&consent.client, Access { scope, since: consent.at, last_used: None })
    });
    let grants = families.iter().map(|family| {
        let Family { grant, created, rotated, .. } = family;
        (&grant.client, Access { scope: grant.scope.clone(), since: *created, last_used: Some(*rotated) })
    });
    let mut applications: BTreeMap<String, Access> = BTreeMap::new();
    for (client, access) in consents.chain(grants) {
        match applications.get_mut(client) {
            Some(known) => known.widen(&access),
            None => drop(applications.insert(client.clone(), access)),
        }
    }
    applications
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use uuid::Uuid;

    use super::*;
    use crate::endpoints::EndpointProfile;
    use crate::model::Grant;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn consent(client: &str, scope: &str, second: u64) -> StoredConsent {
        StoredConsent { client: client.to_owned(), scope: scope.to_owned(), at: at(second) }
    }

    fn family(client: &str, scope: &str, second: u64) -> Family {
        let grant = Grant {
            id: Uuid::from_u128(1),
            layout: EndpointProfile::OpenCloud,
            client: client.to_owned(),
            person: Some("einstein".to_owned()),
            sign_in: None,
            scope: scope.parse().unwrap(),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: false,
        };
        let created = at(second);
        Family { grant, binding: None, generation: 0, rotated: created, created, idle_end: at(9000), end: at(9000) }
    }

    #[test]
    fn application_with_a_refresh_token_is_listed_like_one_with_a_consent() {
        let consents = [consent("desktop", "email openid", 20), consent("mail", "openid", 50)];
        let families = [
            family("desktop", "offline_access openid", 10),
            family("tv", "openid", 40),
            family("tv", "openid profile", 30),
        ];
        let shown = merged(&consents, &families);
        let access = |scope: &str, since, last_used: Option<u64>| Access {
            scope: scope.parse().unwrap(),
            since: at(since),
            last_used: last_used.map(at),
        };
        let expected = [
            ("desktop".to_owned(), access("email offline_access openid", 10, Some(10))),
            ("mail".to_owned(), access("openid", 50, None)),
            ("tv".to_owned(), access("openid profile", 30, Some(40))),
        ];
        assert_eq!(shown, BTreeMap::from(expected));
    }
}
