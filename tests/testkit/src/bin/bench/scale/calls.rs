//! The calls that are measured.

use std::sync::{Arc, OnceLock};

use authn::BoxError;
use tonic::transport::Channel;

use super::OF_ONE_USER;
use crate::call::{self, authenticate};
use crate::family::MACHINE_KEY;
use crate::load::Call;
use crate::tokens::{Crowd, USED};

/// What the calls are, in the order in which they are made.
pub(super) const NAMES: [&str; 5] = ["first use", "later use", "creation", "listing", "revocation"];

/// What the calls of users who are signed in need.
struct SignedIn {
    /// The users' internal tokens.
    jwts: Vec<String>,
    /// The secrets of the app tokens that the calls created, by the number of the call.
    created: Vec<OnceLock<String>>,
}

impl SignedIn {
    fn jwt(&self, number: usize) -> &str {
        &self.jwts[number % self.jwts.len()]
    }
}

/// Signs the users in, which also lets the directory read them, and returns the calls in the order of [`NAMES`].
pub(super) async fn prepare(crowd: &Crowd, channel: &Channel) -> Result<[Call; NAMES.len()], BoxError> {
    let mut jwts = Vec::with_capacity(crowd.owners.len());
    for owner in &crowd.owners {
        jwts.push(authenticate(channel.clone(), "machine", owner.login.clone(), MACHINE_KEY.to_owned()).await?);
    }
    let users = Arc::new(SignedIn { jwts, created: vec![OnceLock::new(); USED] });
    let usage = call::gateway("appauth", crowd.credentials.clone());
    Ok([Arc::clone(&usage), usage, by(&users, create), by(&users, list), by(&users, revoke)])
}

/// A call of these users.
fn by<M, F>(users: &Arc<SignedIn>, make: M) -> Call
where
    M: Fn(Arc<SignedIn>, Channel, usize) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    let users = Arc::clone(users);
    Arc::new(move |channel, number| {
        let outcome = make(Arc::clone(&users), channel, number);
        Box::pin(async move { outcome.await.is_ok() })
    })
}

async fn create(users: Arc<SignedIn>, channel: Channel, number: usize) -> Result<(), BoxError> {
    let secret = call::create_app_token(channel, users.jwt(number)).await?;
    users.created[number].set(secret).map_err(|_| "the call was made twice".into())
}

async fn list(users: Arc<SignedIn>, channel: Channel, number: usize) -> Result<(), BoxError> {
    let count = call::count_app_tokens(channel, users.jwt(number)).await?;
    if count < OF_ONE_USER.get() { Err(format!("{count} app tokens in the list").into()) } else { Ok(()) }
}

async fn revoke(users: Arc<SignedIn>, channel: Channel, number: usize) -> Result<(), BoxError> {
    let secret = users.created[number].get().ok_or("no app token was created")?;
    call::revoke_app_token(channel, users.jwt(number), secret).await
}
