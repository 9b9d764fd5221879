mod show;

use authn::BoxError;
use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, CreateServiceAccountRequest, UpdateServiceAccountRequest,
};
use serde_json::json;

use super::{json, say, table};
use crate::cli::{AddServiceAccount, End, Output, ServiceAccount, UpdateServiceAccount};
use crate::service_accounts::ServiceAccounts;

/// Runs `doorward service-account ...`.
pub(crate) async fn run(command: ServiceAccount, mut accounts: ServiceAccounts) -> Result<(), BoxError> {
    match command {
        ServiceAccount::Add(add) => self::add(add, &mut accounts).await?,
        ServiceAccount::List { query, output } => {
            let found = accounts.list(&query).await?;
            if output.json {
                return json(&found.iter().map(show::value).collect());
            }
            let rows: Vec<_> = found.iter().map(show::row).collect();
            table(["ID", "NAME", "STATE", "EXPIRES", "LAST USED", "SECRETS"], &rows)?;
        }
        ServiceAccount::Show { id, output } => {
            let account = accounts.get(&id).await?;
            if output.json { json(&show::value(&account))? } else { show::lines(&account)? }
        }
        ServiceAccount::Update(update) => self::update(update, &mut accounts).await?,
        ServiceAccount::Delete { id, confirmation, output } => {
            let account = accounts.get(&id).await?;
            let question = format!("Delete the service account {} and its secrets?", show::named(&account));
            if confirmation.is_given(&question)? {
                accounts.delete(&id).await?;
                if output.json {
                    json(&json!({ "id": id, "deleted": true }))?;
                } else {
                    say(format_args!("{id} is deleted"))?;
                }
            }
        }
        ServiceAccount::AddSecret { id, expire_old_in, output } => {
            let message =
                AddSecretRequest { id: id.clone(), expire_old_in: expire_old_in.map(|after| after.as_secs()) };
            let made = accounts.add_secret(message).await?;
            let (account, secret_id) = (made.account.unwrap_or_default(), made.secret_id);
            let text = if output.json {
                show::made(&account, &secret_id, &made.secret)?
            } else {
                format!("{}\n", made.secret)
            };
            let remedy = format!("remove the secret with: service-account remove-secret {id} {secret_id}");
            runtime::print_once(text, remedy)?;
        }
        ServiceAccount::RemoveSecret { id, secret_id, confirmation, output } => {
            let account = accounts.get(&id).await?;
            let question = format!(
                "Remove the secret {secret_id} of the service account {}? Programs that use it are refused.",
                show::named(&account)
            );
            if confirmation.is_given(&question)? {
                let account = accounts.remove_secret(&id, &secret_id).await?;
                changed(&account, output, format_args!("the secret {secret_id} of {id} is removed"))?;
            }
        }
    }
    Ok(())
}

async fn add(add: AddServiceAccount, accounts: &mut ServiceAccounts) -> Result<(), BoxError> {
    let AddServiceAccount { id, display_name, scopes, expires, output } = add;
    let expires = expires.map(time::OffsetDateTime::unix_timestamp);
    let made = accounts.create(CreateServiceAccountRequest { id: id.clone(), display_name, scopes, expires }).await?;
    let account = made.account.unwrap_or_default();
    let secret_id = account.secrets.first().map(|secret| secret.id.clone()).unwrap_or_default();
    let text = if output.json {
        show::made(&account, &secret_id, &made.secret)?
    } else {
        format!("id      {id}\nsecret  {}\n", made.secret)
    };
    runtime::print_once(
        text,
        format_args!("the service account {id} exists; delete it with: service-account delete {id}"),
    )
}

async fn update(update: UpdateServiceAccount, accounts: &mut ServiceAccounts) -> Result<(), BoxError> {
    if update.is_empty() {
        return Err("nothing to change is given; `doorward service-account update --help` lists what can be".into());
    }
    let disabled = update.disabled();
    let expires = update.expires.map(|end| match end {
        End::Never => 0,
        End::At(time) => time.unix_timestamp(),
    });
    let UpdateServiceAccount { id, display_name, scopes, output, .. } = update;
    let message = UpdateServiceAccountRequest { id: id.clone(), display_name, scopes, disabled, expires };
    let account = accounts.update(message).await?;
    let done = match disabled {
        Some(true) => "is disabled",
        Some(false) => "is enabled",
        None => "is changed",
    };
    changed(&account, output, format_args!("{id} {done}"))
}

/// Prints the account after a change, or what was done.
fn changed(
    account: &proto::doorward::serviceaccounts::v1::ServiceAccount,
    output: Output,
    done: std::fmt::Arguments<'_>,
) -> Result<(), BoxError> {
    if output.json { json(&show::value(account)) } else { say(done) }
}
