//! Between rows and accounts.

use sea_orm::ActiveValue::Set;
use store::StoreError;
use store::columns::{micros, time};

use super::entity::{account, secret};
use crate::model::{LastUse, StoredAccount, StoredSecret};
use crate::secret::Verifier;

/// The scopes as their column has them.
pub(super) fn scopes(scopes: &[String]) -> String {
    serde_json::Value::from(scopes).to_string()
}

pub(super) fn of_account(account: &StoredAccount) -> account::ActiveModel {
    account::ActiveModel {
        id: Set(account.id.clone()),
        display_name: Set(account.display_name.clone()),
        scopes: Set(scopes(&account.scopes)),
        disabled: Set(account.disabled),
        expires: Set(account.expires.map(micros)),
        created: Set(micros(account.created)),
        created_by: Set(account.created_by.clone()),
        used: Set(None),
        used_from: Set(String::new()),
        used_by: Set(String::new()),
    }
}

pub(super) fn of_secret(account: &str, secret: &StoredSecret) -> secret::ActiveModel {
    secret::ActiveModel {
        id: Set(secret.id),
        account: Set(account.to_owned()),
        hmac_key: Set(secret.verifier.key.to_vec()),
        digest: Set(secret.verifier.digest.to_vec()),
        created: Set(micros(secret.created)),
        created_by: Set(secret.created_by.clone()),
        expires: Set(secret.expires.map(micros)),
        used: Set(None),
    }
}

/// A row that cannot be understood is a fault, never an account that may do something else.
pub(super) fn account((row, secrets): (account::Model, Vec<secret::Model>)) -> Result<StoredAccount, StoreError> {
    let scopes = serde_json::from_str(&row.scopes);
    let scopes = scopes.map_err(|_| StoreError::internal(format!("service account {:?}: invalid scopes", row.id)))?;
    let last_use = row.used.map(|used| LastUse {
        at: time(used),
        source: row.used_from.parse().ok(),
        user_agent: row.used_by.clone(),
    });
    let mut secrets = secrets.into_iter().map(secret).collect::<Result<Vec<_>, _>>()?;
    secrets.sort_by_key(|secret| (secret.created, secret.id));
    Ok(StoredAccount {
        id: row.id,
        display_name: row.display_name,
        scopes,
        disabled: row.disabled,
        expires: row.expires.map(time),
        created: time(row.created),
        created_by: row.created_by,
        last_use,
        secrets,
    })
}

fn secret(row: secret::Model) -> Result<StoredSecret, StoreError> {
    let damaged = || StoreError::internal(format!("secret {} of a service account: invalid digest", row.id));
    let key = row.hmac_key.as_slice().try_into().map_err(|_| damaged())?;
    let digest = row.digest.as_slice().try_into().map_err(|_| damaged())?;
    Ok(StoredSecret {
        id: row.id,
        verifier: Verifier { key, digest },
        created: time(row.created),
        created_by: row.created_by,
        expires: row.expires.map(time),
        last_used: row.used.map(time),
    })
}
