//! `doorward.users.v1.ProfilesAPI`: the profiles of users, for administrators, for the users themselves, and for services that
//! read them.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use authn::{Claim, Directory, DirectoryError, Groups, MailChange, Profile, User, UserId};
use proto::doorward::users::v1::{
    GetMailChangePolicyRequest, GetMailChangePolicyResponse, GetProfileRequest, GetProfileResponse,
    ListGroupNamesRequest, ListGroupNamesResponse, PersonRef as WireRef, SetProfileRequest, SetProfileResponse,
    SetVerifiedMailRequest, SetVerifiedMailResponse, UserProfile,
    profiles_api_server::{ProfilesApi, ProfilesApiServer},
};
use status::Kind;
use token::Claims;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Authority, GrpcResult, REQUEST_LIMIT, audited, convert, refusal};
use crate::profile::{MAIL, all_writable};
use crate::{Administration, PeopleError, PersonRef, ProfileChange};

/// Serves the profiles. `limit` is the largest request that is read, in bytes; the usual one if it is `None`.
pub(crate) fn serve(profiles: Profiles, limit: Option<usize>) -> ProfilesApiServer<Profiles> {
    ProfilesApiServer::new(profiles).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

/// Where the names of groups are.
pub(crate) enum GroupNames {
    /// In the database.
    Sql(Arc<Administration>),
    /// On the LDAP server.
    Ldap(ldap::Directory),
}

impl GroupNames {
    /// The names of the groups of a user.
    async fn of(&self, id: &UserId) -> Result<Vec<String>, PeopleError> {
        let mut names: Vec<String> = match self {
            Self::Sql(administration) => {
                let person = administration.person(&PersonRef::Id(id.opaque_id.clone())).await?;
                person.groups.into_iter().map(|group| group.name).collect()
            }
            Self::Ldap(directory) => directory.group_names(id).await?,
        };
        names.sort_unstable();
        Ok(names)
    }
}

/// Profiles, and who may read and change them.
pub(crate) struct Profiles {
    pub(crate) directory: Arc<dyn Directory>,
    /// `None` for a database that is not administered by this process.
    pub(crate) group_names: Option<GroupNames>,
    /// `None` where users are only read.
    pub(crate) administration: Option<Arc<Administration>>,
    /// What users may change themselves.
    pub(crate) self_service: Vec<String>,
    pub(crate) authority: Authority,
}

impl Profiles {
    fn caller(&self, metadata: &MetadataMap) -> Result<Claims, Status> {
        Ok(token::authorize(&self.authority.verifier, self.authority.clock.now(), metadata)?)
    }

    /// The user whose profile it is, if the caller may read it. `reads_all` says that the caller may read every profile; others
    /// only their own, as active users with a credential without restriction (row P1). They do not learn whether there is a user
    /// with another name.
    async fn user(&self, wire: Option<WireRef>, caller: &Claims, reads_all: bool) -> Result<Arc<User>, Status> {
        let wanted = convert::person_ref(wire).map_err(refusal)?;
        if reads_all {
            return self.find(wanted).await.map_err(|error| refusal(error.into()));
        }
        let forbidden = || status::grpc(Kind::PermissionDenied, "only an administrator may do that for another user");
        if !caller.scopes.is_full_user() {
            return Err(forbidden());
        }
        let own = match self.directory.user(&caller.user.id, Groups::Skip).await {
            Err(DirectoryError::NotFound) => return Err(forbidden()),
            found => found.map_err(|error| refusal(error.into()))?,
        };
        let is_meant = match &wanted {
            PersonRef::Id(id) => own.id.opaque_id == *id,
            PersonRef::Username(name) => own.username == *name,
        };
        if is_meant && own.is_active() { Ok(own) } else { Err(forbidden()) }
    }

    async fn find(&self, wanted: PersonRef) -> Result<Arc<User>, DirectoryError> {
        match wanted {
            PersonRef::Id(opaque_id) => {
                self.directory.user(&UserId { opaque_id, ..UserId::default() }, Groups::Skip).await
            }
            PersonRef::Username(name) => self.directory.user_by_claim(&Claim::Username(name), Groups::Skip).await,
        }
    }

    /// What the caller may change, by name.
    fn writable(&self, caller: &Claims) -> Vec<String> {
        if self.administration.is_none() || !caller.is_in_person() {
            return Vec::new();
        }
        if !caller.is_admin() {
            return self.self_service.clone();
        }
        let mail = self.self_service.iter().filter(|name| *name == MAIL).cloned();
        all_writable().into_iter().chain(mail).collect()
    }
}

#[tonic::async_trait]
impl ProfilesApi for Profiles {
    async fn get_profile(&self, request: Request<GetProfileRequest>) -> GrpcResult<GetProfileResponse> {
        let caller = self.caller(request.metadata())?;
        let reads_all = caller.is_admin() || caller.is_profile_reader();
        let user = self.user(request.into_inner().user, &caller, reads_all).await?;
        let profile = self.directory.profile(&user.id).await.map_err(|error| refusal(error.into()))?;
        Ok(Response::new(GetProfileResponse { profile: Some(wire(&profile)), writable: self.writable(&caller) }))
    }

    async fn set_profile(&self, request: Request<SetProfileRequest>) -> GrpcResult<SetProfileResponse> {
        let caller = self.caller(request.metadata())?;
        if !caller.is_in_person() {
            let problem = "a program's credential, or one that acts in the user's name, changes no profile";
            return Err(status::grpc(Kind::PermissionDenied, problem));
        }
        let SetProfileRequest {
            user,
            attributes,
            display_name,
            phone_number_verified,
            expected_attributes,
            expected_display_name,
        } = request.into_inner();
        let user = self.user(user, &caller, caller.is_admin()).await?;
        let administration = self.administration.as_ref().ok_or_else(|| refusal(PeopleError::ReadOnly))?;
        let change = ProfileChange::of_names(attributes).map_err(refusal)?;
        let change = change.expecting(expected_attributes).map_err(refusal)?;
        let change = ProfileChange { display_name, phone_number_verified, expected_display_name, ..change };
        if !caller.is_admin()
            && let Some(name) = change.reserved(&self.self_service)
        {
            let problem = format!("only an administrator may change {name}; see USERS_SELF_SERVICE_ATTRIBUTES");
            return Err(status::grpc(Kind::PermissionDenied, problem));
        }
        let id = user.id.opaque_id.clone();
        let outcome = administration.set_profile(&id, change).await;
        let profile = audited("user.set_profile", &caller.user.id.opaque_id, outcome, |_| id)?;
        Ok(Response::new(SetProfileResponse { profile: Some(wire(&profile)) }))
    }

    async fn list_group_names(&self, request: Request<ListGroupNamesRequest>) -> GrpcResult<ListGroupNamesResponse> {
        let caller = self.caller(request.metadata())?;
        let user = self.user(request.into_inner().user, &caller, caller.is_admin()).await?;
        let unknown = || status::grpc(Kind::Unimplemented, "the names of groups are not known here");
        let names = self.group_names.as_ref().ok_or_else(unknown)?.of(&user.id).await.map_err(refusal)?;
        Ok(Response::new(ListGroupNamesResponse { names }))
    }

    async fn get_mail_change_policy(
        &self,
        request: Request<GetMailChangePolicyRequest>,
    ) -> GrpcResult<GetMailChangePolicyResponse> {
        self.caller(request.metadata())?;
        let enabled = self.directory.may_change_mail().await.map_err(|error| refusal(error.into()))?;
        Ok(Response::new(GetMailChangePolicyResponse { enabled }))
    }

    async fn set_verified_mail(&self, request: Request<SetVerifiedMailRequest>) -> GrpcResult<SetVerifiedMailResponse> {
        let caller = self.caller(request.metadata())?;
        if !caller.is_mail_changer() {
            let problem = "only the service that sends the links may set a mail address which a link has verified";
            return Err(status::grpc(Kind::PermissionDenied, problem));
        }
        let SetVerifiedMailRequest { user_id, address, expected } = request.into_inner();
        let administration = self.administration.as_ref().ok_or_else(|| refusal(PeopleError::ReadOnly))?;
        let change = MailChange { address: &address, expected: &expected };
        let outcome = administration.set_verified_mail(&user_id, change).await;
        audited("user.set_verified_mail", &caller.user.id.opaque_id, outcome, |()| user_id)?;
        Ok(Response::new(SetVerifiedMailResponse {}))
    }
}

fn wire(profile: &Profile) -> UserProfile {
    let seconds = profile.updated.and_then(|updated| updated.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    UserProfile {
        attributes: profile.names(),
        phone_number_verified: profile.phone_number_verified,
        updated: i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX),
    }
}
