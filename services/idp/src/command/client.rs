//! `idp client`

mod options;
mod update;

use std::time::Duration;

use authn::BoxError;
use clap::{Args, Subcommand};
use config::duration;
use proto::doorward::idp::v1::{
    AddClientRequest, AddInitialAccessRequest, GetClientRequest, ListClientsRequest, RemoveClientRequest,
    RotateSecretRequest,
};
use runtime::{Confirmation, Context, print, print_once};
use serde_json::{Map, Value};

use self::options::Options;
use self::update::Update;
use super::operator::Operator;
use super::show;
use crate::Config;

/// What can be done about clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Adds a client and prints its id, and its secret if it has one: that is shown this once
    Add(Box<Add>),
    /// Changes the metadata of an added or registered client; what is not named stays
    Update(Box<Update>),
    /// Lists all clients, also those that are built in or in the file of clients
    List(List),
    /// Shows the metadata of a client as JSON
    Show(Named),
    /// Gives a client a new secret and prints it
    Rotate(Rotate),
    /// Removes a client, and revokes everything that users have granted it
    Remove(Remove),
    /// Makes an initial access token, by which clients may register themselves, and prints it
    InitialAccess(InitialAccess),
}

/// `client add`
#[derive(Debug, Args)]
pub struct Add {
    /// Its id; made up if left out
    #[arg(long, allow_hyphen_values = true)]
    id: Option<String>,
    #[command(flatten)]
    options: Options,
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `client list`
#[derive(Debug, Args)]
pub struct List {
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `client show`
#[derive(Debug, Args)]
pub struct Named {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    id: String,
}

/// `client remove`
#[derive(Debug, Args)]
pub struct Remove {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// `client rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    id: String,
    /// How long the former secret stays valid, in numbers with h, m or s
    #[arg(long, default_value = "0s", value_parser = duration)]
    grace: Duration,
}

/// `client initial-access`
#[derive(Debug, Args)]
pub struct InitialAccess {
    /// How many clients may register with it
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// Its lifetime: numbers with h, m or s
    #[arg(long, default_value = "24h", value_parser = duration)]
    expiration: Duration,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    duration::parse(text).ok_or("is a number with h, m or s, as in 24h")
}

impl ClientCommand {
    /// Does it, with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When an argument is wrong, the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        match self {
            Self::Add(add) => add.run(defaults, context).await,
            Self::Update(update) => update.run(defaults, context).await,
            Self::List(list) => list.run(defaults, context).await,
            Self::Show(named) => {
                let found = Operator::connect(defaults, context)?.get(GetClientRequest { id: named.id }).await?;
                show::json(&show::value(&found))
            }
            Self::Rotate(Rotate { id, grace }) => {
                let request = RotateSecretRequest { id, grace: grace.as_secs() };
                let secret = Operator::connect(defaults, context)?.rotate(request).await?;
                print_once(format_args!("{secret}\n"), "repeat the command for another secret")
            }
            Self::Remove(remove) => remove.run(defaults, context).await,
            Self::InitialAccess(InitialAccess { uses, expiration }) => {
                let request = AddInitialAccessRequest { uses, expires_in: expiration.as_secs() };
                let token = Operator::connect(defaults, context)?.initial_access(request).await?;
                print_once(format_args!("{token}\n"), "repeat the command for another token")
            }
        }
    }
}

impl Add {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let json = self.json;
        let metadata = Value::Object(self.members()?).to_string();
        let (client, secret) = Operator::connect(defaults, context)?.add(AddClientRequest { metadata }).await?;
        let text = if json {
            format!("{}\n", serde_json::to_string_pretty(&show::made(&client, &secret))?)
        } else {
            show::lines(&client, &secret)
        };
        print_once(text, format_args!("the client {0} exists; remove it with: client remove {0}", client.id))
    }

    /// What the file says, and over it what the arguments say.
    fn members(self) -> Result<Map<String, Value>, BoxError> {
        let mut members = self.options.members()?;
        members.extend(self.id.map(|id| ("client_id".to_owned(), id.into())));
        Ok(members)
    }
}

impl Remove {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        let found = operator.get(GetClientRequest { id: self.id }).await?;
        let question =
            format!("Remove the client {} ({}), and everything that users granted it?", found.id, found.name);
        if self.confirmation.is_given(&question)? {
            operator.remove(RemoveClientRequest { id: found.id.clone() }).await?;
            print(format_args!("removed {}\n", found.id))?;
        }
        Ok(())
    }
}

impl List {
    async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        let (mut clients, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = operator.list(ListClientsRequest { page_size: 0, page_token }).await?;
            clients.extend(page.clients);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        if self.json {
            return show::json(&clients.iter().map(show::value).collect::<Vec<_>>().into());
        }
        show::table(&clients)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Command;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn add(arguments: &[&str]) -> Map<String, Value> {
        let line = Line::try_parse_from(["idp", "client", "add"].iter().chain(arguments)).expect("is understood");
        let Command::Client(ClientCommand::Add(add)) = line.command else { panic!("is another command") };
        add.members().expect("has metadata")
    }

    #[test]
    fn arguments_are_metadata_and_count_more_than_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("client.json");
        std::fs::write(&file, r#"{"client_name": "from the file", "default_max_age": 60}"#).expect("writes");
        let file = file.to_str().expect("a name");
        let members =
            add(&["--metadata", file, "--name", "Wiki", "--redirect-uri", "https://wiki.example/cb", "--public"]);
        let expected = serde_json::json!({
            "client_name": "Wiki",
            "default_max_age": 60,
            "redirect_uris": ["https://wiki.example/cb"],
            "token_endpoint_auth_method": "none",
        });
        assert_eq!(Value::Object(members), expected);
        assert!(add(&[]).is_empty());
        let named = add(&["--id", "wiki", "--id-token-claim", "groups", "--id-token-claim", "email"]);
        let expected = serde_json::json!({ "client_id": "wiki", "id_token_claims": ["groups", "email"] });
        assert_eq!(Value::Object(named), expected);
    }

    #[test]
    fn durations_have_units() {
        let parse = |text: &str| Line::try_parse_from(["idp", "client", "rotate", "app", "--grace", text]);
        parse("24h").map(drop).expect("is a duration");
        parse("soon").map(drop).expect_err("is none");
    }
}
