//! Users' homes. An oCIS or OpenCloud behind this gateway creates a user's own space when its proxy asks for that, which it does
//! with each request; without that proxy this gateway asks, once for each user.

use std::sync::Arc;
use std::time::Duration;

use authn::{Authenticated, UserId, UserType};
use moka::sync::Cache;
use proto::cs3::storage::provider::v1beta1::{CreateHomeRequest, CreateHomeResponse};
use status::Kind;
use tokio::sync::watch;
use tonic::{Request, Status, metadata::AsciiMetadataValue, transport::Channel};

/// The method of the upstream gateway.
const METHOD: &str = "/cs3.gateway.v1beta1.GatewayAPI/CreateHome";
/// The most users of whom it is remembered that they have a home.
const USERS: u64 = 65_536;
/// How long the upstream may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a sign-in waits for it, so that a user's first request finds the home. It goes on afterwards.
const WAIT: Duration = Duration::from_millis(500);
/// How long after a failure it is not asked again for the same user.
const PAUSE: Duration = Duration::from_secs(30);

/// Asks an upstream gateway to create homes.
pub(crate) struct Homes {
    upstream: Option<Channel>,
    /// Users who have one.
    there: Cache<UserId, ()>,
    /// Users for whom it was asked lately, until there is an answer.
    asked: Cache<UserId, watch::Receiver<()>>,
}

impl Homes {
    /// Those behind this gateway, if there is one.
    pub(crate) fn new(upstream: Option<Channel>) -> Self {
        Self {
            upstream,
            there: Cache::builder().max_capacity(USERS).build(),
            asked: Cache::builder().max_capacity(USERS).time_to_live(PAUSE).build(),
        }
    }

    /// Has the upstream create the home of a user who has just signed in, unless that was done. A failure is logged and not the
    /// sign-in's: it is tried again at a later one.
    pub(crate) async fn ensure(&self, answer: &Authenticated, token: &Arc<str>) {
        let Some(upstream) = &self.upstream else { return };
        let user = &answer.user.id;
        if !has_home(answer) || self.there.contains_key(user) {
            return;
        }
        let mut pending = self.asked.get_with_by_ref(user, || {
            let (sender, receiver) = watch::channel(());
            let (upstream, there) = (upstream.clone(), self.there.clone());
            let (user, token) = (user.clone(), Arc::clone(token));
            tokio::spawn(async move {
                match create(upstream, &token).await {
                    Ok(()) => there.insert(user, ()),
                    Err(error) => {
                        let (subject, error) = (&user.opaque_id, error.message());
                        tracing::warn!(subject, error, "the upstream gateway has not created the user's home");
                    }
                }
                // whoever waits is woken by its end
                drop(sender);
            });
            receiver
        });
        // an end without a change is what is waited for, and a deadline is no failure of the sign-in
        let _ = tokio::time::timeout(WAIT, pending.changed()).await;
    }
}

/// Whether it is a person with all that a credential may do, as reva demands before it creates a home.
fn has_home(answer: &Authenticated) -> bool {
    let is_person =
        matches!(answer.user.id.kind, UserType::Invalid | UserType::Primary | UserType::Secondary | UserType::Guest);
    is_person && answer.scopes.is_full_user()
}

async fn create(upstream: Channel, token: &str) -> Result<(), Status> {
    let mut request = Request::new(CreateHomeRequest::default());
    let token = AsciiMetadataValue::try_from(token)
        .map_err(|_| status::grpc(Kind::Internal, "the token does not fit into metadata"))?;
    request.metadata_mut().insert(token::METADATA_KEY, token);
    request.set_timeout(DEADLINE);
    let call = proto::call::unary::<_, _, CreateHomeResponse>(upstream, METHOD, request);
    let too_late = |_| status::grpc(Kind::Unavailable, "it does not answer");
    let outcome =
        tokio::time::timeout(DEADLINE, call).await.map_err(too_late)??.into_inner().status.unwrap_or_default();
    match Kind::from_cs3(outcome.code) {
        None | Some(Kind::AlreadyExists) => Ok(()),
        Some(kind) => Err(status::grpc(kind, outcome.message)),
    }
}
