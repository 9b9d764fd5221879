//! `session`: shows and ends the sessions of users.

use authn::BoxError;
use clap::{Args, Subcommand};
use proto::doorward::idp::v1::{
    AccountSession, AccountUser, EndAllUserSessionsRequest, ListUserSessionsRequest, account_user::Name,
};
use runtime::{Confirmation, Context, print};
use serde_json::{Value, json};

use super::operator::Operator;
use super::show::{self, date};
use crate::Config;

/// The subcommands for sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Lists the sessions that have not ended, the newest first
    List(List),
    /// Ends one session with everything that was granted in it, or signs a user out everywhere
    End(End),
}

/// `session list`
#[derive(Debug, Args)]
pub struct List {
    /// Only those of the user with this login name
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    user: Option<String>,
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `session end`
#[derive(Debug, Args)]
pub struct End {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// What is ended.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The session, as `list` shows it
    #[arg(allow_hyphen_values = true)]
    id: Option<String>,
    /// The login name of a user who is signed out everywhere, also of applications that stay signed in by refresh tokens
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    user: Option<String>,
    /// All users are signed out everywhere
    #[arg(long)]
    everyone: bool,
}

impl SessionCommand {
    /// Runs the command with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        match self {
            Self::List(list) => list.run(&mut operator).await,
            Self::End(end) => end.run(&mut operator).await,
        }
    }
}

impl List {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let user = self.user.map(named);
        let (mut sessions, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = ListUserSessionsRequest { user: user.clone(), page_size: 0, page_token };
            let page = operator.sessions(page).await?;
            sessions.extend(page.sessions);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        if self.json {
            return show::json(&sessions.iter().map(value).collect::<Vec<_>>().into());
        }
        row("ID", "USER", "SIGNED IN", "LAST USED", "ADDRESS", "BROWSER")?;
        sessions.iter().try_for_each(|session| {
            let AccountSession { id, user_id, created, last_used, address, user_agent, .. } = session;
            row(id, user_id, &date(*created), &date(*last_used), address, &printable(user_agent))
        })
    }
}

impl End {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let Self { which: Which { id, user, everyone }, confirmation } = self;
        if everyone {
            if confirmation.is_given("Sign all users out everywhere?")? {
                let users = operator.end_every_users_sessions().await?;
                print(format_args!("signed {users} users out everywhere\n"))?;
            }
            return Ok(());
        }
        if let Some(id) = id {
            let question = format!("End the session {id}, and everything that was granted in it?");
            if confirmation.is_given(&question)? {
                let ended = operator.end_session(id).await?;
                print(format_args!("ended {} of {}\n", ended.id, ended.user_id))?;
            }
        } else if let Some(user) = user
            && confirmation.is_given(&format!("Sign {user} out everywhere?"))?
        {
            operator.end_all_sessions(EndAllUserSessionsRequest { user: Some(named(user.clone())) }).await?;
            print(format_args!("signed {user} out everywhere\n"))?;
        }
        Ok(())
    }
}

/// The user with this login name.
pub(super) fn named(username: String) -> AccountUser {
    AccountUser { name: Some(Name::Username(username)) }
}

/// What a browser called itself, without characters that could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn value(session: &AccountSession) -> Value {
    json!({
        "id": session.id,
        "user_id": session.user_id,
        "created": date(session.created),
        "last_used": date(session.last_used),
        "expires": date(session.expires),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

fn row(id: &str, user: &str, created: &str, last_used: &str, address: &str, user_agent: &str) -> Result<(), BoxError> {
    print(format_args!("{id:36}  {user:36}  {created:20}  {last_used:20}  {address:15}  {user_agent}\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Command;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        _command: Command,
    }

    #[test]
    fn either_a_session_or_a_user_is_named() {
        let parse = |arguments: &[&str]| Line::try_parse_from(["idp", "session", "end"].iter().chain(arguments));
        for good in [&["0b1d8a3e", "--yes"][..], &["--user", "marie"], &["--everyone", "--yes"]] {
            parse(good).unwrap_or_else(|error| panic!("{good:?}: {error}"));
        }
        for bad in [&[][..], &["0b1d8a3e", "--user", "marie"], &["--everyone", "--user", "marie"]] {
            parse(bad).map(drop).expect_err("is ambiguous");
        }
    }
}
