//! The metadata of a client as arguments.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use authn::BoxError;
use clap::Args;
use serde_json::{Map, Value};

/// The metadata of a client, from a file and from arguments.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The name that users see
    #[arg(long)]
    name: Option<String>,
    /// Where sign-ins come back to; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where browsers may go after signing out; may be repeated
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// A program on the devices of users (native application)
    #[arg(long)]
    native: bool,
    /// It cannot keep a secret, and gets none
    #[arg(long)]
    public: bool,
    /// The SPIFFE ID of the workload that it is; it proves that by JWT-SVIDs. It may end in /*
    #[arg(long, value_name = "SPIFFE_ID", conflicts_with = "public")]
    spiffe_id: Option<String>,
    /// A grant type, as in `client_credentials`; may be repeated
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// A security profile that it follows: `fapi2`
    #[arg(long, value_name = "PROFILE", value_parser = ["fapi2"])]
    profile: Option<String>,
    /// What it may ask for, with spaces between; everything if left out
    #[arg(long)]
    scope: Option<String>,
    /// An application of the operator: users are not asked for consent
    #[arg(long)]
    trusted: bool,
    /// A claim of the granted scopes that ID tokens have too, as in groups; may be repeated
    #[arg(long = "id-token-claim", value_name = "CLAIM")]
    id_token_claims: Vec<String>,
    /// A file with a JSON object of further metadata (RFC 7591); - is standard input
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
}

impl Options {
    /// What the file says, and over it what the arguments say.
    pub(super) fn members(self) -> Result<Map<String, Value>, BoxError> {
        let mut members = self.metadata.as_deref().map(read).transpose()?.unwrap_or_default();
        let texts = |texts: Vec<String>| (!texts.is_empty()).then(|| Value::from(texts));
        let method = if self.public { Some("none") } else { self.spiffe_id.as_ref().map(|_| "spiffe_jwt") };
        let named = [
            ("client_name", self.name.map(Value::from)),
            ("redirect_uris", texts(self.redirect_uris)),
            ("post_logout_redirect_uris", texts(self.post_logout_redirect_uris)),
            ("application_type", self.native.then(|| "native".into())),
            ("token_endpoint_auth_method", method.map(Value::from)),
            ("spiffe_id", self.spiffe_id.map(Value::from)),
            ("grant_types", texts(self.grant_types)),
            ("profile", self.profile.map(Value::from)),
            ("scope", self.scope.map(Value::from)),
            ("consent", self.trusted.then(|| "trusted".into())),
            ("id_token_claims", texts(self.id_token_claims)),
        ];
        members.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(members)
    }
}

fn read(file: &Path) -> Result<Map<String, Value>, BoxError> {
    let mut text = String::new();
    if file == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
}
