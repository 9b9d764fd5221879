//! The paths of the methods.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use proto::cs3::auth::applications::v1beta1 as applications;
use proto::cs3::auth::provider::v1beta1 as provider;
use proto::cs3::auth::registry::v1beta1 as registry;
use proto::cs3::gateway::v1beta1 as gateway;
use proto::cs3::identity::tenant::v1beta1 as tenant;
use proto::cs3::identity::user::v1beta1 as user;
use proto::cs3::storage::provider::v1beta1 as storage;
use proto::doorward::{apptokens, gateway as transactions, idp, passwords, serviceaccounts, users};
use proto::ocis::services::settings::v0 as settings;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::round_trip;

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

    let found = paths!(tenant::tenant_api_client::TenantApiClient;
        get_tenant(tenant::GetTenantRequest),
        get_tenant_by_claim(tenant::GetTenantByClaimRequest));
    assert_paths(&found, "cs3.identity.tenant.v1beta1.TenantAPI", &["GetTenant", "GetTenantByClaim"]);
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
        list_user_names(users::v1::ListUserNamesRequest),
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
            "ListUserNames",
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
        set_profile(users::v1::SetProfileRequest),
        get_mail_change_policy(users::v1::GetMailChangePolicyRequest),
        set_verified_mail(users::v1::SetVerifiedMailRequest));
    let methods = ["GetProfile", "SetProfile", "GetMailChangePolicy", "SetVerifiedMail"];
    assert_paths(&found, "doorward.users.v1.ProfilesAPI", &methods);

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
async fn paths_and_numbers_of_transaction_tokens() {
    let found = paths!(transactions::v1::transaction_tokens_client::TransactionTokensClient;
        mint(transactions::v1::MintRequest),
        get_key_set(transactions::v1::GetKeySetRequest));
    assert_paths(&found, "doorward.gateway.v1.TransactionTokens", &["Mint", "GetKeySet"]);

    let request =
        transactions::v1::MintRequest { internal_token: "i".into(), lifetime_seconds: 9, ..Default::default() };
    round_trip(&request, b"\x0a\x01i\x30\x09");
    assert_eq!(format!("{request:?}").matches("[redacted]").count(), 1, "{request:?}");
    let response =
        transactions::v1::MintResponse { transaction_token: "t".into(), txn: "x".into(), ..Default::default() };
    round_trip(&response, b"\x0a\x01t\x22\x01x");
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
        list_events(idp::v1::ListEventsRequest),
        get_mail_change_policy(idp::v1::GetMailChangePolicyRequest),
        change_mail(idp::v1::ChangeMailRequest));
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
            "GetMailChangePolicy",
            "ChangeMail",
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

#[tokio::test]
async fn paths_of_streams() {
    let paths = Paths::default();
    let mut client = idp::v1::account_admin_api_client::AccountAdminApiClient::new(paths.clone());
    // a stream begins before the peer's status is read
    client.export_user_events(idp::v1::ExportUserEventsRequest::default()).await.unwrap();
    assert_paths(&paths.0.lock().unwrap(), "doorward.idp.v1.AccountAdminAPI", &["ExportUserEvents"]);

    let paths = Paths::default();
    let mut client = idp::v1::sessions_api_client::SessionsApiClient::new(paths.clone());
    client.watch_ended_sessions(idp::v1::WatchEndedSessionsRequest::default()).await.unwrap();
    assert_paths(&paths.0.lock().unwrap(), "doorward.idp.v1.SessionsAPI", &["WatchEndedSessions"]);
}
