//! The administration pages for clients and signing keys over a stand-in for idp.

mod api;
mod forged;
mod sign_in;

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use authn::testing::{MemoryDirectory, user};
use authn::{Directory, User, role};
use axum::http::StatusCode;
use proto::doorward::idp::v1::idp_admin_api_server::{IdpAdminApi, IdpAdminApiServer};
use proto::doorward::idp::v1::keys_api_server::{KeysApi, KeysApiServer};
use proto::doorward::idp::v1::{
    AccountSession, AddClientRequest, AddClientResponse, AddInitialAccessRequest, AddInitialAccessResponse, Client,
    ClientSource, GetClientRequest, GetClientResponse, GetCurrentSessionResponse, GetIssuersRequest,
    GetIssuersResponse, Issuer, Key, KeyState, ListClientsRequest, ListClientsResponse, ListKeysRequest,
    ListKeysResponse, RemoveClientRequest, RemoveClientResponse, RetireKeyRequest, RetireKeyResponse, RotateKeyRequest,
    RotateKeyResponse, RotateSecretRequest, RotateSecretResponse, UpdateClientRequest, UpdateClientResponse,
};
use runtime::Clock;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use token::{KeyRing, Verifier, authorize_admin};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::support::{Bench, Browser, Reply, SECRET, context};
use crate::administration::Administration;
use crate::self_service::SelfService;

const CLIENTS: &str = "/account/admin/clients";
const KEYS: &str = "/account/admin/keys";
/// A day, in seconds.
const DAY: i64 = 86_400;

/// What idp has, and was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    clients: Vec<Client>,
    keys: Vec<Key>,
    graces: Vec<u64>,
    /// `None` if idp is of a release that does not name them.
    issuers: Option<Vec<Issuer>>,
}

#[derive(Clone)]
struct FakeClients {
    known: Arc<Mutex<Known>>,
    verifier: Verifier,
    clock: Clock,
}

impl FakeClients {
    fn admin<T>(&self, request: Request<T>) -> Result<(T, std::sync::MutexGuard<'_, Known>), Status> {
        authorize_admin(&self.verifier, self.clock.now(), request.metadata()).map_err(Status::from)?;
        Ok((request.into_inner(), self.known.lock().expect("is not poisoned")))
    }
}

fn position(known: &Known, id: &str) -> Result<usize, Status> {
    known.clients.iter().position(|client| client.id == id).ok_or_else(|| Status::not_found("there is no such client"))
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("is an object")
}

#[tonic::async_trait]
impl IdpAdminApi for FakeClients {
    async fn add_client(&self, request: Request<AddClientRequest>) -> Result<Response<AddClientResponse>, Status> {
        let (AddClientRequest { metadata }, mut known) = self.admin(request)?;
        let members = object(&metadata);
        if members["redirect_uris"].as_array().is_some_and(Vec::is_empty)
            && members["response_types"] == json!(["code"])
        {
            return Err(Status::invalid_argument("redirect_uris: is missing"));
        }
        let has_secret = members["token_endpoint_auth_method"] != "none";
        let name = members["client_name"].as_str().unwrap_or_default().to_owned();
        let client =
            Client { id: "new/1".to_owned(), name, source: ClientSource::Added.into(), metadata, created: Some(1) };
        known.clients.push(client.clone());
        let secret = if has_secret { "the-secret".to_owned() } else { String::new() };
        Ok(Response::new(AddClientResponse { client: Some(client), secret }))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let (_, known) = self.admin(request)?;
        Ok(Response::new(ListClientsResponse { clients: known.clients.clone(), next_page_token: "a&b".to_owned() }))
    }

    async fn get_client(&self, request: Request<GetClientRequest>) -> Result<Response<GetClientResponse>, Status> {
        let (GetClientRequest { id }, known) = self.admin(request)?;
        let client = known.clients[position(&known, &id)?].clone();
        Ok(Response::new(GetClientResponse { client: Some(client) }))
    }

    async fn update_client(
        &self,
        request: Request<UpdateClientRequest>,
    ) -> Result<Response<UpdateClientResponse>, Status> {
        let (UpdateClientRequest { id, metadata }, mut known) = self.admin(request)?;
        let place = position(&known, &id)?;
        let mut members = object(&known.clients[place].metadata);
        for (name, value) in object(&metadata) {
            if name == "unknown" {
                return Err(Status::invalid_argument("unknown: is no member"));
            }
            if value.is_null() {
                members.remove(&name)
            } else {
                members.insert(name, value)
            };
        }
        known.clients[place].metadata = Value::from(members).to_string();
        Ok(Response::new(UpdateClientResponse { client: Some(known.clients[place].clone()), secret: String::new() }))
    }

    async fn rotate_secret(
        &self,
        request: Request<RotateSecretRequest>,
    ) -> Result<Response<RotateSecretResponse>, Status> {
        let (RotateSecretRequest { id, grace }, mut known) = self.admin(request)?;
        position(&known, &id)?;
        known.graces.push(grace);
        Ok(Response::new(RotateSecretResponse { secret: "another-secret".to_owned() }))
    }

    async fn remove_client(
        &self,
        request: Request<RemoveClientRequest>,
    ) -> Result<Response<RemoveClientResponse>, Status> {
        let (RemoveClientRequest { id }, mut known) = self.admin(request)?;
        let place = position(&known, &id)?;
        known.clients.remove(place);
        Ok(Response::new(RemoveClientResponse {}))
    }

    async fn add_initial_access(
        &self,
        _: Request<AddInitialAccessRequest>,
    ) -> Result<Response<AddInitialAccessResponse>, Status> {
        Err(Status::unimplemented("no page asks for it"))
    }

    async fn get_issuers(&self, request: Request<GetIssuersRequest>) -> Result<Response<GetIssuersResponse>, Status> {
        let (_, known) = self.admin(request)?;
        let issuers = known.issuers.clone().ok_or_else(|| Status::unimplemented("there is no such method"))?;
        Ok(Response::new(GetIssuersResponse { issuers }))
    }
}

#[tonic::async_trait]
impl KeysApi for FakeClients {
    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        let (_, known) = self.admin(request)?;
        Ok(Response::new(ListKeysResponse { keys: known.keys.clone() }))
    }

    async fn rotate_key(&self, request: Request<RotateKeyRequest>) -> Result<Response<RotateKeyResponse>, Status> {
        let (RotateKeyRequest { algorithm, at_once }, mut known) = self.admin(request)?;
        let state = if at_once { KeyState::Current } else { KeyState::Next };
        let key = Key { kid: "k2".to_owned(), algorithm, state: state.into(), ..Key::default() };
        known.keys.insert(0, key.clone());
        Ok(Response::new(RotateKeyResponse { key: Some(key) }))
    }

    async fn retire_key(&self, request: Request<RetireKeyRequest>) -> Result<Response<RetireKeyResponse>, Status> {
        let (RetireKeyRequest { kid }, mut known) = self.admin(request)?;
        let key = known.keys.iter_mut().find(|key| key.kid == kid).ok_or_else(|| Status::not_found("no such key"))?;
        key.state = KeyState::Over.into();
        Ok(Response::new(RetireKeyResponse {}))
    }
}

struct World {
    bench: Bench,
    known: Arc<Mutex<Known>>,
}

impl World {
    async fn new() -> Self {
        let directory = MemoryDirectory::new(["marie", "admin"].map(user));
        let users: Arc<dyn Directory> = Arc::<MemoryDirectory>::clone(&directory);
        let keys = Arc::new(KeyRing::new(&SecretString::from(SECRET), None).expect("is long enough"));
        let known = Arc::new(Mutex::new(Known::default()));
        let fake = FakeClients { known: Arc::clone(&known), verifier: Verifier::new(keys), clock: context().clock };
        let routes = Routes::new(IdpAdminApiServer::new(fake.clone())).add_service(KeysApiServer::new(fake));
        let services = (SelfService::default(), Administration::default().with_idp(routes));
        let bench = Box::pin(Bench::over((directory, users), services, true, "")).await;
        let world = Self { bench, known };
        world.signed_in(Duration::ZERO);
        world
    }

    /// The administrator has signed in so long ago.
    fn signed_in(&self, ago: Duration) {
        let now = context().clock.now().duration_since(UNIX_EPOCH).expect("after 1970");
        self.bench.idp.lists().current = GetCurrentSessionResponse {
            session: Some(AccountSession::default()),
            signed_in: i64::try_from(now.saturating_sub(ago).as_secs()).expect("a time"),
            ..GetCurrentSessionResponse::default()
        };
    }

    fn admin(&self) -> Browser<'_> {
        self.bench.browser_of(User { roles: vec![role::ADMIN.to_owned()], ..user("admin") })
    }

    /// idp has a client from this source.
    fn add_client(&self, id: &str, source: ClientSource, metadata: &Value) {
        let (id, metadata) = (id.to_owned(), metadata.to_string());
        self.known().clients.push(Client { id, source: source.into(), metadata, ..Client::default() });
    }

    /// idp has a signing key, newer than the ones before.
    fn add_key(&self, kid: &str, algorithm: &str, state: KeyState) {
        let (kid, algorithm) = (kid.to_owned(), algorithm.to_owned());
        self.known().keys.insert(0, Key { kid, algorithm, state: state.into(), created: DAY, ..Key::default() });
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("is not poisoned")
    }
}

/// Sends a form with the token that the page at `shown` has for it.
async fn submit(browser: &mut Browser<'_>, shown: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
    let csrf = browser.get(shown).await.field("csrf", 1);
    browser.post(path, &[&[("csrf", csrf.as_str())], fields].concat()).await
}

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn client_is_added_changed_and_removed() {
    let world = World::new().await;
    let mut admin = world.admin();
    let form = format!("{CLIENTS}/new");
    let new = [("name", "<Files>"), ("kind", "web"), ("redirect_uris", ""), ("second_factor", "yes")];
    let refused = submit(&mut admin, &form, &form, &new).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.page.contains("redirect_uris: is missing") && refused.page.contains("&#60;Files&#62;"),
        "{}",
        refused.page
    );
    let new = [("name", "Files"), ("kind", "web"), ("redirect_uris", "https://files.example/cb")];
    let added = submit(&mut admin, &form, &form, &new).await;
    assert!(added.status == StatusCode::OK && added.page.contains("the-secret"), "{}", added.page);

    let listed = admin.get(CLIENTS).await;
    assert!(
        listed.page.contains("/admin/clients/of/new%2F1") && listed.page.contains("after=a%26b"),
        "{}",
        listed.page
    );
    let path = format!("{CLIENTS}/of/new%2F1");
    let shown = admin.get(&path).await;
    assert!(shown.page.contains("https://files.example/cb") && !shown.page.contains("the-secret"), "{}", shown.page);
    let changes = [("name", "Files"), ("redirect_uris", "https://files.example/other"), ("trusted", "yes")];
    assert_eq!(submit(&mut admin, &path, &path, &changes).await.status, StatusCode::SEE_OTHER);
    let metadata = object(&world.known().clients[0].metadata);
    assert_eq!(
        (&metadata["consent"], &metadata["redirect_uris"]),
        (&json!("trusted"), &json!(["https://files.example/other"]))
    );
    for (text, problem) in [("[]", "no JSON object"), (r#"{"unknown": 1}"#, "unknown: is no member")] {
        let refused = submit(&mut admin, &path, &format!("{path}/metadata"), &[("metadata", text)]).await;
        assert!(refused.status == StatusCode::BAD_REQUEST && refused.page.contains(problem), "{}", refused.page);
    }
    let metadata =
        submit(&mut admin, &path, &format!("{path}/metadata"), &[("metadata", r#"{"scope": "openid"}"#)]).await;
    assert_eq!(metadata.status, StatusCode::SEE_OTHER);
    assert_eq!(object(&world.known().clients[0].metadata)["scope"], "openid");

    let form = format!("{path}/secret");
    let rotated = submit(&mut admin, &form, &form, &[("grace", "86400")]).await;
    assert!(rotated.page.contains("another-secret"), "{}", rotated.page);
    assert_eq!(world.known().graces, [86_400]);
    let form = format!("{path}/remove");
    assert_eq!(submit(&mut admin, &form, &form, &[("id", "other")]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(submit(&mut admin, &form, &form, &[("id", "new/1")]).await.status, StatusCode::SEE_OTHER);
    assert!(world.known().clients.is_empty());
}

#[tokio::test]
async fn page_of_a_secret_shows_the_issuers_that_idp_names() {
    let world = World::new().await;
    let mut admin = world.admin();
    let issuer = |profile: &str, issuer: &str| Issuer {
        issuer: issuer.to_owned(),
        discovery_url: format!("{issuer}/.well-known/openid-configuration"),
        endpoint_profile: profile.to_owned(),
    };
    let cloud = issuer("opencloud", "https://login.example");
    let cells = issuer("cells", "https://login.example/oidc");
    let form = format!("{CLIENTS}/new");
    let new = [("name", "Files"), ("kind", "web"), ("redirect_uris", "https://files.example/cb")];
    // a client is added, and then gets a new secret
    let pages = [(form.clone(), &new[..]), (format!("{CLIENTS}/of/new%2F1/secret"), &[("grace", "0")][..])];
    for (issuers, labels) in [
        (Some(vec![cloud.clone(), cells.clone()]), &["Issuer – opencloud", "Discovery URL – cells"][..]),
        (Some(vec![cells]), &["<dt>Issuer</dt>", "<dt>Discovery URL</dt>"][..]),
        (None, &[][..]),
    ] {
        world.known().issuers.clone_from(&issuers);
        world.known().clients.clear();
        for (path, fields) in &pages {
            let page = submit(&mut admin, path, path, fields).await.page;
            assert!(page.contains("-secret</code>"), "{page}");
            let shown = issuers.iter().flatten().flat_map(|issuer| [&issuer.issuer, &issuer.discovery_url]);
            for url in shown {
                assert!(page.contains(&format!("<dd><code>{url}</code></dd>")), "{url}: {page}");
            }
            assert!(labels.iter().all(|label| page.contains(label)), "{page}");
            assert_eq!(page.contains("Issuer"), issuers.is_some(), "{page}");
            assert!(!page.contains("<code>https://localhost:9200"), "the URL of these pages is no issuer: {page}");
        }
    }
}

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn clients_are_for_administrators_who_have_signed_in_a_short_time_ago() {
    let world = World::new().await;
    for source in [ClientSource::BuiltIn, ClientSource::Added] {
        world.add_client(&format!("{source:?}"), source, &json!({}));
    }
    let mut marie = world.bench.browser("marie");
    for path in [CLIENTS, "/account/admin/clients/of/Added", "/account/admin/clients/new", KEYS] {
        assert_eq!(marie.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut admin = world.admin();
    let built_in = admin.get(&format!("{CLIENTS}/of/BuiltIn")).await;
    assert!(built_in.status == StatusCode::OK && !built_in.page.contains("<form"), "{}", built_in.page);
    let added = format!("{CLIENTS}/of/Added");
    let change = admin.get(&added).await.field("csrf", 1);
    let remove = admin.get(&format!("{added}/remove")).await.field("csrf", 1);
    world.signed_in(Duration::from_mins(11));
    for path in [format!("{CLIENTS}/new"), format!("{added}/secret"), format!("{added}/remove")] {
        let reply = admin.get(&path).await;
        assert!(reply.status == StatusCode::SEE_OTHER && reply.location().contains("max_age=300"), "{path}");
    }
    assert_eq!(admin.post(&added, &[("csrf", &change), ("name", "x")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        admin.post(&format!("{added}/remove"), &[("csrf", &remove), ("id", "Added")]).await.status,
        StatusCode::FORBIDDEN
    );
    let known = world.known();
    assert_eq!((known.clients.len(), &*known.clients[1].metadata), (2, "{}"));
}

#[tokio::test]
async fn page_of_the_edges_own_client_warns_of_a_change() {
    let world = World::new().await;
    let mut admin = world.admin();
    let warning = "by which Doorward&#39;s edge signs users in";
    for (id, source, warns) in [
        ("doorward-edge", ClientSource::Added, true),
        ("doorward-edge", ClientSource::BuiltIn, false),
        ("wiki", ClientSource::Added, false),
    ] {
        world.known().clients.clear();
        world.add_client(id, source, &json!({}));
        let page = admin.get(&format!("{CLIENTS}/of/{id}")).await.page;
        assert_eq!(page.contains(warning), warns, "{id} {source:?}: {page}");
    }
}

#[tokio::test]
async fn new_secret_is_offered_to_clients_that_have_one() {
    let world = World::new().await;
    let mut admin = world.admin();
    let path = format!("{CLIENTS}/of/wiki");
    let methods = [
        ("client_secret_basic", true),
        ("client_secret_post", true),
        ("client_secret_jwt", true),
        ("none", false),
        ("private_key_jwt", false),
        ("tls_client_auth", false),
        ("self_signed_tls_client_auth", false),
    ];
    let named = methods.map(|(method, has_secret)| (json!({ "token_endpoint_auth_method": method }), has_secret));
    for (metadata, has_secret) in named.into_iter().chain([(json!({}), true)]) {
        world.known().clients.clear();
        world.add_client("wiki", ClientSource::Added, &metadata);
        let page = admin.get(&path).await.page;
        assert_eq!(page.contains("/of/wiki/secret\""), has_secret, "{metadata}: {page}");
        let form = admin.get(&format!("{path}/secret")).await;
        let status = if has_secret { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!((form.status, form.page.contains("<form")), (status, has_secret), "{metadata}: {}", form.page);
        assert_eq!(form.page.contains("The client has no secret."), !has_secret, "{metadata}: {}", form.page);
    }
    world.known().clients.clear();
    world.add_client("wiki", ClientSource::Configured, &json!({}));
    let form = admin.get(&format!("{path}/secret")).await;
    assert!(form.status == StatusCode::BAD_REQUEST && form.page.contains("IDP_CLIENTS_FILE"), "{}", form.page);
}

/// `docs/security-requirements.md#n21`
#[tokio::test]
async fn keys_are_made_and_withdrawn() {
    let world = World::new().await;
    world.add_key("k1", "ES256", KeyState::Current);
    let mut admin = world.admin();
    let listed = admin.get(KEYS).await;
    assert!(listed.page.contains("New key for ES256 that signs at once"), "{}", listed.page);
    let rotate = format!("{KEYS}/rotate?algorithm=ES256");
    assert_eq!(submit(&mut admin, &rotate, &rotate, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.known().keys[0].state(), KeyState::Next);
    let other = submit(&mut admin, &rotate, &format!("{rotate}&at_once=1"), &[]).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "the form was for another act");
    let retire = format!("{KEYS}/retire?kid=k1");
    let csrf = admin.get(&retire).await.field("csrf", 1);
    world.signed_in(Duration::from_mins(11));
    assert_eq!(admin.post(&retire, &[("csrf", &csrf)]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.known().keys[1].state(), KeyState::Current);
    world.signed_in(Duration::ZERO);
    assert_eq!(admin.post(&retire, &[("csrf", &csrf)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.known().keys[1].state(), KeyState::Over);
}

#[tokio::test]
async fn retired_key_is_shown_with_its_end() {
    let world = World::new().await;
    for (kid, state, retired) in [
        // withdrawn by an administrator: nothing was valid from its beginning on
        ("k1", KeyState::Over, Some(DAY)),
        ("k2", KeyState::Retired, Some(20 * DAY)),
        ("k3", KeyState::Current, None),
    ] {
        world.add_key(kid, "ES256", state);
        world.known().keys[0].retired = retired;
    }
    let page = world.admin().get(KEYS).await.page;
    let ends: Vec<_> = page.split("data-label=\"Valid until\">").skip(1).collect();
    let ends: Vec<_> = ends.iter().filter_map(|rest| rest.split_once("</td>")).map(|(end, _)| end).collect();
    assert_eq!(ends.len(), 3, "{page}");
    assert!(ends[1].contains("1970-01-21"), "{page}");
    assert!(ends[0].is_empty() && ends[2].is_empty(), "{page}");
}

#[tokio::test]
async fn withdrawing_a_key_is_explained_by_what_it_has_signed() {
    let world = World::new().await;
    let (signed, nothing) = ("Everything that the key has signed is invalid at once", "The key has signed nothing yet");
    for (kid, state, means) in [
        ("k1", KeyState::Over, None),
        ("k2", KeyState::Retired, Some(signed)),
        ("k3", KeyState::Current, Some(signed)),
        ("k4", KeyState::Next, Some(nothing)),
    ] {
        world.add_key(kid, "ES256", state);
        let form = world.admin().get(&format!("{KEYS}/retire?kid={kid}")).await;
        let said: Vec<_> = [signed, nothing].into_iter().filter(|text| form.page.contains(text)).collect();
        assert_eq!(said, Vec::from_iter(means), "{state:?}: {}", form.page);
        let status = if means.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(form.status, status, "{state:?}");
    }
    let unknown = world.admin().get(&format!("{KEYS}/retire?kid=k5")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
