//! Adds users to the directory through its API.

use authn::BoxError;
use config::{Environment, Secret, TokenManager};
use proto::doorward::{
    passwords::v1::{SetPasswordRequest, passwords_api_client::PasswordsApiClient},
    users::v1::{CreateUserRequest, users_admin_api_client::UsersAdminApiClient},
};
use runtime::{Context, operator_token};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::Endpoint,
};

use crate::{family::JWT_SECRET, tokens::Owner};

/// How many are added at the same time.
const LANES: usize = 16;
/// After how many users of a lane the operator's token is made anew.
const RENEWED_AFTER: usize = 100;

/// Adds users with this role to the directory at this address.
pub(crate) async fn add<'a>(address: &str, role: &str, users: impl Iterator<Item = &'a Owner>) -> Result<(), BoxError> {
    let operator = operator()?;
    let client = UsersAdminApiClient::new(Endpoint::from_shared(format!("http://{address}"))?.connect().await?);
    let mut lanes = vec![Vec::new(); LANES];
    for (place, Owner { id, login }) in users.enumerate() {
        let person = CreateUserRequest {
            id: Some(id.to_string()),
            username: login.clone(),
            roles: vec![role.to_owned()],
            ..CreateUserRequest::default()
        };
        lanes[place % LANES].push(person);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        let (mut client, mut operator) = (client.clone(), operator.clone());
        tasks.spawn(async move {
            for (number, person) in lane.into_iter().enumerate() {
                // the token of an operator is valid for a minute
                if number % RENEWED_AFTER == 0 {
                    operator = self::operator()?;
                }
                let mut request = Request::new(person);
                request.metadata_mut().insert(token::METADATA_KEY, operator.clone());
                client.create_user(request).await?;
            }
            Ok::<_, BoxError>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Sets the password of users, at the address of auth-basic.
pub(crate) async fn set_password(address: &str, users: &[Owner], password: &str) -> Result<(), BoxError> {
    let operator = operator()?;
    let mut client = PasswordsApiClient::new(Endpoint::from_shared(format!("http://{address}"))?.connect().await?);
    for Owner { id, .. } in users {
        let message = SetPasswordRequest { user_id: id.to_string(), password: password.to_owned() };
        let mut request = Request::new(message);
        request.metadata_mut().insert(token::METADATA_KEY, operator.clone());
        client.set_password(request).await?;
    }
    Ok(())
}

/// The token of an operator, which is valid for a minute.
pub(crate) fn operator() -> Result<MetadataValue<Ascii>, BoxError> {
    let tokens = TokenManager { jwt_secret: Secret::from(JWT_SECRET), ..TokenManager::default() };
    operator_token(&tokens, &Context::new(Environment::default()))
}
