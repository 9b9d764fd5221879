//! Service accounts as they are printed.

use std::time::{Duration, UNIX_EPOCH};

use authn::BoxError;
use proto::doorward::serviceaccounts::v1::{ServiceAccount, ServiceAccountSecret};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::say;

/// A time (RFC 3339); `never` if there is none.
fn date(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), rfc3339)
}

fn rfc3339(seconds: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

fn state(account: &ServiceAccount) -> &'static str {
    match (account.overridden, account.disabled) {
        (true, _) => "overridden",
        (false, true) => "disabled",
        (false, false) => "active",
    }
}

/// What a question calls an account.
pub(super) fn named(account: &ServiceAccount) -> String {
    match account.display_name.as_str() {
        "" => account.id.clone(),
        name => format!("{} ({name})", account.id),
    }
}

fn secret(secret: &ServiceAccountSecret) -> Value {
    json!({
        "id": secret.id,
        "created": rfc3339(secret.created),
        "created_by": secret.created_by,
        "expires": secret.expires.map(rfc3339),
        "last_used": secret.last_used.map(rfc3339),
    })
}

/// An account as JSON.
pub(super) fn value(account: &ServiceAccount) -> Value {
    json!({
        "id": account.id,
        "display_name": account.display_name,
        "scopes": account.scopes,
        "disabled": account.disabled,
        "overridden": account.overridden,
        "expires": account.expires.map(rfc3339),
        "created": rfc3339(account.created),
        "created_by": account.created_by,
        "last_used": account.last_used.map(rfc3339),
        "last_used_from": account.last_used_from,
        "last_used_by": account.last_used_by,
        "secrets": account.secrets.iter().map(secret).collect::<Vec<_>>(),
    })
}

/// An account with a new secret, as JSON.
pub(super) fn made(account: &ServiceAccount, secret_id: &str, secret: &str) -> Result<String, BoxError> {
    let mut value = value(account);
    value["secret_id"] = secret_id.into();
    value["secret"] = secret.into();
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

/// An account as a row of a table.
pub(super) fn row(account: &ServiceAccount) -> [String; 6] {
    [
        account.id.clone(),
        account.display_name.clone(),
        state(account).to_owned(),
        date(account.expires),
        date(account.last_used),
        account.secrets.len().to_string(),
    ]
}

/// Prints an account.
pub(super) fn lines(account: &ServiceAccount) -> Result<(), BoxError> {
    let used = [date(account.last_used), account.last_used_from.clone(), account.last_used_by.clone()];
    let used: Vec<_> = used.into_iter().filter(|part| !part.is_empty()).collect();
    let lines = [
        ("id", account.id.clone()),
        ("name", account.display_name.clone()),
        ("state", state(account).to_owned()),
        ("scopes", account.scopes.join(", ")),
        ("expires", date(account.expires)),
        ("created", rfc3339(account.created)),
        ("created by", account.created_by.clone()),
        ("last used", used.join("  ")),
    ];
    lines.iter().try_for_each(|(name, value)| say(format!("{name:12}{value}").trim_end()))?;
    account.secrets.iter().try_for_each(|secret| {
        let (created, expires, used) = (rfc3339(secret.created), date(secret.expires), date(secret.last_used));
        say(format_args!("secret      {}  created {created}, expires {expires}, last used {used}", secret.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> ServiceAccount {
        let secret = ServiceAccountSecret { id: "1".to_owned(), created: 60, ..ServiceAccountSecret::default() };
        ServiceAccount {
            id: "backup".to_owned(),
            scopes: vec!["user".to_owned()],
            last_used: Some(120),
            secrets: vec![secret],
            ..ServiceAccount::default()
        }
    }

    #[test]
    fn account_is_a_row_and_json() {
        let row = row(&account());
        assert_eq!(row.each_ref().map(String::as_str), ["backup", "", "active", "never", "1970-01-01T00:02:00Z", "1"]);
        let value = value(&account());
        assert_eq!((&value["expires"], &value["last_used"]), (&Value::Null, &json!("1970-01-01T00:02:00Z")));
        assert_eq!(value["secrets"][0]["created"], "1970-01-01T00:01:00Z");
        assert!(value.get("secret").is_none());
    }

    #[test]
    fn state_says_why_an_account_is_refused() {
        assert_eq!(state(&ServiceAccount { disabled: true, ..account() }), "disabled");
        assert_eq!(state(&ServiceAccount { disabled: true, overridden: true, ..account() }), "overridden");
        assert_eq!(named(&ServiceAccount { display_name: "Nightly".to_owned(), ..account() }), "backup (Nightly)");
    }
}
