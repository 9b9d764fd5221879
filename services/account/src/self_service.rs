//! The user's own profile and password, at users and auth-basic.

use authn::BoxError;
use proto::doorward::passwords::v1::{
    ChangeOwnPasswordRequest, JudgePasswordRequest, JudgePasswordResponse, passwords_api_client::PasswordsApiClient,
};
use proto::doorward::users::v1::{
    GetProfileRequest, GetProfileResponse, ListGroupNamesRequest, PersonRef, SetProfileRequest, person_ref::By,
    profiles_api_client::ProfilesApiClient,
};
use runtime::Context;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::config::Config;
use crate::transport::{OnBehalfOf, Transport, remote, transport};

/// The services by which users change what is their own. A page without its service does not exist.
#[derive(Clone, Default)]
pub struct SelfService {
    /// The profile.
    pub profiles: Option<Profiles>,
    /// The password.
    pub passwords: Option<Passwords>,
}

impl SelfService {
    /// Services in other processes, by their endpoints, in place of those that are absent.
    ///
    /// # Errors
    /// If an endpoint is invalid.
    pub fn or_remote(self, config: &Config, context: &Context) -> Result<Self, BoxError> {
        let profiles = match self.profiles {
            Some(here) => Some(here),
            None => remote(&config.users_endpoint, config, context)?.map(Profiles::new),
        };
        let passwords = match self.passwords {
            Some(here) => Some(here),
            None => remote(&config.auth_basic_endpoint, config, context)?.map(Passwords::new),
        };
        Ok(Self { profiles, passwords })
    }
}

/// A client of `ProfilesAPI`, in this process or another.
#[derive(Clone)]
pub struct Profiles(ProfilesApiClient<Transport>);

impl Profiles {
    /// Calls a generated server of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self(ProfilesApiClient::new(transport("users", service)))
    }

    /// The profile of the user with this identifier, and what the user may change.
    pub(crate) async fn get(&self, user: &OnBehalfOf<'_>, id: &str) -> Result<GetProfileResponse, Status> {
        let request = GetProfileRequest { user: Some(by_id(id)) };
        Ok(self.0.clone().get_profile(user.call(request)).await?.into_inner())
    }

    /// The names of the groups of the user with this identifier.
    pub(crate) async fn group_names(&self, user: &OnBehalfOf<'_>, id: &str) -> Result<Vec<String>, Status> {
        let request = ListGroupNamesRequest { user: Some(by_id(id)) };
        Ok(self.0.clone().list_group_names(user.call(request)).await?.into_inner().names)
    }

    /// Changes the profile of the user with this identifier.
    pub(crate) async fn set(&self, user: &OnBehalfOf<'_>, id: &str, change: SetProfileRequest) -> Result<(), Status> {
        let request = SetProfileRequest { user: Some(by_id(id)), ..change };
        self.0.clone().set_profile(user.call(request)).await.map(drop)
    }
}

fn by_id(id: &str) -> PersonRef {
    PersonRef { by: Some(By::Id(id.to_owned())) }
}

/// A client of `PasswordsAPI`, in this process or another.
#[derive(Clone)]
pub struct Passwords(PasswordsApiClient<Transport>);

impl Passwords {
    /// Calls a generated server of this process, or a channel.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self(PasswordsApiClient::new(transport("auth-basic", service)))
    }

    /// What the policy says of a password as the user's own.
    pub(crate) async fn judge(&self, user: &OnBehalfOf<'_>, password: &str) -> Result<JudgePasswordResponse, Status> {
        let request = JudgePasswordRequest { password: password.to_owned(), ..JudgePasswordRequest::default() };
        Ok(self.0.clone().judge_password(user.call(request)).await?.into_inner())
    }

    /// Replaces the user's password.
    pub(crate) async fn change(&self, user: &OnBehalfOf<'_>, old: &str, new: &str) -> Result<(), Status> {
        let request = ChangeOwnPasswordRequest { old_password: old.to_owned(), new_password: new.to_owned() };
        self.0.clone().change_own_password(user.call(request)).await.map(drop)
    }
}
