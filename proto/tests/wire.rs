//! The numbers, names and paths that peers rely on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use prost::Message;
use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Label;
use proto::cs3::auth::applications::v1beta1 as applications;
use proto::cs3::auth::provider::v1beta1 as provider;
use proto::cs3::auth::registry::v1beta1 as registry;
use proto::cs3::gateway::v1beta1 as gateway;
use proto::cs3::identity::user::v1beta1 as user;
use proto::cs3::rpc::v1beta1::{Code, Status};
use proto::cs3::storage::provider::v1beta1 as storage;
use proto::cs3::types::v1beta1::{Opaque, OpaqueEntry, Timestamp};
use proto::doorward::{apptokens, idp, passwords, serviceaccounts, users};
use proto::ocis::services::settings::v0 as settings;
use tonic::body::Body;
use tonic::codegen::{Service, http};

/// The message has exactly these bytes, in both directions.
#[track_caller]
fn round_trip<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes);
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
}

#[test]
fn status() {
    round_trip(
        &Status {
            code: Code::Ok.into(),
            message: "m".into(),
            trace: "t".into(),
            target_uri: "u".into(),
            inner_error: Some(OpaqueEntry { decoder: "plain".into(), value: b"e".to_vec() }),
        },
        b"\x08\x01\x12\x01m\x1a\x01t\x22\x01u\x2a\x0a\x0a\x05plain\x12\x01e",
    );
    assert_eq!(Status::decode(&b""[..]).unwrap().code(), Code::Invalid, "an empty status is no success");
}

#[test]
fn opaque_is_deterministic() {
    let entry = |value: &[u8]| OpaqueEntry { decoder: String::new(), value: value.to_vec() };
    let map = BTreeMap::from([("b".to_owned(), entry(b"2")), ("a".to_owned(), entry(b"1"))]);
    round_trip(&Opaque { map }, b"\x0a\x08\x0a\x01a\x12\x03\x12\x011\x0a\x08\x0a\x01b\x12\x03\x12\x012");
}

#[test]
fn timestamp_is_unsigned() {
    round_trip(&Timestamp { seconds: u64::MAX, nanos: 1 }, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01");
}

#[test]
fn provider_response_has_no_opaque() {
    let scope = provider::Scope {
        resource: Some(OpaqueEntry { decoder: "json".into(), value: br#"{"path":"/"}"#.to_vec() }),
        role: provider::Role::Owner.into(),
    };
    round_trip(
        &provider::AuthenticateResponse {
            status: Some(Status { code: Code::Ok.into(), ..Default::default() }),
            user: Some(user::User { username: "u".into(), ..Default::default() }),
            token_scope: BTreeMap::from([("user".to_owned(), scope)]),
        },
        b"\x0a\x02\x08\x01\x12\x03\x12\x01u\x1a\x20\x0a\x04user\x12\x18\x0a\x14\x0a\x04json\x12\x0c{\"path\":\"/\"}\x10\x01",
    );
}

#[test]
fn gateway_authenticate() {
    round_trip(
        &gateway::AuthenticateRequest {
            opaque: None,
            r#type: "t".into(),
            client_id: "i".into(),
            client_secret: "s".into(),
        },
        b"\x12\x01t\x1a\x01i\x22\x01s",
    );
    round_trip(
        &gateway::AuthenticateResponse {
            status: Some(Status { code: Code::Ok.into(), ..Default::default() }),
            opaque: None,
            token: "t".into(),
            user: Some(user::User::default()),
        },
        b"\x0a\x02\x08\x01\x1a\x01t\x22\x00",
    );
}

#[test]
fn user_with_the_fields_of_the_newer_generation() {
    round_trip(
        &user::User {
            id: Some(user::UserId {
                idp: "i".into(),
                opaque_id: "o".into(),
                r#type: user::UserType::Service.into(),
                tenant_id: "t".into(),
                external_identities: vec![user::ExternalIdentity { idp: "x".into(), opaque_id: "y".into() }],
            }),
            username: "u".into(),
            mail: "m".into(),
            mail_verified: true,
            display_name: "d".into(),
            groups: vec!["g".into(), "h".into()],
            opaque: Some(Opaque::default()),
            uid_number: 1,
            gid_number: -1,
            status: user::UserStatus::Blocked.into(),
        },
        b"\x0a\x13\x0a\x01i\x12\x01o\x18\x03\x22\x01t\x2a\x06\x0a\x01x\x12\x01y\
          \x12\x01u\x1a\x01m\x20\x01\x2a\x01d\x32\x01g\x32\x01h\x3a\x00\
          \x40\x01\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x50\x02",
    );
}

#[test]
fn find_users_takes_both_generations() {
    let old = user::FindUsersRequest::decode(&b"\x12\x03ein\x18\x01"[..]).unwrap();
    assert_eq!(old.filters, [b"ein"]);
    assert!(old.skip_fetching_user_groups);
    let new = user::FindUsersRequest::decode(&b"\x12\x07\x08\x02\x1a\x03ein\x12\x04\x08\x01\x10\x01"[..]).unwrap();
    assert_eq!(new.filters, [&b"\x08\x02\x1a\x03ein"[..], b"\x08\x01\x10\x01"]);
}

#[test]
fn fields_that_are_not_known_are_skipped() {
    assert_eq!(user::UserId::decode(&b"\x0a\x01i\xfa\x01\x01z"[..]).unwrap().idp, "i");
}

#[test]
fn enums() {
    let codes = [
        "INVALID",
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "REDIRECTION",
        "INSUFFICIENT_STORAGE",
        "LOCKED",
        "TOO_EARLY",
    ];
    for (number, name) in (0..).zip(codes) {
        assert_eq!(Code::from_str_name(&format!("CODE_{name}")).map(i32::from), Some(number));
    }
    let roles = ["INVALID", "OWNER", "LEGACY", "VIEWER", "EDITOR", "FILE_EDITOR", "COOWNER", "UPLOADER"];
    for (number, name) in (0..).zip(roles) {
        assert_eq!(provider::Role::from_str_name(&format!("ROLE_{name}")).map(i32::from), Some(number));
    }
    let types = [
        "INVALID",
        "PRIMARY",
        "SECONDARY",
        "SERVICE",
        "APPLICATION",
        "GUEST",
        "FEDERATED",
        "LIGHTWEIGHT",
        "SPACE_OWNER",
    ];
    for (number, name) in (0..).zip(types) {
        assert_eq!(user::UserType::from_str_name(&format!("USER_TYPE_{name}")).map(i32::from), Some(number));
    }
    for (number, name) in (0..).zip(["ACTIVE", "EXPIRING", "BLOCKED"]) {
        assert_eq!(user::UserStatus::from_str_name(&format!("USER_STATUS_{name}")).map(i32::from), Some(number));
    }
    for (number, name) in (0..).zip(["INVALID", "USERTYPE", "QUERY"]) {
        assert_eq!(user::filter::Type::from_str_name(&format!("TYPE_{name}")).map(i32::from), Some(number));
    }
}

/// Every message of the CS3 part with its fields, as `number name`, `*` after those that repeat.
#[test]
fn cs3_fields() {
    let expected = "\
cs3.auth.applications.v1beta1.AppPassword: 1 password, 2 token_scope*, 3 label, 4 user, 5 expiration, 6 ctime, 7 utime
cs3.auth.applications.v1beta1.GenerateAppPasswordRequest: 1 opaque, 2 token_scope*, 3 label, 4 expiration
cs3.auth.applications.v1beta1.GenerateAppPasswordResponse: 1 status, 2 opaque, 3 app_password
cs3.auth.applications.v1beta1.GetAppPasswordRequest: 1 opaque, 2 user, 3 password
cs3.auth.applications.v1beta1.GetAppPasswordResponse: 1 status, 2 opaque, 3 app_password
cs3.auth.applications.v1beta1.InvalidateAppPasswordRequest: 1 opaque, 2 password
cs3.auth.applications.v1beta1.InvalidateAppPasswordResponse: 1 status, 2 opaque
cs3.auth.applications.v1beta1.ListAppPasswordsRequest: 1 opaque
cs3.auth.applications.v1beta1.ListAppPasswordsResponse: 1 status, 2 opaque, 3 app_passwords*
cs3.auth.provider.v1beta1.AuthenticateRequest: 1 opaque, 2 client_id, 3 client_secret
cs3.auth.provider.v1beta1.AuthenticateResponse: 1 status, 2 user, 3 token_scope*
cs3.auth.provider.v1beta1.Scope: 1 resource, 2 role
cs3.auth.registry.v1beta1.GetAuthProvidersRequest: 1 opaque, 2 type
cs3.auth.registry.v1beta1.GetAuthProvidersResponse: 1 status, 2 opaque, 3 providers*
cs3.auth.registry.v1beta1.ListAuthProvidersRequest: 1 opaque
cs3.auth.registry.v1beta1.ListAuthProvidersResponse: 1 status, 2 opaque, 3 providers*
cs3.auth.registry.v1beta1.ProviderInfo: 1 opaque, 2 provider_type, 4 address, 5 description
cs3.gateway.v1beta1.AuthenticateRequest: 1 opaque, 2 type, 3 client_id, 4 client_secret
cs3.gateway.v1beta1.AuthenticateResponse: 1 status, 2 opaque, 3 token, 4 user
cs3.gateway.v1beta1.ListAuthProvidersResponse: 1 status, 2 opaque, 3 types*
cs3.gateway.v1beta1.WhoAmIRequest: 1 opaque, 2 token
cs3.gateway.v1beta1.WhoAmIResponse: 1 status, 2 opaque, 3 user
cs3.identity.user.v1beta1.ExternalIdentity: 1 idp, 2 opaque_id
cs3.identity.user.v1beta1.Filter: 1 type, 2 usertype, 3 query
cs3.identity.user.v1beta1.FindUsersRequest: 1 opaque, 2 filters*, 3 skip_fetching_user_groups
cs3.identity.user.v1beta1.FindUsersResponse: 1 status, 2 opaque, 3 users*
cs3.identity.user.v1beta1.GetUserByClaimRequest: 1 opaque, 2 claim, 3 value, 4 skip_fetching_user_groups
cs3.identity.user.v1beta1.GetUserByClaimResponse: 1 status, 2 opaque, 3 user
cs3.identity.user.v1beta1.GetUserGroupsRequest: 1 opaque, 2 user_id
cs3.identity.user.v1beta1.GetUserGroupsResponse: 1 status, 2 opaque, 3 groups*
cs3.identity.user.v1beta1.GetUserRequest: 1 opaque, 2 user_id, 3 skip_fetching_user_groups
cs3.identity.user.v1beta1.GetUserResponse: 1 status, 2 opaque, 3 user
cs3.identity.user.v1beta1.User: 1 id, 2 username, 3 mail, 4 mail_verified, 5 display_name, 6 groups*, 7 opaque, \
8 uid_number, 9 gid_number, 10 status
cs3.identity.user.v1beta1.UserId: 1 idp, 2 opaque_id, 3 type, 4 tenant_id, 5 external_identities*
cs3.rpc.v1beta1.Status: 1 code, 2 message, 3 trace, 4 target_uri, 5 InnerError
cs3.storage.provider.v1beta1.CreateHomeRequest: 1 opaque
cs3.storage.provider.v1beta1.CreateHomeResponse: 1 status, 2 opaque
cs3.types.v1beta1.Opaque: 1 map*
cs3.types.v1beta1.OpaqueEntry: 1 decoder, 2 value
cs3.types.v1beta1.Timestamp: 1 seconds, 2 nanos";

    let mut found = Vec::new();
    for file in FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap().file {
        for message in file.message_type.iter().filter(|_| file.package().starts_with("cs3.")) {
            let mut fields: Vec<_> = message.field.iter().collect();
            fields.sort_by_key(|field| field.number());
            let fields: Vec<_> = fields
                .into_iter()
                .map(|field| {
                    let repeats = if field.label() == Label::Repeated { "*" } else { "" };
                    format!("{} {}{repeats}", field.number(), field.name())
                })
                .collect();
            found.push(format!("{}.{}: {}", file.package(), message.name(), fields.join(", ")));
        }
    }
    found.sort();
    assert_eq!(found.join("\n"), expected);
}

/// A peer that notes the path of each call and answers nothing.
#[derive(Clone, Default)]
struct Paths(Arc<Mutex<Vec<String>>>);

impl Service<http::Request<Body>> for Paths {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.lock().unwrap().push(request.uri().path().to_owned());
        ready(Ok(http::Response::new(Body::empty())))
    }
}

macro_rules! paths {
    ($client:path; $($method:ident($request:path)),+ $(,)?) => {{
        use $client as Client;
        let paths = Paths::default();
        let mut client = Client::new(paths.clone());
        $(client.$method(<$request>::default()).await.unwrap_err();)+
        std::mem::take(&mut *paths.0.lock().unwrap())
    }};
}

#[track_caller]
fn assert_paths(found: &[String], service: &str, methods: &[&str]) {
    let expected: Vec<_> = methods.iter().map(|method| format!("/{service}/{method}")).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn gateway_paths() {
    let found = paths!(gateway::gateway_api_client::GatewayApiClient;
        authenticate(gateway::AuthenticateRequest),
        who_am_i(gateway::WhoAmIRequest),
        list_auth_providers(registry::ListAuthProvidersRequest),
        generate_app_password(applications::GenerateAppPasswordRequest),
        list_app_passwords(applications::ListAppPasswordsRequest),
        invalidate_app_password(applications::InvalidateAppPasswordRequest),
        get_app_password(applications::GetAppPasswordRequest),
        get_user(user::GetUserRequest),
        get_user_by_claim(user::GetUserByClaimRequest),
        get_user_groups(user::GetUserGroupsRequest),
        find_users(user::FindUsersRequest),
    );
    assert_eq!(found[0], "/cs3.gateway.v1beta1.GatewayAPI/Authenticate");
    assert_paths(
        &found,
        "cs3.gateway.v1beta1.GatewayAPI",
        &[
            "Authenticate",
            "WhoAmI",
            "ListAuthProviders",
            "GenerateAppPassword",
            "ListAppPasswords",
            "InvalidateAppPassword",
            "GetAppPassword",
            "GetUser",
            "GetUserByClaim",
            "GetUserGroups",
            "FindUsers",
        ],
    );
    assert_eq!(gateway::gateway_api_server::SERVICE_NAME, "cs3.gateway.v1beta1.GatewayAPI");
}

#[tokio::test]
async fn service_paths() {
    let found = paths!(provider::provider_api_client::ProviderApiClient;
        authenticate(provider::AuthenticateRequest));
    assert_paths(&found, "cs3.auth.provider.v1beta1.ProviderAPI", &["Authenticate"]);

    let found = paths!(registry::registry_api_client::RegistryApiClient;
        get_auth_providers(registry::GetAuthProvidersRequest),
        list_auth_providers(registry::ListAuthProvidersRequest));
    assert_paths(&found, "cs3.auth.registry.v1beta1.RegistryAPI", &["GetAuthProviders", "ListAuthProviders"]);

    let found = paths!(applications::applications_api_client::ApplicationsApiClient;
        generate_app_password(applications::GenerateAppPasswordRequest),
        list_app_passwords(applications::ListAppPasswordsRequest),
        invalidate_app_password(applications::InvalidateAppPasswordRequest),
        get_app_password(applications::GetAppPasswordRequest));
    assert_paths(
        &found,
        "cs3.auth.applications.v1beta1.ApplicationsAPI",
        &["GenerateAppPassword", "ListAppPasswords", "InvalidateAppPassword", "GetAppPassword"],
    );

    let found = paths!(user::user_api_client::UserApiClient;
        get_user(user::GetUserRequest),
        get_user_by_claim(user::GetUserByClaimRequest),
        get_user_groups(user::GetUserGroupsRequest),
        find_users(user::FindUsersRequest));
    assert_paths(
        &found,
        "cs3.identity.user.v1beta1.UserAPI",
        &["GetUser", "GetUserByClaim", "GetUserGroups", "FindUsers"],
    );
}

#[tokio::test]
async fn settings_paths_and_numbers() {
    let found = paths!(settings::role_service_client::RoleServiceClient;
        list_role_assignments(settings::ListRoleAssignmentsRequest),
        assign_role_to_user(settings::AssignRoleToUserRequest));
    let methods = ["ListRoleAssignments", "AssignRoleToUser"];
    assert_paths(&found, "ocis.services.settings.v0.RoleService", &methods);

    let request = settings::AssignRoleToUserRequest { account_uuid: "u".into(), role_id: "r".into() };
    round_trip(&request, b"\x0a\x01u\x12\x01r");
    let assignment = settings::UserRoleAssignment { id: "i".into(), account_uuid: "u".into(), role_id: "r".into() };
    let response = settings::ListRoleAssignmentsResponse { assignments: vec![assignment] };
    round_trip(&response, b"\x0a\x09\x0a\x01i\x12\x01u\x1a\x01r");
}

#[test]
fn create_home_numbers() {
    let status = Some(Status { code: Code::Ok.into(), ..Status::default() });
    round_trip(&storage::CreateHomeResponse { status, opaque: None }, b"\x0a\x02\x08\x01");
    let opaque = Some(Opaque::default());
    round_trip(&storage::CreateHomeRequest { opaque }, b"\x0a\x00");
}

#[tokio::test]
async fn call_by_path_asks_the_path() {
    let paths = Paths::default();
    let request = tonic::Request::new(storage::CreateHomeRequest::default());
    let path = "/cs3.gateway.v1beta1.GatewayAPI/CreateHome";
    let outcome: Result<tonic::Response<storage::CreateHomeResponse>, _> =
        proto::call::unary(paths.clone(), path, request).await;
    outcome.unwrap_err();
    assert_eq!(*paths.0.lock().unwrap(), [path]);
}

#[tokio::test]
async fn own_paths_of_users_and_passwords() {
    let found = paths!(users::v1::users_admin_api_client::UsersAdminApiClient;
        create_user(users::v1::CreateUserRequest),
        update_user(users::v1::UpdateUserRequest),
        delete_user(users::v1::DeleteUserRequest),
        get_user(users::v1::GetUserRequest),
        list_users(users::v1::ListUsersRequest),
        create_group(users::v1::CreateGroupRequest),
        delete_group(users::v1::DeleteGroupRequest),
        list_groups(users::v1::ListGroupsRequest),
        add_member(users::v1::AddMemberRequest),
        remove_member(users::v1::RemoveMemberRequest),
        list_members(users::v1::ListMembersRequest),
        note_password_change(users::v1::NotePasswordChangeRequest));
    assert_paths(
        &found,
        "doorward.users.v1.UsersAdminAPI",
        &[
            "CreateUser",
            "UpdateUser",
            "DeleteUser",
            "GetUser",
            "ListUsers",
            "CreateGroup",
            "DeleteGroup",
            "ListGroups",
            "AddMember",
            "RemoveMember",
            "ListMembers",
            "NotePasswordChange",
        ],
    );

    let found = paths!(users::v1::profiles_api_client::ProfilesApiClient;
        get_profile(users::v1::GetProfileRequest),
        set_profile(users::v1::SetProfileRequest));
    assert_paths(&found, "doorward.users.v1.ProfilesAPI", &["GetProfile", "SetProfile"]);

    let found = paths!(passwords::v1::passwords_api_client::PasswordsApiClient;
        set_password(passwords::v1::SetPasswordRequest),
        remove_password(passwords::v1::RemovePasswordRequest),
        has_password(passwords::v1::HasPasswordRequest),
        judge_password(passwords::v1::JudgePasswordRequest),
        change_own_password(passwords::v1::ChangeOwnPasswordRequest),
        reset_password(passwords::v1::ResetPasswordRequest));
    assert_paths(
        &found,
        "doorward.passwords.v1.PasswordsAPI",
        &["SetPassword", "RemovePassword", "HasPassword", "JudgePassword", "ChangeOwnPassword", "ResetPassword"],
    );
}

#[tokio::test]
async fn own_paths_of_the_provider_and_of_tokens() {
    let found = paths!(idp::v1::idp_admin_api_client::IdpAdminApiClient;
        add_client(idp::v1::AddClientRequest),
        list_clients(idp::v1::ListClientsRequest),
        get_client(idp::v1::GetClientRequest),
        update_client(idp::v1::UpdateClientRequest),
        rotate_secret(idp::v1::RotateSecretRequest),
        remove_client(idp::v1::RemoveClientRequest),
        add_initial_access(idp::v1::AddInitialAccessRequest),
        get_issuers(idp::v1::GetIssuersRequest));
    assert_paths(
        &found,
        "doorward.idp.v1.IdpAdminAPI",
        &[
            "AddClient",
            "ListClients",
            "GetClient",
            "UpdateClient",
            "RotateSecret",
            "RemoveClient",
            "AddInitialAccess",
            "GetIssuers",
        ],
    );

    let found = paths!(serviceaccounts::v1::service_accounts_api_client::ServiceAccountsApiClient;
        list_service_accounts(serviceaccounts::v1::ListServiceAccountsRequest),
        get_service_account(serviceaccounts::v1::GetServiceAccountRequest),
        create_service_account(serviceaccounts::v1::CreateServiceAccountRequest),
        update_service_account(serviceaccounts::v1::UpdateServiceAccountRequest),
        delete_service_account(serviceaccounts::v1::DeleteServiceAccountRequest),
        add_secret(serviceaccounts::v1::AddSecretRequest),
        remove_secret(serviceaccounts::v1::RemoveSecretRequest));
    assert_paths(
        &found,
        "doorward.serviceaccounts.v1.ServiceAccountsAPI",
        &[
            "ListServiceAccounts",
            "GetServiceAccount",
            "CreateServiceAccount",
            "UpdateServiceAccount",
            "DeleteServiceAccount",
            "AddSecret",
            "RemoveSecret",
        ],
    );

    let found = paths!(apptokens::v1::app_tokens_api_client::AppTokensApiClient;
        create_token(apptokens::v1::CreateTokenRequest),
        list_tokens(apptokens::v1::ListTokensRequest),
        search_tokens(apptokens::v1::SearchTokensRequest),
        get_token(apptokens::v1::GetTokenRequest),
        revoke_token(apptokens::v1::RevokeTokenRequest),
        revoke_tokens(apptokens::v1::RevokeTokensRequest),
        prune_tokens(apptokens::v1::PruneTokensRequest),
        import_tokens(apptokens::v1::ImportTokensRequest));
    assert_paths(
        &found,
        "doorward.apptokens.v1.AppTokensAPI",
        &[
            "CreateToken",
            "ListTokens",
            "SearchTokens",
            "GetToken",
            "RevokeToken",
            "RevokeTokens",
            "PruneTokens",
            "ImportTokens",
        ],
    );

    let found = paths!(apptokens::v1::own_tokens_api_client::OwnTokensApiClient;
        get_token_policy(apptokens::v1::GetTokenPolicyRequest),
        list_own_tokens(apptokens::v1::ListOwnTokensRequest),
        create_own_token(apptokens::v1::CreateOwnTokenRequest),
        revoke_own_token(apptokens::v1::RevokeOwnTokenRequest),
        revoke_own_tokens(apptokens::v1::RevokeOwnTokensRequest));
    assert_paths(
        &found,
        "doorward.apptokens.v1.OwnTokensAPI",
        &["GetTokenPolicy", "ListOwnTokens", "CreateOwnToken", "RevokeOwnToken", "RevokeOwnTokens"],
    );

    let found = paths!(idp::v1::keys_api_client::KeysApiClient;
        list_keys(idp::v1::ListKeysRequest),
        rotate_key(idp::v1::RotateKeyRequest),
        retire_key(idp::v1::RetireKeyRequest));
    assert_paths(&found, "doorward.idp.v1.KeysAPI", &["ListKeys", "RotateKey", "RetireKey"]);
}

#[tokio::test]
async fn paths_of_accounts() {
    let found = paths!(idp::v1::account_api_client::AccountApiClient;
        list_sessions(idp::v1::ListSessionsRequest),
        get_current_session(idp::v1::GetCurrentSessionRequest),
        end_session(idp::v1::EndSessionRequest),
        end_other_sessions(idp::v1::EndOtherSessionsRequest),
        end_all_sessions(idp::v1::EndAllSessionsRequest),
        list_connected_applications(idp::v1::ListConnectedApplicationsRequest),
        disconnect_application(idp::v1::DisconnectApplicationRequest),
        list_events(idp::v1::ListEventsRequest));
    assert_paths(
        &found,
        "doorward.idp.v1.AccountAPI",
        &[
            "ListSessions",
            "GetCurrentSession",
            "EndSession",
            "EndOtherSessions",
            "EndAllSessions",
            "ListConnectedApplications",
            "DisconnectApplication",
            "ListEvents",
        ],
    );

    let found = paths!(idp::v1::account_admin_api_client::AccountAdminApiClient;
        list_user_sessions(idp::v1::ListUserSessionsRequest),
        end_user_session(idp::v1::EndUserSessionRequest),
        end_all_user_sessions(idp::v1::EndAllUserSessionsRequest),
        end_every_users_sessions(idp::v1::EndEveryUsersSessionsRequest),
        list_user_applications(idp::v1::ListUserApplicationsRequest),
        disconnect_user_application(idp::v1::DisconnectUserApplicationRequest),
        list_user_events(idp::v1::ListUserEventsRequest));
    assert_paths(
        &found,
        "doorward.idp.v1.AccountAdminAPI",
        &[
            "ListUserSessions",
            "EndUserSession",
            "EndAllUserSessions",
            "EndEveryUsersSessions",
            "ListUserApplications",
            "DisconnectUserApplication",
            "ListUserEvents",
        ],
    );
}

#[test]
fn an_update_tells_absent_from_empty() {
    use users::v1::{RoleList, UpdateUserRequest};
    round_trip(&UpdateUserRequest::default(), b"");
    round_trip(
        &UpdateUserRequest {
            mail: Some(String::new()),
            uid_number: Some(0),
            roles: Some(RoleList::default()),
            ..Default::default()
        },
        b"\x12\x00\x28\x00\x3a\x00",
    );
}
