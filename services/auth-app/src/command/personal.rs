//! `doorward admin user token`: a personal access token, as Cells has it.

use authn::BoxError;
use clap::Args;
use proto::doorward::apptokens::v1::{CreateTokenRequest, Kind, create_token_request::Life};
use runtime::{Context, print_once};

use super::operator::{Operator, by_login, seconds};
use super::show;
use crate::{Config, policy};

/// Makes a personal access token for a user.
///
/// It ends at a hard limit (-e), or when it was not used for the length of a window (-a), which each use begins anew. A
/// sliding token ends after 30 days however much it is used, unless `AUTH_APP_MAX_LIFETIME` says otherwise.
///
/// The token stands in for an access token (Authorization: Bearer), and for the password in basic authentication,
/// together with the user's login name. Without a scope it grants what a sign-in does.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  a token that lasts 24 hours for the user admin\n    doorward admin user token -u admin -e 24h\n  one that ends 10 minutes after its last use\n    doorward admin user token -u admin -a 600\n  one that may read and write one folder\n    doorward admin user token -u admin -e 24h -s node:1f3c6d2e-7a54-4a06-9d0c-3f1d3f0a9b11:rw"
)]
pub struct PersonalToken {
    /// Login name of the token's owner
    #[arg(short, long, allow_hyphen_values = true)]
    user: String,
    #[command(flatten)]
    end: End,
    /// Restricts it: node:UUID:PERM with r, w or rw for PERM, and the other scopes of app tokens; may be repeated
    #[arg(short, long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Prints the token and nothing else, without a line break
    #[arg(short, long)]
    quiet: bool,
}

/// How it ends.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct End {
    /// Ends after this time: 24h, 30m, 7d
    #[arg(short, long, value_name = "DURATION")]
    expire: Option<String>,
    /// Ends when it was not used for this time: seconds, or 10m, 24h
    #[arg(short, long, value_name = "SECONDS|DURATION")]
    auto: Option<String>,
}

impl PersonalToken {
    /// Makes it, with the service's configuration over these defaults.
    ///
    /// # Errors
    /// When an argument is wrong, the service does not answer, or refuses.
    pub async fn run(self, defaults: &Config, context: &Context) -> Result<(), BoxError> {
        let life = match (&self.end.auto, &self.end.expire) {
            (Some(window), _) => Life::Window(seconds(policy::duration_or_seconds(window)?)),
            (None, Some(expiration)) => Life::ExpiresIn(seconds(policy::duration(expiration)?)),
            (None, None) => return Err("either --expire or --auto is needed".into()),
        };
        let request = CreateTokenRequest {
            owner: Some(by_login(&self.user)),
            kind: Kind::Personal.into(),
            label: "Personal access token".to_owned(),
            scopes: self.scopes,
            life: Some(life),
            max_lifetime: None,
        };
        let (token, secret) = Operator::connect(defaults, context)?.create(request).await?;
        let remedy = format!("end the token with: auth-app revoke {}", token.id);
        if self.quiet {
            return print_once(secret, remedy);
        }
        let end = show::date(token.expires);
        let user = &self.user;
        let until = match token.latest {
            Some(latest) => {
                let latest = show::date(Some(latest));
                format!(" unless it is used; each use begins its window anew, until {latest}")
            }
            None => String::new(),
        };
        let text = format_args!(
            "the token of {user} will expire on {end}{until}\n{secret}\n\nkeep it safe: whoever has it is {user}\n"
        );
        print_once(text, remedy)
    }
}
