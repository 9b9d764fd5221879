//! The command line: what a person at the machine does by way of the running family.

use std::io::Write;
use std::time::UNIX_EPOCH;

use authn::{BoxError, Scopes};
use clap::{Arg, ArgMatches, Command};
use proto::cs3::auth::applications::v1beta1::GenerateAppPasswordRequest;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, gateway_api_client::GatewayApiClient};
use proto::cs3::{rpc::v1beta1::Status, types::v1beta1::Timestamp};
use runtime::{Context, Service};
use status::Kind;
use tonic::{Request, metadata::MetadataValue, transport::Channel};

use crate::{AuthApp, Config, policy};

/// The name of the subcommand that makes a token.
pub(crate) const CREATE: &str = "create";

/// `create`.
pub(crate) fn commands() -> Vec<Command> {
    let user = Arg::new("user-name").long("user-name").required(true).help("Login name of the token's owner");
    let expiration = Arg::new("expiration")
        .long("expiration")
        .default_value(policy::DEFAULT_EXPIRATION)
        .help("How long the token lives: a number with h, m or s, as in 72h or 1h30m");
    vec![
        Command::new(CREATE)
            .about("Makes an app token for a user and prints it; the family must be running")
            .args([user, expiration]),
    ]
}

/// Makes a token for a user, whose name the machine key is good for.
pub(crate) async fn create(matches: &ArgMatches, context: &Context) -> Result<(), BoxError> {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let lifetime = policy::duration(text("expiration"))?;
    let config = runtime::config::load::<Config>(&AuthApp::IDENTITY, &context.environment)?.config;
    if config.machine_auth_api_key.is_empty() {
        return Err("OCIS_MACHINE_AUTH_API_KEY (or AUTH_APP_MACHINE_AUTH_API_KEY) is not set".into());
    }
    let end = context.clock.now().checked_add(lifetime).ok_or("the expiration is too far away")?;
    let seconds = end.duration_since(UNIX_EPOCH)?.as_secs();

    let mut gateway = GatewayApiClient::new(runtime::gateway(&config.reva, context)?);
    let token = authenticate(&mut gateway, text("user-name"), &config).await?;
    let mut request = Request::new(GenerateAppPasswordRequest {
        token_scope: (&Scopes::full_user()).into(),
        label: "Generated via CLI".to_owned(),
        expiration: Some(Timestamp { seconds, nanos: 0 }),
        ..Default::default()
    });
    request.metadata_mut().insert(token::METADATA_KEY, MetadataValue::try_from(token)?);
    let answer = gateway.generate_app_password(request).await.map_err(|error| in_words(&error))?.into_inner();
    check(answer.status, "the token cannot be made")?;
    let made = answer.app_password.ok_or("the gateway answered without a token")?;
    writeln!(std::io::stdout(), "{}", made.password)?;
    Ok(())
}

async fn authenticate(
    gateway: &mut GatewayApiClient<Channel>,
    user_name: &str,
    config: &Config,
) -> Result<String, BoxError> {
    let request = AuthenticateRequest {
        r#type: "machine".to_owned(),
        client_id: format!("username:{user_name}"),
        client_secret: config.machine_auth_api_key.expose().to_owned(),
        ..Default::default()
    };
    let answer = gateway.authenticate(request).await.map_err(|error| in_words(&error))?.into_inner();
    check(answer.status, &format!("cannot act for {user_name:?}"))?;
    Ok(answer.token)
}

/// What happened to a call that got no answer.
fn in_words(error: &tonic::Status) -> BoxError {
    format!("the gateway does not do it: {}", error.message()).into()
}

/// An answer without a status is a failure too.
fn check(status: Option<Status>, what: &str) -> Result<(), BoxError> {
    let status = status.unwrap_or_default();
    match Kind::from_cs3(status.code) {
        None => Ok(()),
        Some(_) => Err(format!("{what}: {}", status.message).into()),
    }
}
