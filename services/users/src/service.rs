//! `doorward.users.v1.UsersAdminAPI`: people and groups, for administrators.

mod convert;
pub(crate) mod profiles;
pub(crate) mod read_only;
pub(crate) mod tenants;

use std::sync::Arc;

use authn::DirectoryError;
use authn::audit::Event;
use proto::doorward::users::v1::{
    AddMemberRequest, AddMemberResponse, CreateGroupRequest, CreateGroupResponse, CreateUserRequest,
    CreateUserResponse, DeleteGroupRequest, DeleteGroupResponse, DeleteUserRequest, DeleteUserResponse,
    GetGroupRequest, GetGroupResponse, GetUserRequest, GetUserResponse, ListGroupsRequest, ListGroupsResponse,
    ListMembersRequest, ListMembersResponse, ListUserNamesRequest, ListUserNamesResponse, ListUsersRequest,
    ListUsersResponse, NotePasswordChangeRequest, NotePasswordChangeResponse, RemoveMemberRequest,
    RemoveMemberResponse, RenameGroupRequest, RenameGroupResponse, UpdateUserRequest, UpdateUserResponse,
    users_admin_api_server::{UsersAdminApi, UsersAdminApiServer},
};
use runtime::{Clock, is_operator};
use status::Kind;
use token::{Claims, TokenError, Verifier};
use tonic::{Request, Response, Status, metadata::MetadataMap};
use tracing::field::debug;

use crate::{Administration, Author, PageRequest, PeopleError};

/// Largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 64 * 1024;

/// The most people whose names are looked up at once.
const MAX_NAMES: usize = 500;

type GrpcResult<T> = Result<Response<T>, Status>;

/// Serves the administration of people. Every call needs the internal token of an administrator; a service that makes and changes people
/// for an issuer may do that with its own.
pub(crate) fn serve(
    administration: Arc<Administration>,
    authority: Authority,
    limit: Option<usize>,
) -> UsersAdminApiServer<impl UsersAdminApi> {
    let server = UsersAdminApiServer::new(Admin { administration, authority });
    server.max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

struct Admin {
    administration: Arc<Administration>,
    authority: Authority,
}

/// Decides who may call.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) verifier: Verifier,
    pub(crate) clock: Clock,
}

impl Authority {
    /// Who calls, if that is an administrator.
    fn authorize(&self, metadata: &MetadataMap) -> Result<Claims, Status> {
        Ok(token::authorize_admin(&self.verifier, self.clock.now(), metadata)?)
    }

    /// Who calls, if that is an administrator, or a service that makes and changes people for an issuer.
    fn authorize_provisioner(&self, metadata: &MetadataMap) -> Result<Claims, Status> {
        Ok(token::authorize_provisioner(&self.verifier, self.clock.now(), metadata)?)
    }
}

fn author(caller: &Claims) -> Author {
    match (caller.is_provisioner(), is_operator(caller)) {
        (true, _) => Author::Issuer,
        (false, true) => Author::Operator,
        (false, false) => Author::Administrator,
    }
}

/// Whether the request changes what only an administrator may: whether a user may sign in, and its ids in a file system.
fn is_for_administrators(request: &UpdateUserRequest) -> bool {
    request.status.is_some() || request.uid_number.is_some() || request.gid_number.is_some()
}

#[tonic::async_trait]
impl UsersAdminApi for Admin {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> GrpcResult<CreateUserResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?;
        let new = convert::new_person(request.into_inner(), author(&caller));
        let (caller, outcome) = (caller.user.id.opaque_id, self.administration.create_person(new).await);
        let person = audited("user.create", &caller, outcome, |person| person.id.clone())?;
        Ok(Response::new(CreateUserResponse { user: Some(convert::person(person)) }))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> GrpcResult<UpdateUserResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?;
        if caller.is_provisioner() && is_for_administrators(request.get_ref()) {
            return Err(TokenError::NotAdministrator.into());
        }
        let (who, change) = convert::change(request.into_inner(), author(&caller)).map_err(refusal)?;
        let caller = caller.user.id.opaque_id;
        let outcome = self.administration.update_person(&who, change).await;
        let person = audited("user.update", &caller, outcome, |person| person.id.clone())?;
        Ok(Response::new(UpdateUserResponse { user: Some(convert::person(person)) }))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> GrpcResult<DeleteUserResponse> {
        let caller = self.authority.authorize(request.metadata())?;
        let who = convert::person_ref(request.into_inner().user).map_err(refusal)?;
        let outcome = self.administration.delete_person(&who, author(&caller)).await;
        audited("user.delete", &caller.user.id.opaque_id, outcome, |person| person.id.clone())?;
        Ok(Response::new(DeleteUserResponse {}))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> GrpcResult<GetUserResponse> {
        self.authority.authorize_provisioner(request.metadata())?;
        let who = convert::person_ref(request.into_inner().user).map_err(refusal)?;
        let person = self.administration.person(&who).await.map_err(refusal)?;
        Ok(Response::new(GetUserResponse { user: Some(convert::person(person)) }))
    }

    async fn list_user_names(&self, request: Request<ListUserNamesRequest>) -> GrpcResult<ListUserNamesResponse> {
        self.authority.authorize(request.metadata())?;
        let ids = identifiers(request.into_inner()).map_err(refusal)?;
        let usernames = self.administration.usernames(&ids).await.map_err(refusal)?;
        Ok(Response::new(ListUserNamesResponse { usernames }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> GrpcResult<ListUsersResponse> {
        self.authority.authorize(request.metadata())?;
        let ListUsersRequest { page_size, page_token, query } = request.into_inner();
        let page = PageRequest { size: page_size, token: page_token };
        let page = self.administration.list_people(&query, &page).await.map_err(refusal)?;
        let users = page.entries.into_iter().map(convert::person).collect();
        Ok(Response::new(ListUsersResponse { users, next_page_token: page.next.unwrap_or_default() }))
    }

    async fn create_group(&self, request: Request<CreateGroupRequest>) -> GrpcResult<CreateGroupResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?.user.id.opaque_id;
        let CreateGroupRequest { name, description, id } = request.into_inner();
        let outcome = self.administration.create_group(&name, description.as_deref(), id.as_deref()).await;
        let group = audited("group.create", &caller, outcome, |group| group.id.clone())?;
        Ok(Response::new(CreateGroupResponse { group: Some(convert::group(group)) }))
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> GrpcResult<GetGroupResponse> {
        self.authority.authorize_provisioner(request.metadata())?;
        let which = convert::group_ref(request.into_inner().group).map_err(refusal)?;
        let group = self.administration.group(&which).await.map_err(refusal)?;
        Ok(Response::new(GetGroupResponse { group: Some(convert::group(group)) }))
    }

    async fn rename_group(&self, request: Request<RenameGroupRequest>) -> GrpcResult<RenameGroupResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?.user.id.opaque_id;
        let RenameGroupRequest { group, name } = request.into_inner();
        let which = convert::group_ref(group).map_err(refusal)?;
        let outcome = self.administration.rename_group(&which, &name).await;
        let group = audited("group.rename", &caller, outcome, |group| group.id.clone())?;
        Ok(Response::new(RenameGroupResponse { group: Some(convert::group(group)) }))
    }

    async fn delete_group(&self, request: Request<DeleteGroupRequest>) -> GrpcResult<DeleteGroupResponse> {
        let caller = self.authority.authorize(request.metadata())?;
        let which = convert::group_ref(request.into_inner().group).map_err(refusal)?;
        let outcome = self.administration.delete_group(&which).await;
        audited("group.delete", &caller.user.id.opaque_id, outcome, |group| group.id.clone())?;
        Ok(Response::new(DeleteGroupResponse {}))
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> GrpcResult<ListGroupsResponse> {
        self.authority.authorize(request.metadata())?;
        let ListGroupsRequest { page_size, page_token, query } = request.into_inner();
        let page = PageRequest { size: page_size, token: page_token };
        let page = self.administration.list_groups(&query, &page).await.map_err(refusal)?;
        let groups = page.entries.into_iter().map(convert::group).collect();
        Ok(Response::new(ListGroupsResponse { groups, next_page_token: page.next.unwrap_or_default() }))
    }

    async fn add_member(&self, request: Request<AddMemberRequest>) -> GrpcResult<AddMemberResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?.user.id.opaque_id;
        let AddMemberRequest { group, user } = request.into_inner();
        let (which, who) = (convert::group_ref(group).map_err(refusal)?, convert::person_ref(user).map_err(refusal)?);
        let outcome = self.administration.add_member(&which, &who).await;
        let changed = audited("group.add_member", &caller, outcome, |_| who.text().to_owned())?;
        Ok(Response::new(AddMemberResponse { changed }))
    }

    async fn remove_member(&self, request: Request<RemoveMemberRequest>) -> GrpcResult<RemoveMemberResponse> {
        let caller = self.authority.authorize_provisioner(request.metadata())?.user.id.opaque_id;
        let RemoveMemberRequest { group, user } = request.into_inner();
        let (which, who) = (convert::group_ref(group).map_err(refusal)?, convert::person_ref(user).map_err(refusal)?);
        let outcome = self.administration.remove_member(&which, &who).await;
        let changed = audited("group.remove_member", &caller, outcome, |_| who.text().to_owned())?;
        Ok(Response::new(RemoveMemberResponse { changed }))
    }

    async fn list_members(&self, request: Request<ListMembersRequest>) -> GrpcResult<ListMembersResponse> {
        self.authority.authorize(request.metadata())?;
        let ListMembersRequest { group, page_size, page_token } = request.into_inner();
        let which = convert::group_ref(group).map_err(refusal)?;
        let page = PageRequest { size: page_size, token: page_token };
        let page = self.administration.list_members(&which, &page).await.map_err(refusal)?;
        let members = page.entries.into_iter().map(convert::person).collect();
        Ok(Response::new(ListMembersResponse { members, next_page_token: page.next.unwrap_or_default() }))
    }

    async fn note_password_change(
        &self,
        request: Request<NotePasswordChangeRequest>,
    ) -> GrpcResult<NotePasswordChangeResponse> {
        let caller = self.authority.authorize(request.metadata())?;
        let (id, at) = convert::password_change(request.into_inner()).map_err(refusal)?;
        let outcome = self.administration.note_password_change(&id, at).await;
        audited("user.note_password_change", &caller.user.id.opaque_id, outcome, |()| id)?;
        Ok(Response::new(NotePasswordChangeResponse {}))
    }
}

/// The identifiers of a request for names.
fn identifiers(request: ListUserNamesRequest) -> Result<Vec<String>, PeopleError> {
    if request.ids.len() > MAX_NAMES {
        return Err(PeopleError::Invalid(format!("there are more than {MAX_NAMES} identifiers")));
    }
    Ok(request.ids)
}

/// Writes one line into the audit log, whatever came of it.
fn audited<T>(
    event: &'static str,
    caller: &str,
    outcome: Result<T, PeopleError>,
    subject: impl FnOnce(&T) -> String,
) -> Result<T, Status> {
    match &outcome {
        Ok(done) => Event { subject: &subject(done), caller: &caller, ..Event::new(event, "success") }.log(),
        Err(error) => Event { reason: &debug(error.kind()), caller: &caller, ..Event::new(event, "failure") }.log(),
    }
    outcome.map_err(refusal)
}

/// The status of the response; the cause of an internal failure is written to the log only.
fn refusal(error: PeopleError) -> Status {
    let kind = error.kind();
    match error {
        PeopleError::Store(cause) if kind == Kind::Unavailable => {
            tracing::warn!(%cause, "people cannot be read or changed");
            status::grpc(kind, "the database is not available")
        }
        PeopleError::Store(cause) => {
            tracing::error!(%cause, "people cannot be read or changed");
            status::grpc(kind, "internal error")
        }
        PeopleError::Directory(DirectoryError::Unavailable(cause) | DirectoryError::Internal(cause)) => {
            tracing::warn!(%cause, "users cannot be read");
            status::grpc(kind, format!("users cannot be read: {cause}"))
        }
        refused => status::grpc(kind, refused.to_string()),
    }
}
