//! `doorward user import`: adds the users of a file.

mod file;
mod report;

use std::collections::BTreeSet;

use authn::BoxError;
use config::Secret;
use runtime::Context;

use self::file::Row;
use self::report::{Outcome, Report, weakness};
use super::make_password;
use crate::admin::Admin;
use crate::cli::{Format, Import};
use crate::user_administration::NewUser;

impl Import {
    /// Adds one user after the other: each with password, roles and groups, or not at all. A row that fails stops none of
    /// the others.
    ///
    /// # Errors
    /// When the file cannot be read, a new password cannot be shown, or a row has failed.
    pub(crate) async fn run(self, admin: &mut Admin, context: &Context) -> Result<(), BoxError> {
        let rows = file::read(&self.file, self.format()?)?;
        let mut report = Report::new(self.json, self.dry_run);
        let groups = if self.dry_run { group_names(admin).await? } else { BTreeSet::new() };
        let mut names = BTreeSet::new();
        for (line, row) in rows {
            let row = match row {
                Ok(row) => row,
                Err(problem) => {
                    report.print(line, "", &Outcome::Failed(problem))?;
                    continue;
                }
            };
            let user_name = row.user_name.clone();
            let outcome = if !names.insert(user_name.to_lowercase()) {
                Err("another row of the file has this user_name".into())
            } else if self.dry_run {
                self.check(row, admin, &groups).await
            } else {
                self.add(row, admin, context).await
            };
            let outcome = outcome.unwrap_or_else(|problem| Outcome::Failed(problem.to_string()));
            if let Err(error) = report.print(line, &user_name, &outcome) {
                // the password would be known to no one
                if let Outcome::Added { password: Some(_), .. } = outcome {
                    admin.undo_add(&user_name).await?;
                }
                return Err(error);
            }
        }
        report.finish()
    }

    fn format(&self) -> Result<Format, BoxError> {
        let extension = self.file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match (self.format, extension.as_deref()) {
            (Some(format), _) => Ok(format),
            (None, Some("csv")) => Ok(Format::Csv),
            (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
            (None, _) => {
                let file = self.file.display();
                Err(format!("{file}: the name does not tell the format; add --format csv or --format jsonl").into())
            }
        }
    }

    async fn add(&self, row: Row, admin: &mut Admin, context: &Context) -> Result<Outcome, BoxError> {
        let generated = (self.generate && row.password.is_none()).then(|| make_password(&context.random));
        let password = row.password.as_ref().or(generated.as_ref());
        let added = admin.add(&row.user(), password).await?;
        Ok(Outcome::Added { id: added.id, password: generated })
    }

    /// What [`add`](Self::add) would do, as far as that is known before.
    async fn check(&self, row: Row, admin: &mut Admin, groups: &BTreeSet<String>) -> Result<Outcome, BoxError> {
        let user = row.user();
        if admin.find(user.username).await?.is_some() {
            return Err("there is a user with this login name".into());
        }
        if let Some(missing) = row.groups.iter().find(|group| !groups.contains(*group)) {
            return Err(format!("there is no group {missing:?}; add it with: group add").into());
        }
        if let Some(password) = &row.password {
            let judged = admin.judge_password(&user, password).await?;
            if let Some(found) = judged.weaknesses().next() {
                return Err(weakness(found, &judged).into());
            }
        }
        Ok(Outcome::WouldBeAdded)
    }
}

async fn group_names(admin: &mut Admin) -> Result<BTreeSet<String>, BoxError> {
    Ok(admin.groups().await?.into_iter().map(|group| group.name).collect())
}

impl Row {
    fn user(&self) -> NewUser<'_> {
        let display_name = if self.display_name.is_empty() { &self.user_name } else { &self.display_name };
        NewUser { username: &self.user_name, mail: &self.mail, display_name, roles: &self.roles, groups: &self.groups }
    }
}

/// Whether a new password is to be shown with a row.
fn new_password(outcome: &Outcome) -> Option<&Secret> {
    match outcome {
        Outcome::Added { password, .. } => password.as_ref(),
        Outcome::WouldBeAdded | Outcome::Failed(_) => None,
    }
}
