//! Between messages of `ServiceAccountsAPI` and the domain.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::doorward::serviceaccounts::v1::{
    CreateServiceAccountRequest, ServiceAccount, ServiceAccountSecret, UpdateServiceAccountRequest,
};
use store::columns::time;

use crate::administration::NewAccount;
use crate::model::{Change, StoredAccount, StoredSecret};

pub(super) fn new_account(request: CreateServiceAccountRequest) -> NewAccount {
    let CreateServiceAccountRequest { id, display_name, scopes, expires } = request;
    NewAccount { id, display_name, scopes, expires: expires.map(moment) }
}

/// The identifier of an account and what is to be changed of it.
pub(super) fn change(request: UpdateServiceAccountRequest) -> (String, Change) {
    let UpdateServiceAccountRequest { id, display_name, scopes, disabled, expires } = request;
    let scopes = (!scopes.is_empty()).then_some(scopes);
    let expires = expires.map(|end| (end != 0).then(|| moment(end)));
    (id, Change { display_name, scopes, disabled, expires })
}

pub(super) fn account(account: &StoredAccount, overridden: bool, now: SystemTime) -> ServiceAccount {
    let last = account.last_use.as_ref();
    ServiceAccount {
        id: account.id.clone(),
        display_name: account.display_name.clone(),
        scopes: account.scopes.clone(),
        disabled: account.disabled,
        expires: account.expires.map(epoch),
        created: epoch(account.created),
        created_by: account.created_by.clone(),
        last_used: last.map(|last| epoch(last.at)),
        last_used_from: last.and_then(|last| last.source).map(|source| source.to_string()).unwrap_or_default(),
        last_used_by: last.map(|last| last.user_agent.clone()).unwrap_or_default(),
        secrets: account.valid_secrets(now).map(secret).collect(),
        overridden,
    }
}

fn secret(secret: &StoredSecret) -> ServiceAccountSecret {
    ServiceAccountSecret {
        id: secret.id.to_string(),
        created: epoch(secret.created),
        created_by: secret.created_by.clone(),
        expires: secret.expires.map(epoch),
        last_used: secret.last_used.map(epoch),
    }
}

/// Seconds since the epoch, as messages have them, as a time.
fn moment(seconds: i64) -> SystemTime {
    time(seconds.saturating_mul(1_000_000))
}

/// Seconds since the epoch, as messages have them.
fn epoch(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
