//! Ending what was issued.

use std::time::{Duration, SystemTime};

use store::StoreError;
use uuid::Uuid;

use crate::clients::Client;
use crate::endpoints::Site;
use crate::provider::Provider;

/// For how much longer than the longest access token a revocation is remembered: a token may be older than the setting that
/// says how long it lives.
const MARGIN: Duration = Duration::from_hours(1);

/// Until when it has to be remembered that a grant of this client was revoked now.
pub(crate) fn remembered_until(provider: &Provider, site: &Site, client: &Client, now: SystemTime) -> SystemTime {
    now + provider.config.lives.of(site.layout, &client.lifetimes).access_token + MARGIN
}

/// Ends a grant and everything derived from it.
pub(crate) async fn revoke_grant(
    provider: &Provider,
    site: &Site,
    client: &Client,
    grant: Uuid,
    now: SystemTime,
) -> Result<(), StoreError> {
    let until = remembered_until(provider, site, client, now);
    provider.store.revoke_grant(grant, until, now).await
}
