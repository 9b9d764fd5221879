//! `doorward.users.v1.UsersAdminAPI` over an LDAP server, which is only read.

use authn::{Claim, Directory as _, Groups, User, UserId};
use proto::doorward::users::v1::{
    AddMemberRequest, AddMemberResponse, CreateGroupRequest, CreateGroupResponse, CreateUserRequest,
    CreateUserResponse, DeleteGroupRequest, DeleteGroupResponse, DeleteUserRequest, DeleteUserResponse,
    GetGroupRequest, GetGroupResponse, GetUserRequest, GetUserResponse, ListGroupsRequest, ListGroupsResponse,
    ListMembersRequest, ListMembersResponse, ListUsersRequest, ListUsersResponse, NotePasswordChangeRequest,
    NotePasswordChangeResponse, RemoveMemberRequest, RemoveMemberResponse, RenameGroupRequest, RenameGroupResponse,
    UpdateUserRequest, UpdateUserResponse,
    users_admin_api_server::{UsersAdminApi, UsersAdminApiServer},
};
use tonic::{Request, Response, metadata::MetadataMap};

use super::{Answer, Authority, REQUEST_LIMIT, convert, refusal};
use crate::administration::{decode_page_token, encode_page_token, page_size};
use crate::person::GroupName;
use crate::{PageRequest, PeopleError, Person, PersonRef};

/// Serves the users of this directory. Only users are read; every other call is refused with the reason.
/// `limit` is the largest request that is read, in bytes; the usual one if it is `None`.
pub(crate) fn serve(
    directory: ldap::Directory,
    authority: Authority,
    limit: Option<usize>,
) -> UsersAdminApiServer<impl UsersAdminApi> {
    let server = UsersAdminApiServer::new(ReadOnly { directory, authority });
    server.max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

struct ReadOnly {
    directory: ldap::Directory,
    authority: Authority,
}

impl ReadOnly {
    async fn person(&self, who: PersonRef) -> Result<Person, PeopleError> {
        let claim = match who {
            PersonRef::Id(id) => Claim::UserId(id),
            PersonRef::Username(name) => Claim::Username(name),
        };
        let user = self.directory.user_by_claim(&claim, Groups::Skip).await?;
        let groups = self.directory.group_names(&user.id).await?;
        Ok(person(&user, groups))
    }

    async fn page(&self, query: &str, page: &PageRequest) -> Result<ldap::Listing, PeopleError> {
        let after = decode_page_token(&page.token)?;
        let most = usize::try_from(page_size(page)).unwrap_or(usize::MAX);
        Ok(self.directory.list(query, &after, most).await?)
    }

    /// Refuses what would change something, or is not read. Whoever may not administer learns nothing else.
    fn refuse<T>(&self, metadata: &MetadataMap) -> Answer<T> {
        self.authority.authorize_provisioner(metadata)?;
        Err(refusal(PeopleError::ReadOnly))
    }
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
    async fn get_user(&self, request: Request<GetUserRequest>) -> Answer<GetUserResponse> {
        self.authority.authorize_provisioner(request.metadata())?;
        let who = convert::person_ref(request.into_inner().user).map_err(refusal)?;
        let person = self.person(who).await.map_err(refusal)?;
        Ok(Response::new(GetUserResponse { user: Some(convert::person(person)) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Answer<ListUsersResponse> {
        self.authority.authorize(request.metadata())?;
        let ListUsersRequest { page_size, page_token, query } = request.into_inner();
        let page = PageRequest { size: page_size, token: page_token };
        let listing = self.page(&query, &page).await.map_err(refusal)?;
        let users = listing.users.iter().map(|user| convert::person(person(user, Vec::new()))).collect();
        let next_page_token = listing.next.as_deref().map(encode_page_token).unwrap_or_default();
        Ok(Response::new(ListUsersResponse { users, next_page_token }))
    }

    async fn create_user(&self, request: Request<CreateUserRequest>) -> Answer<CreateUserResponse> {
        self.refuse(request.metadata())
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Answer<UpdateUserResponse> {
        self.refuse(request.metadata())
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Answer<DeleteUserResponse> {
        self.refuse(request.metadata())
    }

    async fn create_group(&self, request: Request<CreateGroupRequest>) -> Answer<CreateGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> Answer<GetGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn rename_group(&self, request: Request<RenameGroupRequest>) -> Answer<RenameGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn delete_group(&self, request: Request<DeleteGroupRequest>) -> Answer<DeleteGroupResponse> {
        self.refuse(request.metadata())
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> Answer<ListGroupsResponse> {
        self.refuse(request.metadata())
    }

    async fn add_member(&self, request: Request<AddMemberRequest>) -> Answer<AddMemberResponse> {
        self.refuse(request.metadata())
    }

    async fn remove_member(&self, request: Request<RemoveMemberRequest>) -> Answer<RemoveMemberResponse> {
        self.refuse(request.metadata())
    }

    async fn list_members(&self, request: Request<ListMembersRequest>) -> Answer<ListMembersResponse> {
        self.refuse(request.metadata())
    }

    async fn note_password_change(
        &self,
        request: Request<NotePasswordChangeRequest>,
    ) -> Answer<NotePasswordChangeResponse> {
        self.refuse(request.metadata())
    }
}
