//! Users' homes. An oCIS or OpenCloud behind this gateway creates a user's own space when its proxy asks for that, which it does
//! with each request; without that proxy this gateway asks, once for each user.

use std::sync::Arc;
use std::time::Duration;

use authn::{Authenticated, Channel, User, UserId, UserType, role};
use bounded_cache::MIB;
use moka::sync::Cache;
use proto::cs3::storage::provider::v1beta1::{CreateHomeRequest, CreateHomeResponse};
use proto::cs3::types::v1beta1::{Opaque, OpaqueEntry};
use status::Kind;
use tokio::sync::watch;
use tonic::{Request, Status, metadata::AsciiMetadataValue};

use crate::pending_calls::{self, PendingCall};
use crate::roles::Completed;

/// The method of the upstream gateway.
const METHOD: &str = "/cs3.gateway.v1beta1.GatewayAPI/CreateHome";
/// The bound of what is remembered of users who have a home, in bytes.
const BOUND: u64 = 2 * MIB;
/// How long the upstream may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a sign-in waits for it, so that a user's first request finds the home. It goes on afterwards.
const WAIT: Duration = Duration::from_millis(500);
/// How long after a failure it is not asked again for the same user.
const PAUSE: Duration = Duration::from_secs(30);

/// The quota of homes by the role of their user, in bytes: identifiers of roles, in the order in which they are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Quotas(Vec<(String, u64)>);

impl Quotas {
    /// Reads pairs of a role and a number of bytes, joined by an equals sign.
    ///
    /// # Errors
    /// The first pair that is none.
    pub(crate) fn parse(pairs: &[String]) -> Result<Self, String> {
        // a misspelt name would leave homes without a quota
        let is_id = |role: &str| role.len() == 36 && role.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let pair = |pair: &String| {
            let (role, bytes) = pair.split_once('=')?;
            let (role, bytes) = (role::id(role.trim()), bytes.trim().parse().ok()?);
            is_id(role).then(|| (role.to_ascii_lowercase(), bytes))
        };
        pairs.iter().map(|text| pair(text).ok_or_else(|| text.clone())).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, user: &User) -> Option<u64> {
        self.0.iter().find(|(role, _)| user.roles.contains(role)).map(|(_, bytes)| *bytes)
    }
}

/// Asks an upstream gateway to create homes.
pub(crate) struct Homes {
    upstream: Option<Channel>,
    quotas: Quotas,
    /// Users who have one.
    there: Cache<UserId, ()>,
    /// Users for whom it was asked lately, until there is an answer.
    calls: Cache<UserId, PendingCall>,
}

impl Homes {
    /// Those behind this gateway, if there is one.
    pub(crate) fn new(upstream: Option<Channel>, quotas: Quotas) -> Self {
        Self { upstream, quotas, there: bounded_cache::sync(BOUND).build(), calls: pending_calls::cache(PAUSE) }
    }

    /// Has the upstream create the home of a user who has just signed in, unless that was done. A failure is logged and not the
    /// sign-in's: it is tried again at a later one. Where quotas depend on roles that are not known yet, it is left to a later one too.
    pub(crate) async fn ensure(&self, Completed { answer, is_final }: &Completed, token: &Arc<str>) {
        let Some(upstream) = &self.upstream else { return };
        if !is_final && self.quotas != Quotas::default() {
            return;
        }
        let user = &answer.user.id;
        if !has_home(answer) || self.there.contains_key(user) {
            return;
        }
        let mut pending = self.calls.get_with_by_ref(user, || {
            let (sender, receiver) = watch::channel(());
            let (upstream, there) = (upstream.clone(), self.there.clone());
            let (user, token, quota) = (user.clone(), Arc::clone(token), self.quotas.of(&answer.user));
            tokio::spawn(async move {
                match create(upstream, &token, quota).await {
                    Ok(()) => there.insert(user, ()),
                    Err(error) => {
                        let (subject, error) = (&user.opaque_id, error.message());
                        tracing::warn!(subject, error, "the upstream gateway has not created the user's home");
                    }
                }
                // whoever waits is woken by its end
                drop(sender);
            });
            PendingCall(receiver)
        });
        // an end without a change is what is waited for, and a deadline is no failure of the sign-in
        let _ = tokio::time::timeout(WAIT, pending.0.changed()).await;
    }
}

/// Whether it is a person with all that a credential may do, as reva demands before it creates a home.
fn has_home(answer: &Authenticated) -> bool {
    let is_person =
        matches!(answer.user.id.kind, UserType::Invalid | UserType::Primary | UserType::Secondary | UserType::Guest);
    is_person && answer.scopes.is_full_user()
}

async fn create(upstream: Channel, token: &str, quota: Option<u64>) -> Result<(), Status> {
    let opaque = quota.map(|bytes| {
        let entry = OpaqueEntry { decoder: "plain".to_owned(), value: bytes.to_string().into_bytes() };
        Opaque { map: [("quota".to_owned(), entry)].into() }
    });
    // the gateway acts for itself: metadata of the caller, like `autoprop-mfa-authenticated`, must not go along
    let mut request = Request::new(CreateHomeRequest { opaque });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_or_refused() {
        let parse = |pairs: &[&str]| Quotas::parse(&pairs.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>());
        let quotas = parse(&["admin = 7", "D7BEEEA8-8FF4-406B-8FB6-AB2DD81E6B11=9"]).expect("pairs");
        let of = |roles: &[&str]| {
            quotas.of(&User { roles: roles.iter().map(|&role| role.to_owned()).collect(), ..User::default() })
        };
        assert_eq!((of(&[role::USER]), of(&[role::USER, role::ADMIN]), of(&[])), (Some(9), Some(7), None));
        for wrong in ["usr=1", "user", "user=", "user=-1", "user=1GB", "=1", ""] {
            assert_eq!(parse(&["admin=7", wrong]), Err(wrong.to_owned()));
        }
    }
}
