//! `doorward admin user token`: a personal access token, as Cells has it.

use authn::BoxError;
use clap::Args;
use proto::doorward::apptokens::v1::{CreateTokenRequest, Kind, create_token_request::Life};
use runtime::Context;

use super::operator::{Operator, by_login, seconds};
use super::{print, show};
use crate::policy;

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
    #[arg(short, long)]
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
    /// Makes it.
    ///
    /// # Errors
    /// When an argument is wrong, the service does not answer, or refuses.
    pub async fn run(self, context: &Context) -> Result<(), BoxError> {
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
        let (token, secret) = Operator::connect(context)?.create(request).await?;
        if self.quiet {
            return print(format_args!("{secret}"));
        }
        let end = show::date(token.expires);
        match token.latest {
            Some(latest) => {
                let latest = show::date(Some(latest));
                print(format_args!(
                    "the token of {} will expire on {end} unless it is used; each use begins its window anew, until {latest}\n",
                    self.user
                ))?;
            }
            None => print(format_args!("the token of {} will expire on {end}\n", self.user))?,
        }
        print(format_args!("{secret}\n\nkeep it safe: whoever has it is {}\n", self.user))
    }
}
