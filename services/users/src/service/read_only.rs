//! `doorward.users.v1.UsersAdminAPI` over an LDAP server, which is only read. Only the times of password changes are noted, in
//! a database of this service.

use authn::{Claim, Directory as _, DirectoryError, Groups, User, UserId};
use futures_util::{StreamExt, TryStreamExt, stream};
use ldap::{GroupKey, Listing};
use proto::doorward::users::v1::{
    AddMemberRequest, AddMemberResponse, CreateGroupRequest, CreateGroupResponse, CreateUserRequest,
    CreateUserResponse, DeleteGroupRequest, DeleteGroupResponse, DeleteUserRequest, DeleteUserResponse,
    GetGroupRequest, GetGroupResponse, GetUserRequest, GetUserResponse, ListGroupsRequest, ListGroupsResponse,
    ListMembersRequest, ListMembersResponse, ListUserNamesRequest, ListUserNamesResponse, ListUsersRequest,
    ListUsersResponse, NotePasswordChangeRequest, NotePasswordChangeResponse, RemoveMemberRequest,
    RemoveMemberResponse, RenameGroupRequest, RenameGroupResponse, UpdateUserRequest, UpdateUserResponse,
    users_admin_api_server::{UsersAdminApi, UsersAdminApiServer},
};
use tonic::{Request, Response, metadata::MetadataMap};

use super::{Authority, GrpcResult, REQUEST_LIMIT, audited, convert, identifiers, refusal};
use crate::administration::{decode_page_token, encode_page_token, page_size};
use crate::ldap_directory::LdapDirectory;
use crate::person::GroupName;
use crate::{Group, GroupRef, PageRequest, PeopleError, Person, PersonRef};

/// How many users are looked up at the same time.
const SIDE_BY_SIDE: usize = 8;

/// Serves the users and groups of this directory. What would change them is refused with the reason.
/// `limit` is the largest request that is read, in bytes; the usual one if it is `None`.
pub(crate) fn serve(
    directory: LdapDirectory,
    authority: Authority,
    limit: Option<usize>,
) -> UsersAdminApiServer<impl UsersAdminApi> {
    let server = UsersAdminApiServer::new(ReadOnly { directory, authority });
    server.max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

struct ReadOnly {
    directory: LdapDirectory,
    authority: Authority,
}

impl ReadOnly {
    async fn person(&self, who: PersonRef) -> Result<Person, PeopleError> {
        let claim = match who {
            PersonRef::Id(id) => Claim::UserId(id),
            PersonRef::Username(name) => Claim::Username(name),
        };
        let user = self.directory.user_by_claim(&claim, Groups::Skip).await?;
        let groups = self.directory.ldap.group_names(&user.id).await?;
        Ok(person(&user, groups))
    }

    /// The identifier and the login name of a user, if there is one.
    async fn username(&self, id: String) -> Result<Option<(String, String)>, DirectoryError> {
        let named = UserId { opaque_id: id.clone(), ..UserId::default() };
        match self.directory.user(&named, Groups::Skip).await {
            Ok(user) => Ok(Some((id, user.username.clone()))),
            Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn group(&self, which: &GroupRef) -> Result<Group, PeopleError> {
        let found = self.directory.ldap.group(key(which)).await?.ok_or(PeopleError::NoSuchGroup)?;
        Ok(group(found))
    }

    async fn members(&self, which: &GroupRef, page: &PageRequest) -> Result<ListMembersResponse, PeopleError> {
        let (after, most) = page_range(page)?;
        let listing = self.directory.ldap.members(key(which), &after, most).await?.ok_or(PeopleError::NoSuchGroup)?;
        let next_page_token = token_of(&listing);
        Ok(ListMembersResponse { members: listing.entries.iter().map(|user| listed(user)).collect(), next_page_token })
    }

    /// Refuses changes. A caller that may not administer gets no other information.
    fn refuse<T>(&self, metadata: &MetadataMap) -> GrpcResult<T> {
        self.authority.authorize_provisioner(metadata)?;
        Err(refusal(PeopleError::ReadOnly))
    }
}

/// After what a page begins, and how many entries it has at most.
fn page_range(page: &PageRequest) -> Result<(String, usize), PeopleError> {
    Ok((decode_page_token(&page.token)?, usize::try_from(page_size(page)).unwrap_or(usize::MAX)))
}

fn token_of<T>(listing: &Listing<T>) -> String {
    listing.next.as_deref().map(encode_page_token).unwrap_or_default()
}

fn key(which: &GroupRef) -> GroupKey<'_> {
    match which {
        GroupRef::Id(id) => GroupKey::Id(id),
        GroupRef::Name(name) => GroupKey::Name(name),
    }
}

fn group(found: ldap::Group) -> Group {
    let ldap::Group { id, name, description, members } = found;
    let description = (!description.is_empty()).then_some(description);
    Group { id, name, description, member_count: u64::try_from(members).unwrap_or(u64::MAX) }
}

/// A user as lists have it, without groups.
fn listed(user: &User) -> proto::doorward::users::v1::Person {
    convert::person(person(user, Vec::new()))
}

/// A user as commands show it. When it was made and changed is not known.
fn person(user: &User, groups: Vec<String>) -> Person {
    let User { id: UserId { opaque_id, .. }, username, mail, display_name, status, .. } = user.clone();
    Person {
        id: opaque_id,
        username,
        mail,
        display_name,
        status,
        uid_number: user.uid_number,
        gid_number: user.gid_number,
        roles: user.roles.clone(),
        groups: groups.into_iter().map(|name| GroupName { id: String::new(), name }).collect(),
        created: 0,
        updated: 0,
        password_changed: user.password_changed,
    }
}

#[tonic::async_trait]
impl UsersAdminApi for ReadOnly {
    async fn get_user(&self, request: Request<GetUserRequest>) -> GrpcResult<GetUserResponse> {
        self.authority.authorize_provisioner(request.metadata())?;
        let who = convert::person_ref(request.into_inner().user).map_err(refusal)?;
        let person = self.person(who).await.map_err(refusal)?;
        Ok(Response::new(GetUserResponse { user: Some(convert::person(person)) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> GrpcResult<ListUsersResponse> {
        self.authority.authorize(request.metadata())?;
        let ListUsersRequest { page_size, page_token, query } = request.into_inner();
        let (after, most) = page_range(&PageRequest { size: page_size, token: page_token }).map_err(refusal)?;
        let listing = self.directory.ldap.list(&query, &after, most).await.map_err(|error| refusal(error.into()))?;
        let next_page_token = token_of(&listing);
        let users = listing.entries.iter().map(|user| listed(user)).collect();
        Ok(Response::new(ListUsersResponse { users, next_page_token }))
    }

    async fn list_user_names(&self, request: Request<ListUserNamesRequest>) -> GrpcResult<ListUserNamesResponse> {
        self.authority.authorize(request.metadata())?;
        let ids = identifiers(request.into_inner()).map_err(refusal)?;
        let found = stream::iter(ids).map(|id| self.username(id)).buffer_unordered(SIDE_BY_SIDE);
        let found: Result<Vec<_>, _> = found.try_collect().await;
        let usernames = found.map_err(|error| refusal(error.into()))?.into_iter().flatten().collect();
        Ok(Response::new(ListUserNamesResponse { usernames }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> GrpcResult<CreateUserResponse> {
        self.refuse(request.metadata())
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> GrpcResult<UpdateUserResponse> {
        self.refuse(request.metadata())
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> GrpcResult<DeleteUserResponse> {
        self.refuse(request.metadata())
    }

    async fn create_group(&self, request: Request<CreateGroupRequest>) -> GrpcResult<CreateGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> GrpcResult<GetGroupResponse> {
        self.authority.authorize_provisioner(request.metadata())?;
        let which = convert::group_ref(request.into_inner().group).map_err(refusal)?;
        let group = self.group(&which).await.map_err(refusal)?;
        Ok(Response::new(GetGroupResponse { group: Some(convert::group(group)) }))
    }

    async fn rename_group(&self, request: Request<RenameGroupRequest>) -> GrpcResult<RenameGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn delete_group(&self, request: Request<DeleteGroupRequest>) -> GrpcResult<DeleteGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> GrpcResult<ListGroupsResponse> {
        self.authority.authorize(request.metadata())?;
        let ListGroupsRequest { page_size, page_token, query } = request.into_inner();
        let (after, most) = page_range(&PageRequest { size: page_size, token: page_token }).map_err(refusal)?;
        let listing =
            self.directory.ldap.list_groups(&query, &after, most).await.map_err(|error| refusal(error.into()))?;
        let next_page_token = token_of(&listing);
        let groups = listing.entries.into_iter().map(|found| convert::group(group(found))).collect();
        Ok(Response::new(ListGroupsResponse { groups, next_page_token }))
    }

    async fn add_member(&self, request: Request<AddMemberRequest>) -> GrpcResult<AddMemberResponse> {
        self.refuse(request.metadata())
    }

    async fn remove_member(&self, request: Request<RemoveMemberRequest>) -> GrpcResult<RemoveMemberResponse> {
        self.refuse(request.metadata())
    }

    async fn list_members(&self, request: Request<ListMembersRequest>) -> GrpcResult<ListMembersResponse> {
        self.authority.authorize(request.metadata())?;
        let ListMembersRequest { group, page_size, page_token } = request.into_inner();
        let which = convert::group_ref(group).map_err(refusal)?;
        let page = PageRequest { size: page_size, token: page_token };
        Ok(Response::new(self.members(&which, &page).await.map_err(refusal)?))
    }

    async fn note_password_change(
        &self,
        request: Request<NotePasswordChangeRequest>,
    ) -> GrpcResult<NotePasswordChangeResponse> {
        let caller = self.authority.authorize(request.metadata())?;
        let (opaque_id, at) = convert::password_change(request.into_inner()).map_err(refusal)?;
        let id = UserId { opaque_id, ..UserId::default() };
        let outcome = self.directory.note(&id, at).await;
        audited("user.note_password_change", &caller.user.id.opaque_id, outcome, |()| id.opaque_id)?;
        Ok(Response::new(NotePasswordChangeResponse {}))
    }
}
