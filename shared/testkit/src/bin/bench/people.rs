//! People of the directory who need no password, added by its own interface.

use authn::BoxError;
use proto::doorward::users::v1::{CreateUserRequest, users_admin_api_client::UsersAdminApiClient};
use runtime::{
    Context,
    config::{Environment, Secret, TokenManager},
    operator_token,
};
use tonic::{Request, transport::Endpoint};

use crate::{family::JWT_SECRET, tokens::Owner};

/// How many are added at the same time.
const LANES: usize = 16;

/// Adds people to the directory at this address.
pub(crate) async fn add<'a>(address: &str, people: impl Iterator<Item = &'a Owner>) -> Result<(), BoxError> {
    let tokens = TokenManager { jwt_secret: Secret::from(JWT_SECRET), ..TokenManager::default() };
    let operator = operator_token(&tokens, &Context::new(Environment::default()))?;
    let client = UsersAdminApiClient::new(Endpoint::from_shared(format!("http://{address}"))?.connect().await?);
    let mut lanes = vec![Vec::new(); LANES];
    for (place, Owner { id, login }) in people.enumerate() {
        let person = CreateUserRequest {
            id: Some(id.to_string()),
            username: login.clone(),
            roles: vec![authn::role::USER.to_owned()],
            ..CreateUserRequest::default()
        };
        lanes[place % LANES].push(person);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        let (mut client, operator) = (client.clone(), operator.clone());
        tasks.spawn(async move {
            for person in lane {
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
