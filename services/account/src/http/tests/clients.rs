//! The administration pages for clients and signing keys over a stand-in for idp.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use authn::testing::{MemoryDirectory, user};
use authn::{Directory, User, role};
use axum::http::StatusCode;
use proto::doorward::idp::v1::idp_admin_api_server::{IdpAdminApi, IdpAdminApiServer};
use proto::doorward::idp::v1::keys_api_server::{KeysApi, KeysApiServer};
use proto::doorward::idp::v1::{
    AccountSession, AddClientRequest, AddClientResponse, AddInitialAccessRequest, AddInitialAccessResponse, Client,
    ClientSource, GetClientRequest, GetClientResponse, GetCurrentSessionResponse, Key, KeyState, ListClientsRequest,
    ListClientsResponse, ListKeysRequest, ListKeysResponse, RemoveClientRequest, RemoveClientResponse,
    RetireKeyRequest, RetireKeyResponse, RotateKeyRequest, RotateKeyResponse, RotateSecretRequest,
    RotateSecretResponse, UpdateClientRequest, UpdateClientResponse,
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

/// What idp has, and was asked for.
#[derive(Default)]
struct Known {
    clients: Vec<Client>,
    keys: Vec<Key>,
    graces: Vec<u64>,
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

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn clients_are_for_administrators_who_have_signed_in_a_short_time_ago() {
    let world = World::new().await;
    for source in [ClientSource::BuiltIn, ClientSource::Added] {
        let id = format!("{source:?}");
        let client = Client { id, source: source.into(), metadata: "{}".to_owned(), ..Client::default() };
        world.known().clients.push(client);
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

/// `docs/security-requirements.md#n21`
#[tokio::test]
async fn keys_are_made_and_withdrawn() {
    let world = World::new().await;
    let key =
        Key { kid: "k1".to_owned(), algorithm: "ES256".to_owned(), state: KeyState::Current.into(), ..Key::default() };
    world.known().keys.push(key);
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
