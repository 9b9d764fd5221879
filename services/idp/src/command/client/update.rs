//! `client update`

use authn::BoxError;
use clap::Args;
use proto::doorward::idp::v1::UpdateClientRequest;
use runtime::{Context, print, print_once};
use serde_json::{Map, Value};

use super::options::Options;
use crate::Config;
use crate::command::operator::Operator;
use crate::command::show;

/// `client update`
#[derive(Debug, Args)]
pub struct Update {
    /// Its id
    #[arg(allow_hyphen_values = true)]
    id: String,
    #[command(flatten)]
    options: Options,
    /// A member of the metadata to remove, so that its default holds, as in scope; may be repeated
    #[arg(long = "unset", value_name = "MEMBER")]
    unset: Vec<String>,
    /// Prints all of it as JSON
    #[arg(long)]
    json: bool,
}

impl Update {
    pub(super) async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let (id, json) = (self.id.clone(), self.json);
        let metadata = Value::Object(self.changes()?).to_string();
        let request = UpdateClientRequest { id, metadata };
        let (client, secret) = Operator::connect(defaults, context)?.update(request).await?;
        let text = if json {
            format!("{}\n", serde_json::to_string_pretty(&show::made(&client, &secret))?)
        } else {
            format!("changed {}\n{}", client.id, show::lines(&client, &secret))
        };
        if secret.is_empty() {
            return print(text);
        }
        print_once(text, format_args!("make another secret with: client rotate {}", client.id))
    }

    /// The members to change; `null` removes one.
    fn changes(self) -> Result<Map<String, Value>, BoxError> {
        let mut changes = self.options.members()?;
        for member in self.unset {
            if changes.insert(member.clone(), Value::Null).is_some_and(|value| !value.is_null()) {
                return Err(format!("{member} is set and removed at the same time").into());
            }
        }
        if changes.is_empty() {
            return Err(
                "nothing is to be changed; name an option, a member with --unset, or a file with --metadata".into()
            );
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn changes(arguments: &[&str]) -> Result<Value, String> {
        let line = Line::try_parse_from(["update", "wiki"].iter().chain(arguments)).expect("is understood");
        line.update.changes().map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn only_named_members_change() {
        let changed = changes(&["--name", "Wiki", "--unset", "scope", "--unset", "logo_uri"]).expect("changes");
        assert_eq!(changed, serde_json::json!({ "client_name": "Wiki", "scope": null, "logo_uri": null }));
    }

    #[test]
    fn contradictory_and_empty_changes_are_refused() {
        let error = changes(&["--scope", "openid", "--unset", "scope"]).expect_err("is contradictory");
        assert!(error.starts_with("scope is set and removed"), "{error}");
        let error = changes(&[]).expect_err("changes nothing");
        assert!(error.starts_with("nothing is to be changed"), "{error}");
    }
}
