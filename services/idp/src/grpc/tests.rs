//! `IdpAdminAPI`, without a network.

use proto::doorward::idp::v1::{
    AddClientRequest, AddClientResponse, AddInitialAccessRequest, ClientSource, GetClientRequest, GetIssuersRequest,
    ListClientsRequest, RemoveClientRequest, RotateSecretRequest, UpdateClientRequest,
    idp_admin_api_client::IdpAdminApiClient, idp_admin_api_server::IdpAdminApiServer,
};
use serde_json::{Value, json};
use tonic::{Code, Request};

use super::{Api, serve};
use crate::store::EventFilter;
use crate::testing::{Bench, Browser, SITE, text};

/// A provider where clients register with an initial access token.
async fn guarded() -> Bench {
    Bench::with(|config| config.registration = true).await
}

/// The interface, called without a network between.
fn api(bench: &Bench) -> IdpAdminApiClient<IdpAdminApiServer<Api>> {
    IdpAdminApiClient::new(serve(bench.provider.clone(), None))
}

/// A message of the bearer of this token.
fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(::token::METADATA_KEY, token.parse().expect("a token"));
    request
}

fn adding(metadata: &Value) -> AddClientRequest {
    AddClientRequest { metadata: metadata.to_string() }
}

fn wiki() -> Value {
    json!({ "client_id": "wiki", "redirect_uris": ["https://wiki.example/cb"], "consent": "trusted" })
}

async fn added(bench: &Bench) -> AddClientResponse {
    api(bench).add_client(by(&bench.admin(), adding(&wiki()))).await.expect("is added").into_inner()
}

#[tokio::test]
async fn only_administrators_may_call_the_api() {
    let bench = guarded().await;
    let (person, mut api) = (bench.internal_token("marie", &["user"]), api(&bench));
    let refused = |outcome: Option<Code>, what: &str| assert_eq!(outcome, Some(Code::PermissionDenied), "{what}");
    refused(api.add_client(by(&person, adding(&wiki()))).await.err().map(|status| status.code()), "add");
    let list = ListClientsRequest::default();
    refused(api.list_clients(by(&person, list.clone())).await.err().map(|status| status.code()), "list");
    let get = GetClientRequest { id: "web".to_owned() };
    refused(api.get_client(by(&person, get)).await.err().map(|status| status.code()), "get");
    let update = UpdateClientRequest { id: "web".to_owned(), metadata: "{}".to_owned() };
    refused(api.update_client(by(&person, update)).await.err().map(|status| status.code()), "update");
    let rotate = RotateSecretRequest { id: "web".to_owned(), grace: 0 };
    refused(api.rotate_secret(by(&person, rotate)).await.err().map(|status| status.code()), "rotate");
    let remove = RemoveClientRequest { id: "web".to_owned() };
    refused(api.remove_client(by(&person, remove)).await.err().map(|status| status.code()), "remove");
    let access = AddInitialAccessRequest { uses: 1, expires_in: 60 };
    refused(api.add_initial_access(by(&person, access)).await.err().map(|status| status.code()), "access");
    refused(api.get_issuers(by(&person, GetIssuersRequest {})).await.err().map(|status| status.code()), "issuers");
    let anonymous = api.list_clients(Request::new(list)).await.expect_err("has no token");
    assert_eq!(anonymous.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn new_client_secret_is_returned_once() {
    let bench = guarded().await;
    let added = added(&bench).await;
    assert_eq!(added.secret.len(), 43);
    assert!(!format!("{added:?}").contains(&added.secret), "a log may show the message");
    let client = added.client.expect("a client");
    assert_eq!((client.id.as_str(), client.source()), ("wiki", ClientSource::Added));
    assert_eq!(client.created, Some(1_800_000_000));
    let get = GetClientRequest { id: "wiki".to_owned() };
    let found = api(&bench).get_client(by(&bench.admin(), get)).await.expect("is found").into_inner();
    let metadata: Value = serde_json::from_str(&found.client.expect("a client").metadata).expect("JSON");
    assert_eq!((&metadata["consent"], &metadata["response_types"]), (&json!("trusted"), &json!(["code"])));
    assert!(!metadata.to_string().contains(&added.secret));
}

#[tokio::test]
async fn invalid_metadata_is_refused_with_the_member() {
    let bench = guarded().await;
    for (metadata, code, message) in [
        (
            json!({ "client_id": "web", "redirect_uris": ["https://a.example/"] }),
            Code::AlreadyExists,
            "client with this id",
        ),
        (json!({ "redirect_uri": "x" }), Code::InvalidArgument, "redirect_uri: is no member"),
        (json!({ "redirect_uris": ["http://a.example/"] }), Code::InvalidArgument, "redirect_uris: "),
        (json!([]), Code::InvalidArgument, "metadata: is no JSON object"),
    ] {
        let refused = api(&bench).add_client(by(&bench.admin(), adding(&metadata))).await.expect_err("is wrong");
        assert_eq!(refused.code(), code, "{metadata}");
        assert!(refused.message().contains(message), "{}", refused.message());
    }
}

#[tokio::test]
async fn clients_are_listed_a_page_at_a_time() {
    let bench = guarded().await;
    added(&bench).await;
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let list = ListClientsRequest { page_size: 5, page_token };
        let page = api(&bench).list_clients(by(&bench.admin(), list)).await.expect("is listed").into_inner();
        assert!(page.clients.len() <= 5);
        ids.extend(page.clients.into_iter().map(|client| client.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(ids.len(), 12, "{ids:?}");
    assert!(ids.is_sorted() && ids.contains(&"wiki".to_owned()) && ids.contains(&"web".to_owned()));
}

#[tokio::test]
async fn a_secret_is_rotated_and_a_client_removed() {
    let bench = guarded().await;
    let (first, admin) = (added(&bench).await.secret, bench.admin());
    let rotate = |id: &str, grace| by(&admin, RotateSecretRequest { id: id.to_owned(), grace });
    let second = api(&bench).rotate_secret(rotate("wiki", 60)).await.expect("is rotated").into_inner().secret;
    assert_ne!(first, second);
    let found = bench.provider.clients.find("wiki").await.expect("answers").expect("is known");
    assert_eq!(found.secrets.len(), 2, "both are good for a minute");
    let fixed = api(&bench).rotate_secret(rotate("web", 0)).await.expect_err("is built in");
    assert_eq!((fixed.code(), fixed.message().contains("built in")), (Code::FailedPrecondition, true));
    let long = api(&bench).rotate_secret(rotate("wiki", 31 * 86_400)).await.expect_err("is too long");
    assert_eq!(long.code(), Code::InvalidArgument);
    let remove = |id: &str| by(&admin, RemoveClientRequest { id: id.to_owned() });
    api(&bench).remove_client(remove("wiki")).await.expect("is removed");
    let gone = api(&bench).remove_client(remove("wiki")).await.expect_err("is gone");
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn issuers_are_those_that_discovery_has_at_their_urls() {
    let both = ["opencloud", "cells"].map(str::to_owned);
    let bench = Bench::with(|config| config.layouts = both.into()).await;
    let issuers = api(&bench).get_issuers(by(&bench.admin(), GetIssuersRequest {})).await.expect("is answered");
    let issuers = issuers.into_inner().issuers;
    let told: Vec<_> = issuers.iter().map(|it| (it.endpoint_profile.as_str(), it.issuer.as_str())).collect();
    assert_eq!(told, [("opencloud", "https://cloud.example"), ("cells", "https://cloud.example/oidc")]);
    for issuer in issuers {
        let path = issuer.discovery_url.strip_prefix(SITE).expect("is at the site");
        let document = bench.get(&mut Browser::default(), path, &[]).await.is(200);
        assert_eq!(text(&document, "issuer"), issuer.issuer);
    }
}

/// Row I33.
#[tokio::test]
async fn initial_access_token_is_limited_in_clients_and_time() {
    let bench = guarded().await;
    let wiki = json!({ "redirect_uris": ["https://wiki.example/cb"] });
    let make = async |uses, expires_in| {
        let request = by(&bench.admin(), AddInitialAccessRequest { uses, expires_in });
        api(&bench).add_initial_access(request).await.map(tonic::Response::into_inner)
    };
    let token = make(2, 60).await.expect("is made");
    assert_eq!((token.token.len(), token.expires), (43, 1_800_000_060));
    // what is refused for its metadata uses nothing up
    bench.register(Some(&token.token), &json!({ "redirect_uris": ["x"] })).await.is(400);
    for _ in 0..2 {
        let told = bench.register(Some(&token.token), &wiki).await.is(201);
        assert_eq!(text(&told, "client_secret").len(), 43);
    }
    bench.register(Some(&token.token), &wiki).await.is(401);
    let late = make(1, 60).await.expect("is made");
    bench.clock.advance(std::time::Duration::from_mins(1));
    bench.register(Some(&late.token), &wiki).await.is(401);
    for (uses, expires_in) in [(0, 60), (1001, 60), (1, 0), (1, u64::MAX)] {
        assert_eq!(make(uses, expires_in).await.expect_err("is refused").code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn updated_client_keeps_its_secret_and_other_members() {
    let bench = guarded().await;
    let added = added(&bench).await;
    let update = |metadata: Value| {
        by(&bench.admin(), UpdateClientRequest { id: "wiki".to_owned(), metadata: metadata.to_string() })
    };
    let changes = json!({ "client_name": "Wiki", "id_token_claims": ["groups"], "consent": null });
    let updated = api(&bench).update_client(update(changes)).await.expect("is changed").into_inner();
    assert!(updated.secret.is_empty() && !added.secret.is_empty());
    let metadata: Value = serde_json::from_str(&updated.client.expect("a client").metadata).expect("JSON");
    assert_eq!((&metadata["client_name"], &metadata["id_token_claims"]), (&json!("Wiki"), &json!(["groups"])));
    assert_eq!(metadata["redirect_uris"], json!(["https://wiki.example/cb"]));
    assert!(metadata.get("consent").is_none(), "{metadata}");
    for (changes, problem) in [
        (json!({ "id_token_claims": ["grups"] }), "id_token_claims: \"grups\" is no claim that a scope gives"),
        (json!(["client_name"]), "metadata: is no JSON object"),
    ] {
        let error = api(&bench).update_client(update(changes)).await.expect_err(problem);
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, problem));
    }
    let wrong = json!({ "redirect_uris": ["https://app.example/cb"], "id_token_claims": ["grups"] });
    let error = api(&bench).add_client(by(&bench.admin(), adding(&wrong))).await.expect_err("is refused");
    assert_eq!(error.code(), Code::InvalidArgument);
}

/// Row [N46](../../../../docs/security-requirements.md#n46).
#[tokio::test]
async fn changes_of_clients_are_stored_with_the_administrator() {
    let bench = guarded().await;
    added(&bench).await;
    let mut api = api(&bench);
    let rotate = RotateSecretRequest { id: "wiki".to_owned(), grace: 0 };
    api.rotate_secret(by(&bench.admin(), rotate)).await.expect("is rotated");
    let remove = RemoveClientRequest { id: "wiki".to_owned() };
    api.remove_client(by(&bench.admin(), remove)).await.expect("is removed");
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let events = provider.store.events(&EventFilter::default(), None, 10).await.expect("reads");
    let mut told: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, ["client_add", "client_remove", "client_secret_rotate"]);
    for event in &events {
        assert_eq!((&*event.administrator, &*event.client, &*event.user), ("id-of-admin", "wiki", ""));
    }
}
