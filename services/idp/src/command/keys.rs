//! `keys`: manages the signing keys.

use authn::BoxError;
use clap::{Args, Subcommand, ValueEnum};
use proto::doorward::idp::v1::{Key, KeyState, RetireKeyRequest, RotateKeyRequest};
use runtime::{Confirmation, Context, print};
use serde_json::{Value, json};

use super::operator::Operator;
use super::show::date;
use crate::Config;

/// The subcommands for signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Lists the keys
    List(List),
    /// Publishes the next key of an algorithm, or of all; it signs when clients have had the time to fetch it
    Rotate(Rotate),
    /// Takes a key out at once: everything that it has signed becomes invalid
    Retire(Retire),
}

/// `keys list`
#[derive(Debug, Args)]
pub struct List {
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

/// `keys rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Only for this algorithm
    #[arg(long, value_enum)]
    algorithm: Option<Name>,
    /// Lets the new key sign at once: when a private key has become known
    #[arg(long)]
    at_once: bool,
}

/// `keys retire`
#[derive(Debug, Args)]
pub struct Retire {
    /// The name of the key, as `list` shows it
    #[arg(allow_hyphen_values = true)]
    kid: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "PS256")]
    Ps256,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "EdDSA")]
    EdDsa,
}

impl Name {
    const fn text(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl KeysCommand {
    /// Runs the command with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let mut operator = Operator::connect(defaults, context)?;
        match self {
            Self::List(list) => list.run(&mut operator).await,
            Self::Rotate(rotate) => rotate.run(&mut operator).await,
            Self::Retire(retire) => retire.run(&mut operator).await,
        }
    }
}

impl List {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let keys = operator.keys().await?;
        if self.json {
            let values: Vec<_> = keys.iter().map(value).collect();
            return print(format_args!("{}\n", serde_json::to_string_pretty(&values)?));
        }
        row("KID", "ALGORITHM", "STATE", "SIGNS FROM", "PUBLISHED UNTIL")?;
        keys.iter().try_for_each(|key| {
            let until = key.retired.map_or_else(String::new, date);
            row(&key.kid, &key.algorithm, state(key), &date(key.active), &until)
        })
    }
}

impl Rotate {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let names = match self.algorithm {
            Some(name) => vec![name.text().to_owned()],
            None => signing(operator.keys().await?),
        };
        for algorithm in names {
            let message = RotateKeyRequest { algorithm, at_once: self.at_once };
            let key = operator.rotate_key(message).await?;
            print(format_args!("{} signs with {} from {}\n", key.kid, key.algorithm, date(key.active)))?;
        }
        Ok(())
    }
}

/// The algorithms that are signed with now.
fn signing(keys: Vec<Key>) -> Vec<String> {
    let current = keys.into_iter().filter(|key| key.state() == KeyState::Current);
    current.map(|key| key.algorithm).collect()
}

impl Retire {
    async fn run(self, operator: &mut Operator) -> Result<(), BoxError> {
        let kid = self.kid;
        let keys = operator.keys().await?;
        let key = keys.iter().find(|key| key.kid == kid).ok_or_else(|| format!("there is no key {kid}"))?;
        let (algorithm, state) = (&key.algorithm, state(key));
        let question =
            format!("Retire the key {kid} ({algorithm}, {state})? All that it signed becomes invalid at once.");
        if self.confirmation.is_given(&question)? {
            operator.retire_key(RetireKeyRequest { kid: kid.clone() }).await?;
            print(format_args!("retired {kid}\n"))?;
        }
        Ok(())
    }
}

fn state(key: &Key) -> &'static str {
    match key.state() {
        KeyState::Unspecified => "unknown",
        KeyState::Next => "next",
        KeyState::Current => "current",
        KeyState::Retired => "retired",
        KeyState::Over => "over",
    }
}

fn value(key: &Key) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": state(key),
        "created": date(key.created),
        "active": date(key.active),
        "retired": key.retired.map(date),
    })
}

fn row(kid: &str, algorithm: &str, state: &str, active: &str, until: &str) -> Result<(), BoxError> {
    print(format_args!("{kid:24}  {algorithm:9}  {state:8}  {active:20}  {until}\n"))
}
