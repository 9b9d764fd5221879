//! The command line: what the operator does by way of the running service.

mod import;
mod operator;
mod personal;
mod show;

use std::io::{self, BufRead, IsTerminal, Write};

use authn::BoxError;
use clap::{Args, Subcommand};
use proto::doorward::apptokens::v1::{
    CreateTokenRequest, GetTokenRequest, Kind, ListTokensRequest, PruneTokensRequest, RevokeTokenRequest,
    RevokeTokensRequest, create_token_request::Life,
};
use runtime::{Confirmation, Context, print, print_once};

pub use personal::PersonalToken;

use crate::{Config, policy};
use operator::{Operator, by_login, seconds};

/// The subcommands of `auth-app`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes an app token for a user and prints it; the service must be running
    Create(Create),
    /// Lists the valid app tokens of a user
    List(List),
    /// Shows an app token, also one that is revoked or expired
    Show(Show),
    /// Revokes an app token, or all of a user
    Revoke(Revoke),
    /// Deletes app tokens that were revoked or expired long ago; the service does so regularly
    Prune,
    /// Imports app tokens of another system, which keep working
    Import(import::Import),
}

/// `create`
#[derive(Debug, Args)]
pub struct Create {
    /// Login name of the token's owner; asked for if left out
    #[arg(long, allow_hyphen_values = true)]
    user_name: Option<String>,
    /// The lifetime of the token: numbers with d, h, m or s, as in 72h, 7d or 1h30m
    #[arg(long, default_value = "72h", conflicts_with = "window")]
    expiration: String,
    /// What the token is called
    #[arg(long, default_value = "Generated via CLI")]
    label: String,
    /// What the token may do: `user`, `node:UUID:rw`, `path:/PREFIX:r`, `tokens:read`, `tokens:write`, `profile`; may be
    /// repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Instead of an expiration: the token ends when it was not used for so long
    #[arg(long, value_name = "DURATION")]
    window: Option<String>,
    /// With --window: the token ends after so long, however much it is used
    #[arg(long, value_name = "DURATION", requires = "window")]
    max_lifetime: Option<String>,
    /// Prints the token and nothing else, without a line break
    #[arg(long, short)]
    quiet: bool,
    /// Prints all of it as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

/// `list`
#[derive(Debug, Args)]
pub struct List {
    /// Login name of the tokens' owner
    #[arg(long, allow_hyphen_values = true)]
    user_name: String,
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `show`
#[derive(Debug, Args)]
pub struct Show {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    id: String,
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `revoke`
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["token", "token_stdin", "all"])]
pub struct Revoke {
    /// Its id, or the hash that it was imported by; give a secret by --token-stdin
    #[arg(allow_hyphen_values = true)]
    token: Option<String>,
    /// Reads the id or the secret from standard input
    #[arg(long)]
    token_stdin: bool,
    /// All tokens of the user with this login name
    #[arg(long = "all-of", value_name = "USER", allow_hyphen_values = true)]
    all: Option<String>,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Command {
    /// Does it, with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When an argument is wrong, the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        match self {
            Self::Create(create) => create.run(defaults, context).await,
            Self::List(list) => list.run(defaults, context).await,
            Self::Show(show) => show.run(defaults, context).await,
            Self::Revoke(revoke) => revoke.run(defaults, context).await,
            Self::Prune => prune(defaults, context).await,
            Self::Import(import) => import.run(defaults, context).await,
        }
    }
}

impl Create {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let life = match &self.window {
            Some(window) => Life::Window(seconds(policy::duration_or_seconds(window)?)),
            None => Life::ExpiresIn(seconds(policy::duration(&self.expiration)?)),
        };
        let max_lifetime = self.max_lifetime.as_deref().map(policy::duration_or_seconds).transpose()?;
        let user_name = match self.user_name {
            Some(name) => name,
            None => ask("user name: ")?,
        };
        let request = CreateTokenRequest {
            owner: Some(by_login(&user_name)),
            kind: Kind::App.into(),
            label: self.label,
            scopes: self.scopes,
            life: Some(life),
            max_lifetime: max_lifetime.map(seconds),
        };
        let (token, secret) = Operator::connect(defaults, context)?.create(request).await?;
        let text = if self.json {
            format!("{}\n", serde_json::to_string_pretty(&show::made(&token, &secret))?)
        } else if self.quiet {
            secret
        } else {
            format!("{secret}\n")
        };
        print_once(text, format_args!("end the token with: auth-app revoke {}", token.id))
    }
}

impl List {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        let (mut tokens, mut page_token) = (Vec::new(), String::new());
        loop {
            let owner = Some(by_login(&self.user_name));
            let page = operator.list(ListTokensRequest { owner, page_size: 0, page_token }).await?;
            tokens.extend(page.tokens);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        if self.json {
            return show::json(&tokens.iter().map(show::value).collect::<Vec<_>>().into());
        }
        show::table(&tokens)
    }
}

impl Show {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let found = Operator::connect(defaults, context)?.get(GetTokenRequest { id: self.id }).await?;
        if self.json { show::json(&show::value(&found)) } else { show::lines(&found) }
    }
}

impl Revoke {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        if let Some(user) = &self.all {
            if self.confirmation.is_given(&format!("Revoke all app tokens of {user}?"))? {
                let count = operator.revoke_all(RevokeTokensRequest { owner: Some(by_login(user)) }).await?;
                print(format_args!("revoked {count} app tokens of {user}\n"))?;
            }
            return Ok(());
        }
        let token = match self.token {
            Some(token) => token,
            None => ask("app token: ")?,
        };
        let id = operator.revoke(RevokeTokenRequest { token }).await?;
        print(format_args!("revoked {id}\n"))
    }
}

async fn prune(defaults: &Config, context: &Context) -> Result<(), BoxError> {
    let count = Operator::connect(defaults, context)?.prune(PruneTokensRequest {}).await?;
    print(format_args!("removed {count} app tokens\n"))
}

/// Reads a line of standard input; prints the prompt on a terminal.
fn ask(prompt: &str) -> Result<String, BoxError> {
    if io::stdin().is_terminal() {
        write!(io::stderr(), "{prompt}")?;
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        "" => Err(format!("{}is missing", prompt.replace(':', "")).into()),
        text => Ok(text.to_owned()),
    }
}
