//! `ServiceAccountsAPI`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use authn::{Authenticated, User, UserId, amr, role};
use proto::doorward::serviceaccounts::v1::service_accounts_api_client::ServiceAccountsApiClient;
use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, CreateServiceAccountRequest, DeleteServiceAccountRequest, GetServiceAccountRequest,
    ListServiceAccountsRequest, RemoveSecretRequest, UpdateServiceAccountRequest,
};
use secrecy::SecretString;
use token::{KeyRing, METADATA_KEY, Minter};
use tonic::service::Routes;
use tonic::{Code, Request};

use crate::support::{Bench, JWT_SECRET, MOSS, stored};

fn client(bench: &Bench) -> ServiceAccountsApiClient<Routes> {
    let app = auth_service::app(&bench.opened, &bench.config, &bench.context).expect("the service is built");
    ServiceAccountsApiClient::new(app.grpc.expect("it serves gRPC"))
}

/// A request of a user with these roles, who has signed in by this method.
fn request_by<T>(bench: &Bench, roles: &[&str], method: &'static str, message: T) -> Request<T> {
    let keys = Arc::new(KeyRing::new(&SecretString::from(JWT_SECRET), None).expect("a secret"));
    let id = UserId { opaque_id: MOSS.into(), ..UserId::default() };
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let answer = Authenticated::full(Arc::new(User { id, roles, ..User::default() }), method);
    let minter = Minter::new(keys, Duration::from_mins(5), false);
    let token = minter.mint(bench.context.clock.now(), &answer).expect("a token");
    let mut request = Request::new(message);
    request.metadata_mut().insert(METADATA_KEY, token.parse().expect("metadata"));
    request
}

/// A request of an administrator.
fn request<T>(bench: &Bench, message: T) -> Request<T> {
    request_by(bench, &[role::ADMIN], "pwd", message)
}

fn create(id: &str) -> CreateServiceAccountRequest {
    CreateServiceAccountRequest { id: id.to_owned(), ..CreateServiceAccountRequest::default() }
}

#[tokio::test]
async fn administrator_adds_changes_and_deletes_an_account() {
    let bench = Bench::start(stored()).await;
    let mut client = client(&bench);
    let message = CreateServiceAccountRequest { display_name: "Backup".to_owned(), ..create("backup") };
    let made = client.create_service_account(request(&bench, message)).await.expect("is added").into_inner();
    bench.authenticate("backup", &made.secret).await.expect("is accepted");
    let account = made.account.expect("an account");
    assert_eq!((account.display_name.as_str(), &*account.scopes), ("Backup", &["user".to_owned()][..]));
    assert_eq!((account.created_by.as_str(), account.secrets.len(), account.overridden), (MOSS, 1, false));

    let add = AddSecretRequest { id: "backup".to_owned(), expire_old_in: Some(60) };
    let added = client.add_secret(request(&bench, add.clone())).await.expect("is added").into_inner();
    let now = bench.context.clock.now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut secrets = added.account.expect("an account").secrets;
    // both are of the same moment
    secrets.sort_by_key(|secret| secret.id == added.secret_id);
    assert_eq!(secrets[0].expires, i64::try_from(now + 60).ok());
    assert_eq!((secrets[1].id.as_str(), secrets[1].expires), (added.secret_id.as_str(), None));
    let full = client.add_secret(request(&bench, add)).await.expect_err("is one too many");
    assert_eq!(full.code(), Code::FailedPrecondition, "{full}");
    let remove = |secret_id: &str| RemoveSecretRequest { id: "backup".to_owned(), secret_id: secret_id.to_owned() };
    let removed = client.remove_secret(request(&bench, remove(&secrets[0].id))).await.expect("is removed");
    assert_eq!(removed.into_inner().account.expect("an account").secrets.len(), 1);
    for (secret, code) in [(secrets[0].id.as_str(), Code::NotFound), ("1", Code::InvalidArgument)] {
        let error = client.remove_secret(request(&bench, remove(secret))).await.expect_err(secret);
        assert_eq!(error.code(), code, "{error}");
    }

    let message = UpdateServiceAccountRequest {
        id: "backup".to_owned(),
        display_name: Some("Nightly".to_owned()),
        disabled: Some(true),
        expires: Some(i64::try_from(now + 100).expect("a time")),
        ..UpdateServiceAccountRequest::default()
    };
    let updated = client.update_service_account(request(&bench, message)).await.expect("is changed").into_inner();
    let account = updated.account.expect("an account");
    assert_eq!((account.display_name.as_str(), account.disabled), ("Nightly", true));
    assert_eq!(account.expires, i64::try_from(now + 100).ok());
    let get = || GetServiceAccountRequest { id: "backup".to_owned() };
    let shown = client.get_service_account(request(&bench, get())).await.expect("is there").into_inner();
    assert_eq!(shown.account, Some(account));
    let delete = || DeleteServiceAccountRequest { id: "backup".to_owned() };
    client.delete_service_account(request(&bench, delete())).await.expect("is deleted");
    let error = client.delete_service_account(request(&bench, delete())).await.expect_err("is gone");
    assert_eq!(error.code(), Code::NotFound);
    let error = client.get_service_account(request(&bench, get())).await.expect_err("is gone");
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn accounts_are_listed_by_page_and_text() {
    let bench = Bench::start(stored()).await;
    let mut client = client(&bench);
    for id in ["c", "a", "b"] {
        bench.create(id).await;
    }
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let message = ListServiceAccountsRequest { page_size: 2, page_token, query: String::new() };
        let page = client.list_service_accounts(request(&bench, message)).await.expect("lists").into_inner();
        found.push(page.accounts.into_iter().map(|account| account.id).collect::<Vec<_>>());
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
    let message = ListServiceAccountsRequest { query: "B".to_owned(), ..ListServiceAccountsRequest::default() };
    let page = client.list_service_accounts(request(&bench, message)).await.expect("lists").into_inner();
    assert_eq!((page.accounts.len(), page.accounts[0].id.as_str()), (1, "b"));
}

#[tokio::test]
async fn invalid_account_is_refused_with_the_reason() {
    let bench = Bench::start(stored()).await;
    let mut client = client(&bench);
    bench.create("backup").await;
    let past = CreateServiceAccountRequest { expires: Some(1), ..create("new") };
    let scope = CreateServiceAccountRequest { scopes: vec!["admin".to_owned()], ..create("new") };
    let name = CreateServiceAccountRequest { display_name: "a\nb".to_owned(), ..create("new") };
    for (message, code, text) in [
        (create(""), Code::InvalidArgument, "1 to 64"),
        (create("A B"), Code::InvalidArgument, "1 to 64"),
        (past, Code::InvalidArgument, "in the future"),
        (scope, Code::InvalidArgument, "no scope \"admin\""),
        (name, Code::InvalidArgument, "128 characters"),
        (create("backup"), Code::AlreadyExists, "with this id"),
        (create("jobs"), Code::AlreadyExists, "the configuration"),
    ] {
        let error = client.create_service_account(request(&bench, message)).await.expect_err(text);
        assert!(error.code() == code && error.message().contains(text), "{error}");
    }
    let nothing = UpdateServiceAccountRequest { id: "backup".to_owned(), ..UpdateServiceAccountRequest::default() };
    let error = client.update_service_account(request(&bench, nothing)).await.expect_err("changes nothing");
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
}

/// `docs/security-requirements.md#m8`
#[tokio::test]
async fn accounts_are_for_administrators_who_have_signed_in() {
    let bench = Bench::start(stored()).await;
    let mut client = client(&bench);
    let made = bench.create("backup").await;
    let error = client.create_service_account(Request::new(create("new"))).await.expect_err("no token");
    assert_eq!(error.code(), Code::Unauthenticated);
    for (roles, method) in [
        (&[][..], "pwd"),
        (&[role::USER], "pwd"),
        (&[role::SPACE_ADMIN], "pwd"),
        (&[role::ADMIN], amr::SERVICE),
        (&[role::ADMIN], amr::MACHINE),
        (&[role::ADMIN], amr::APP),
    ] {
        let refused = |error: tonic::Status| assert_eq!(error.code(), Code::PermissionDenied, "{roles:?} {method}");
        let (id, secret_id) = ("backup".to_owned(), made.secret_id.to_string());
        let message = create("new");
        refused(client.create_service_account(request_by(&bench, roles, method, message)).await.expect_err("create"));
        let message = ListServiceAccountsRequest::default();
        refused(client.list_service_accounts(request_by(&bench, roles, method, message)).await.expect_err("list"));
        let message = GetServiceAccountRequest { id: id.clone() };
        refused(client.get_service_account(request_by(&bench, roles, method, message)).await.expect_err("get"));
        let message = UpdateServiceAccountRequest { id: id.clone(), disabled: Some(true), ..Default::default() };
        refused(client.update_service_account(request_by(&bench, roles, method, message)).await.expect_err("update"));
        let message = AddSecretRequest { id: id.clone(), expire_old_in: None };
        refused(client.add_secret(request_by(&bench, roles, method, message)).await.expect_err("add a secret"));
        let message = RemoveSecretRequest { id: id.clone(), secret_id };
        refused(client.remove_secret(request_by(&bench, roles, method, message)).await.expect_err("remove a secret"));
        let message = DeleteServiceAccountRequest { id };
        refused(client.delete_service_account(request_by(&bench, roles, method, message)).await.expect_err("delete"));
    }
    let account = bench.administration().get("backup").await.expect("is there");
    assert!(!account.disabled && account.secrets.len() == 1);
    client
        .create_service_account(request_by(&bench, &[role::ADMIN], runtime::OPERATOR, create("new")))
        .await
        .expect("the operator");
}

#[tokio::test]
async fn service_without_store_says_so() {
    let bench = Bench::start(auth_service::Config { store_accounts: false, ..stored() }).await;
    let mut client = client(&bench);
    let error = client.create_service_account(request(&bench, create("new"))).await.expect_err("is not stored");
    assert_eq!(error.code(), Code::Unimplemented);
    assert!(error.message().contains("AUTH_SERVICE_STORE_ACCOUNTS"), "{error}");
    let database = bench.folder.path().join("auth-service.db");
    assert!(!database.exists(), "no database is made");
}
