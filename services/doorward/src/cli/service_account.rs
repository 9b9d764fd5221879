//! `doorward service-account`

use std::time::Duration;

use clap::{Args, Subcommand};
use runtime::Confirmation;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Output;

/// The word for an account that does not end.
const NEVER: &str = "never";

/// What can be done about stored service accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccount {
    /// Adds a service account and prints its secret: that is shown this once
    Add(AddServiceAccount),
    /// Lists service accounts
    List {
        /// Only accounts whose id or name holds this text
        #[arg(default_value = "")]
        query: String,
        #[command(flatten)]
        output: Output,
    },
    /// Shows a service account and when its secrets were used
    Show {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Changes, disables or enables a service account
    Update(UpdateServiceAccount),
    /// Deletes a service account and its secrets
    Delete {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        output: Output,
    },
    /// Gives a service account a second secret and prints it; the first one stays valid
    AddSecret {
        /// The id of the account
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Ends the first secret after so long, in numbers with h, m or s; without this it ends when it is removed
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expire_old_in: Option<Duration>,
        #[command(flatten)]
        output: Output,
    },
    /// Removes a secret, which is refused from the next request on
    RemoveSecret {
        /// The id of the account
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// The id of the secret, as `service-account show` prints it
        #[arg(allow_hyphen_values = true)]
        secret_id: String,
        #[command(flatten)]
        confirmation: Confirmation,
        #[command(flatten)]
        output: Output,
    },
}

/// `service-account add`
#[derive(Debug, Args)]
pub(crate) struct AddServiceAccount {
    /// Its id: 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// What to call it
    #[arg(long, default_value = "")]
    pub(crate) display_name: String,
    /// What it may do: `user` is everything; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", default_values_t = ["user".to_owned()])]
    pub(crate) scopes: Vec<String>,
    /// When it ends, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) expires: Option<OffsetDateTime>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `service-account update`
#[derive(Debug, Args)]
pub(crate) struct UpdateServiceAccount {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// What to call it
    #[arg(long)]
    pub(crate) display_name: Option<String>,
    /// What it may do; may be repeated, and replaces the whole list
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// When it ends, like 2027-01-31T00:00:00Z, or `never`
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) expires: Option<End>,
    /// Refuses it from the next request on
    #[arg(long, conflicts_with = "enable")]
    pub(crate) disable: bool,
    /// Accepts it again
    #[arg(long)]
    pub(crate) enable: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// When an account is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not.
    Never,
    /// Then.
    At(OffsetDateTime),
}

impl UpdateServiceAccount {
    /// Whether nothing is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { id: _, display_name, scopes, expires, disable, enable, output: _ } = self;
        display_name.is_none() && scopes.is_empty() && expires.is_none() && !disable && !enable
    }

    /// Whether it is to be disabled; `None` if that stays as it is.
    pub(crate) fn disabled(&self) -> Option<bool> {
        (self.disable || self.enable).then_some(self.disable)
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    config::duration::parse(text).ok_or("is a number with h, m or s, as in 24h")
}

fn moment(text: &str) -> Result<OffsetDateTime, &'static str> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "is a time like 2027-01-31T00:00:00Z")
}

fn end(text: &str) -> Result<End, &'static str> {
    if text == NEVER {
        return Ok(End::Never);
    }
    moment(text).map(End::At).map_err(|_| "is a time like 2027-01-31T00:00:00Z, or never")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: ServiceAccount,
    }

    fn parse(line: &[&str]) -> Result<ServiceAccount, clap::Error> {
        Line::try_parse_from(["service-account"].iter().chain(line)).map(|line| line.command)
    }

    fn update(line: &[&str]) -> UpdateServiceAccount {
        match parse(&[&["update", "backup"], line].concat()).expect("is understood") {
            ServiceAccount::Update(update) => update,
            other => panic!("is another command: {other:?}"),
        }
    }

    #[test]
    fn only_what_is_given_is_changed() {
        assert!(update(&["--json"]).is_empty());
        assert_eq!(
            [update(&[]), update(&["--disable"]), update(&["--enable"])].map(|one| one.disabled()),
            [None, Some(true), Some(false)]
        );
        assert_eq!(update(&["--expires", "never"]).expires, Some(End::Never));
        let end = update(&["--expires", "1970-01-01T00:01:00Z"]).expires;
        assert_eq!(end, OffsetDateTime::from_unix_timestamp(60).ok().map(End::At));
        parse(&["update", "backup", "--disable", "--enable"]).expect_err("is a contradiction");
    }

    #[test]
    fn times_and_durations_have_their_form() {
        for wrong in ["tomorrow", "2027-01-31", "never"] {
            parse(&["add", "backup", "--expires", wrong]).expect_err(wrong);
        }
        parse(&["add-secret", "backup", "--expire-old-in", "24h"]).map(drop).expect("is a duration");
        parse(&["add-secret", "backup", "--expire-old-in", "soon"]).map(drop).expect_err("is none");
    }
}
