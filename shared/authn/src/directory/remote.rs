use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use proto::{
    cs3::{
        gateway::v1beta1::gateway_api_client::GatewayApiClient,
        identity::user::v1beta1::{
            FindUsersRequest, GetUserByClaimRequest, GetUserGroupsRequest, GetUserRequest, User as Cs3User,
            user_api_client::UserApiClient,
        },
        rpc::v1beta1::Status as Cs3Status,
    },
    doorward::users::v1::{
        GetMailChangePolicyRequest, GetProfileRequest, NotePasswordChangeRequest, PersonRef, SetVerifiedMailRequest,
        UserProfile, person_ref, profiles_api_client::ProfilesApiClient, users_admin_api_client::UsersAdminApiClient,
    },
    find_users::{UserFilter, encode_filters_new, encode_query_old},
};
use status::Kind;
use tonic::{Code, Request, metadata::MetadataValue};

use crate::{
    Channel, Claim, Directory, DirectoryError, Filter, Groups, MailChange, MailChangeError, Profile, Repeatable,
    ServiceToken, User, UserId, caller::propagate_trace,
};

/// A directory in another process: a CS3 `UserAPI`, or a `GatewayAPI` that passes the same calls on.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    /// `None` where people are only read.
    administration: Option<UsersAdminApiClient<Channel>>,
    profiles: Option<Profiles>,
}

/// The profiles behind a users service of ours.
#[derive(Clone)]
struct Profiles {
    client: ProfilesApiClient<Channel>,
    token: Option<ServiceToken>,
    mail_token: Option<ServiceToken>,
}

#[derive(Debug, Clone)]
enum Client {
    Users(UserApiClient<Channel>),
    Gateway(GatewayApiClient<Channel>),
}

impl Remote {
    /// The directory behind a CS3 `UserAPI` and the `UsersAdminAPI` of the same server.
    pub fn users(channel: impl Into<Channel>) -> Self {
        let channel = channel.into();
        let administration = Some(UsersAdminApiClient::new(channel.clone()));
        let profiles =
            Some(Profiles { client: ProfilesApiClient::new(channel.clone()), token: None, mail_token: None });
        Self { client: Client::Users(UserApiClient::new(channel)), administration, profiles }
    }

    /// The directory behind a CS3 `GatewayAPI`, as an existing installation offers it.
    pub fn gateway(channel: impl Into<Channel>) -> Self {
        Self { client: Client::Gateway(GatewayApiClient::new(channel.into())), administration: None, profiles: None }
    }

    /// The same directory, which reads profiles with the tokens that `token` makes. Without them, or behind a gateway, every
    /// profile is empty.
    #[must_use]
    pub fn with_profiles(self, token: ServiceToken) -> Self {
        let profiles = self.profiles.map(|profiles| Profiles { token: Some(token), ..profiles });
        Self { profiles, ..self }
    }

    /// The same directory, which sets mail addresses that links have verified, with the tokens that `token` makes. Without them, or
    /// behind a gateway, no address is changed.
    #[must_use]
    pub fn with_mail_changes(self, token: ServiceToken) -> Self {
        let profiles = self.profiles.map(|profiles| Profiles { mail_token: Some(token), ..profiles });
        Self { profiles, ..self }
    }

    /// What sets mail addresses, and a token for that; `None` where they are only read.
    fn mail_changer(&self) -> Result<Option<(ProfilesApiClient<Channel>, String)>, DirectoryError> {
        let Some(Profiles { client, mail_token: Some(token), .. }) = &self.profiles else { return Ok(None) };
        Ok(Some((client.clone(), token().map_err(DirectoryError::Internal)?)))
    }
}

#[async_trait]
impl Directory for Remote {
    async fn user(&self, id: &UserId, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let request = reading(GetUserRequest {
            user_id: Some(id.into()),
            skip_fetching_user_groups: groups == Groups::Skip,
            ..Default::default()
        });
        let response = match self.client.clone() {
            Client::Users(mut client) => client.get_user(request).await,
            Client::Gateway(mut client) => client.get_user(request).await,
        };
        let message = response.map_err(transport)?.into_inner();
        one(message.status, message.user)
    }

    async fn user_by_claim(&self, claim: &Claim, groups: Groups) -> Result<Arc<User>, DirectoryError> {
        let (claim, value) = claim.parts();
        let request = reading(GetUserByClaimRequest {
            claim: claim.to_owned(),
            value: value.to_owned(),
            skip_fetching_user_groups: groups == Groups::Skip,
            ..Default::default()
        });
        let response = match self.client.clone() {
            Client::Users(mut client) => client.get_user_by_claim(request).await,
            Client::Gateway(mut client) => client.get_user_by_claim(request).await,
        };
        let message = response.map_err(transport)?.into_inner();
        one(message.status, message.user)
    }

    async fn groups(&self, id: &UserId) -> Result<Vec<String>, DirectoryError> {
        let request = reading(GetUserGroupsRequest { user_id: Some(id.into()), ..Default::default() });
        let response = match self.client.clone() {
            Client::Users(mut client) => client.get_user_groups(request).await,
            Client::Gateway(mut client) => client.get_user_groups(request).await,
        };
        let message = response.map_err(transport)?.into_inner();
        verdict(message.status)?;
        Ok(message.groups)
    }

    async fn profile(&self, id: &UserId) -> Result<Profile, DirectoryError> {
        let Some(Profiles { mut client, token: Some(token), .. }) = self.profiles.clone() else {
            return Ok(Profile::default());
        };
        let by = Some(person_ref::By::Id(id.opaque_id.clone()));
        let message = GetProfileRequest { user: Some(PersonRef { by }) };
        let token = token().map_err(DirectoryError::Internal)?;
        match client.get_profile(Repeatable::mark(with_token(message, &token)?)).await {
            Ok(response) => Ok(profile(&response.into_inner().profile.unwrap_or_default())),
            // the users service of an existing installation
            Err(status) if status.code() == Code::Unimplemented => Ok(Profile::default()),
            Err(status) if status.code() == Code::NotFound => Err(DirectoryError::NotFound),
            Err(status) => Err(transport(status)),
        }
    }

    async fn may_change_mail(&self) -> Result<bool, DirectoryError> {
        let Some((mut client, token)) = self.mail_changer()? else { return Ok(false) };
        let request = Repeatable::mark(with_token(GetMailChangePolicyRequest {}, &token)?);
        match client.get_mail_change_policy(request).await {
            Ok(response) => Ok(response.into_inner().enabled),
            // the users service of an existing installation, or of an earlier version
            Err(status) if status.code() == Code::Unimplemented => Ok(false),
            Err(status) => Err(transport(status)),
        }
    }

    async fn set_verified_mail(&self, id: &UserId, change: MailChange<'_>) -> Result<(), MailChangeError> {
        let Some((mut client, token)) = self.mail_changer()? else { return Err(DirectoryError::ReadOnly.into()) };
        let MailChange { address, expected } = change;
        let user_id = id.opaque_id.clone();
        let message = SetVerifiedMailRequest { user_id, address: address.to_owned(), expected: expected.to_owned() };
        client.set_verified_mail(with_token(message, &token)?).await.map(drop).map_err(unchanged)
    }

    async fn find(&self, filters: &[Filter], groups: Groups, token: &str) -> Result<Vec<Arc<User>>, DirectoryError> {
        let skip_fetching_user_groups = groups == Groups::Skip;
        let message = |filters| FindUsersRequest { filters, skip_fetching_user_groups, ..Default::default() };
        let response = match self.client.clone() {
            Client::Users(mut client) => {
                let filters: Vec<UserFilter> = filters.iter().map(UserFilter::from).collect();
                client.find_users(Repeatable::mark(with_token(message(encode_filters_new(&filters)), token)?)).await
            }
            // A gateway of an existing installation reads the interface's older form: one text.
            Client::Gateway(mut client) => {
                let [Filter::Query(text)] = filters else {
                    return Err(DirectoryError::Malformed("a gateway can only be searched by one text"));
                };
                client.find_users(Repeatable::mark(with_token(message(encode_query_old(text)), token)?)).await
            }
        };
        let message = response.map_err(transport)?.into_inner();
        verdict(message.status)?;
        Ok(message.users.into_iter().map(|user| Arc::new(user.into())).collect())
    }

    async fn note_password_change(&self, id: &UserId, at: SystemTime, token: &str) -> Result<(), DirectoryError> {
        let Some(mut administration) = self.administration.clone() else { return Err(DirectoryError::ReadOnly) };
        let micros = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let message = NotePasswordChangeRequest {
            user_id: id.opaque_id.clone(),
            at_micros: i64::try_from(micros).unwrap_or(i64::MAX),
        };
        administration.note_password_change(with_token(message, token)?).await.map(drop).map_err(unnoted)
    }
}

fn profile(wire: &UserProfile) -> Profile {
    let attributes = wire.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let updated = u64::try_from(wire.updated).ok().filter(|seconds| *seconds > 0);
    let mut profile = Profile::from_names(attributes);
    profile.phone_number_verified = wire.phone_number_verified;
    profile.updated = updated.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    profile
}

fn outgoing<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    propagate_trace(request.metadata_mut());
    request
}

/// A call that changes nothing.
fn reading<T>(message: T) -> Request<T> {
    Repeatable::mark(outgoing(message))
}

fn with_token<T>(message: T, token: &str) -> Result<Request<T>, DirectoryError> {
    let mut value = MetadataValue::try_from(token).map_err(|_| DirectoryError::Unauthenticated)?;
    value.set_sensitive(true);
    let mut request = outgoing(message);
    request.metadata_mut().insert("x-access-token", value);
    Ok(request)
}

fn transport(status: tonic::Status) -> DirectoryError {
    // What our own client gives up after its timeout is "cancelled" to it.
    if status.code() == Code::Cancelled {
        return DirectoryError::Unavailable(Box::new(status));
    }
    match Kind::from_grpc(status.code()) {
        Kind::Unavailable | Kind::DeadlineExceeded | Kind::ResourceExhausted => {
            DirectoryError::Unavailable(Box::new(status))
        }
        Kind::Unauthenticated | Kind::PermissionDenied => DirectoryError::Unauthenticated,
        _ => DirectoryError::Internal(Box::new(status)),
    }
}

fn unnoted(status: tonic::Status) -> DirectoryError {
    match Kind::from_grpc(status.code()) {
        Kind::NotFound => DirectoryError::NotFound,
        Kind::InvalidArgument => DirectoryError::Malformed("users could not read the request"),
        // people are in LDAP there, or it is the users service of an existing installation
        Kind::Unimplemented => DirectoryError::ReadOnly,
        _ => transport(status),
    }
}

fn unchanged(status: tonic::Status) -> MailChangeError {
    match status.code() {
        Code::FailedPrecondition => MailChangeError::Outdated,
        Code::AlreadyExists => MailChangeError::Taken,
        Code::InvalidArgument => MailChangeError::Invalid,
        Code::PermissionDenied => MailChangeError::NotPermitted,
        Code::Unimplemented => DirectoryError::ReadOnly.into(),
        Code::NotFound => DirectoryError::NotFound.into(),
        _ => transport(status).into(),
    }
}

fn one(status: Option<Cs3Status>, user: Option<Cs3User>) -> Result<Arc<User>, DirectoryError> {
    verdict(status)?;
    user.filter(|user| user.id.as_ref().is_some_and(|id| !id.opaque_id.is_empty()))
        .map(|user| Arc::new(user.into()))
        .ok_or_else(|| DirectoryError::Internal("users answered OK without a user".into()))
}

fn verdict(answer: Option<Cs3Status>) -> Result<(), DirectoryError> {
    let answer = answer.unwrap_or_default();
    let Some(kind) = Kind::from_cs3(answer.code) else { return Ok(()) };
    let said = || format!("users answered {kind:?}: {}", answer.message).into();
    Err(match kind {
        Kind::NotFound => DirectoryError::NotFound,
        Kind::FailedPrecondition => DirectoryError::Ambiguous,
        Kind::InvalidArgument => DirectoryError::Malformed("users could not read the request"),
        Kind::Unauthenticated | Kind::PermissionDenied => DirectoryError::Unauthenticated,
        Kind::Unavailable | Kind::DeadlineExceeded | Kind::ResourceExhausted => DirectoryError::Unavailable(said()),
        Kind::AlreadyExists | Kind::Aborted | Kind::Unimplemented | Kind::Internal => DirectoryError::Internal(said()),
    })
}
