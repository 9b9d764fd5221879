//! Users' roles, where an oCIS or OpenCloud keeps them: its settings service. Its proxy gives a user without a role the ordinary
//! one at the first request; without that proxy this gateway does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use authn::audit::Event;
use authn::{Authenticated, Channel, User, UserId, UserType, role};
use bounded_cache::MIB;
use moka::sync::Cache;
use proto::call;
use proto::ocis::services::settings::v0::{
    AssignRoleToUserRequest, AssignRoleToUserResponse, ListRoleAssignmentsRequest, ListRoleAssignmentsResponse,
};
use status::Kind;
use tokio::sync::watch;
use tonic::{Request, Response, Status, metadata::AsciiMetadataValue};

use crate::pending_calls::{self, PendingCall};

/// The methods, by oCIS's name and by OpenCloud's. Services of go-micro answer to both.
const LIST: [&str; 2] = [
    "/ocis.services.settings.v0.RoleService/ListRoleAssignments",
    "/opencloud.services.settings.v0.RoleService/ListRoleAssignments",
];
const ASSIGN: [&str; 2] = [
    "/ocis.services.settings.v0.RoleService/AssignRoleToUser",
    "/opencloud.services.settings.v0.RoleService/AssignRoleToUser",
];
/// The metadata by which the settings service knows for whom it is called.
const ACCOUNT_ID: &str = "account-id";
/// The bound of the roles that are remembered, in bytes.
const BOUND: u64 = MIB;
/// How long roles are remembered.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// How long the settings service may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a sign-in waits for it; without an answer it goes on without a role.
const WAIT: Duration = Duration::from_millis(500);
/// How long after a failure it is not asked again for the same user.
const PAUSE: Duration = Duration::from_secs(10);

/// What a sign-in without an answer means for the user, for the log.
const WITHOUT_ROLE: &str = "requests of the user meanwhile have no role, so that services may refuse what needs one (403); the next one asks again";

/// An answer with the roles of its user, as far as they are known.
pub(crate) struct Completed {
    pub(crate) answer: Authenticated,
    /// Whether nothing is missing; else a token for it is good for this request, and no other.
    pub(crate) is_final: bool,
}

/// Asks the settings service.
pub(crate) struct Roles {
    settings: Option<Channel>,
    known: Cache<UserId, Arc<[String]>>,
    /// Users for whom it was asked lately, until there is an answer.
    calls: Cache<UserId, PendingCall>,
}

impl Roles {
    /// Those of this settings service, if there is one.
    pub(crate) fn new(settings: Option<Channel>) -> Self {
        Self {
            settings,
            known: bounded_cache::sync(BOUND).time_to_live(REMEMBERED_FOR).build(),
            calls: pending_calls::cache(PAUSE),
        }
    }

    /// Adds the roles of a user for whom the directory names none. A user or guest without one is given the ordinary one. A failure
    /// is logged and not the sign-in's.
    pub(crate) async fn complete(&self, answer: Authenticated) -> Completed {
        let done = |answer| Completed { answer, is_final: true };
        let Some(settings) = &self.settings else { return done(answer) };
        let Some(ordinary) = ordinary_role(&answer.user) else { return done(answer) };
        let known = match self.known.get(&answer.user.id) {
            Some(roles) => Some(roles),
            None => self.ask(settings, &answer.user.id, ordinary).await,
        };
        let Some(roles) = known else { return Completed { answer, is_final: false } };
        let user = Arc::new(User { roles: roles.to_vec(), ..User::clone(&answer.user) });
        done(Authenticated { user, ..answer })
    }

    /// The roles; `None` if the settings service does not answer in time.
    async fn ask(&self, settings: &Channel, user: &UserId, ordinary: &'static str) -> Option<Arc<[String]>> {
        let mut pending = self.calls.get_with_by_ref(user, || {
            let (sender, receiver) = watch::channel(());
            let (settings, known, calls) = (settings.clone(), self.known.clone(), self.calls.clone());
            let user = user.clone();
            tokio::spawn(async move {
                let begin = Instant::now();
                match roles_of(&settings, &user.opaque_id, ordinary).await {
                    Ok(roles) => {
                        known.insert(user.clone(), roles.into());
                        calls.invalidate(&user);
                        if begin.elapsed() >= WAIT {
                            let (subject, seconds) = (&user.opaque_id, begin.elapsed().as_secs_f32());
                            tracing::warn!(subject, seconds, "the settings service is slow: {WITHOUT_ROLE}");
                        }
                    }
                    Err(error) => {
                        let (subject, error) = (&user.opaque_id, error.message());
                        tracing::warn!(subject, error, "the settings service has not sent the role: {WITHOUT_ROLE}");
                    }
                }
                // whoever waits is woken by its end
                drop(sender);
            });
            PendingCall(receiver)
        });
        // an end without a change is what is waited for, and a deadline is no failure of the sign-in
        let _ = tokio::time::timeout(WAIT, pending.0.changed()).await;
        self.known.get(user)
    }
}

/// The role that a user without one is given; `None` for users who have one, and for those who need none.
fn ordinary_role(user: &User) -> Option<&'static str> {
    match user.id.kind {
        _ if !user.roles.is_empty() => None,
        UserType::Primary => Some(role::USER),
        UserType::Guest => Some(role::GUEST),
        _ => None,
    }
}

/// The roles of a user, after the ordinary one was assigned where there was none.
async fn roles_of(settings: &Channel, user: &str, ordinary: &'static str) -> Result<Vec<String>, Status> {
    let request = request(user, ListRoleAssignmentsRequest { account_uuid: user.to_owned() })?;
    let listed = call::unary_by_names(settings.clone(), LIST, request);
    let listed: Response<ListRoleAssignmentsResponse> = within(listed).await?;
    let roles: Vec<_> = listed.into_inner().assignments.into_iter().map(|assignment| assignment.role_id).collect();
    if !roles.is_empty() {
        return Ok(roles);
    }
    let message = AssignRoleToUserRequest { account_uuid: user.to_owned(), role_id: ordinary.to_owned() };
    let assigned = call::unary_by_names(settings.clone(), ASSIGN, self::request(user, message)?);
    let _: Response<AssignRoleToUserResponse> = within(assigned).await?;
    Event { subject: &user, role: &ordinary, ..Event::new("role.assign", "success") }.log();
    Ok(vec![ordinary.to_owned()])
}

fn request<Q>(user: &str, message: Q) -> Result<Request<Q>, Status> {
    // the gateway acts for itself: metadata of the caller, like `autoprop-mfa-authenticated`, must not go along
    let mut request = Request::new(message);
    let account = AsciiMetadataValue::try_from(user)
        .map_err(|_| status::grpc(Kind::InvalidArgument, "the user's identifier does not fit into metadata"))?;
    request.metadata_mut().insert(ACCOUNT_ID, account);
    request.set_timeout(DEADLINE);
    Ok(request)
}

async fn within<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let too_late = |_| status::grpc(Kind::DeadlineExceeded, "it does not answer");
    tokio::time::timeout(DEADLINE, call).await.map_err(too_late)?
}
