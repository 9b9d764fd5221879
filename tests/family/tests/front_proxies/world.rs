//! The family, and a user with credentials for each authentication method.

use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward::ServiceId;
use serde_json::Value;
use testkit::{
    Browser, Layout, Mode, Server, TestFamily, authorization_query, code_redemption, free_address, log_on, note_secret,
};

use crate::front_proxies::cells::{CLOSED_HOST, NEAR, OPEN_HOST};
use crate::front_proxies::front::{Front, Places};
use crate::front_proxies::page::Page;

const CALLBACK: &str = "http://127.0.0.1:9/callback";
/// The address from which [`NEAR`] is public.
pub(crate) const NEIGHBOUR: [u8; 4] = [127, 0, 9, 9];

/// The family without its edge: each proxy has an edge of its own.
pub(crate) struct World {
    /// The family.
    pub(crate) family: TestFamily,
    /// What einstein may send as `Authorization`, by what it is called in the table.
    pub(crate) credentials: Vec<(&'static str, Option<String>)>,
    /// The same for admin.
    pub(crate) admin: String,
    /// What einstein may send that is good for one folder only.
    pub(crate) folder: String,
}

impl World {
    /// Starts the family, and has einstein sign in.
    pub(crate) async fn start() -> Self {
        let mut layout = Layout::new("doors-process", false);
        let port = layout.variables()["IDP_HTTP_ADDR"].rsplit_once(':').expect("a port").1.to_owned();
        let issuer = format!("http://localhost:{port}");
        let clients = layout.folder().join("clients.yaml");
        let file = format!(
            "clients:\n  - id: doors\n    trusted: true\n    redirect_uris: [\"{CALLBACK}\"]\n    application_type: native\n    \
             token_endpoint_auth_method: none\n    access_token_claims: [preferred_username]\n"
        );
        std::fs::write(&clients, file).expect("the folder can be written to");
        layout.set("IDP_CLIENTS_FILE", &clients.display().to_string());
        layout.set("IDP_ISS", &issuer);
        layout.set("IDP_ALLOW_PRIVATE_ADDRESSES", "true");
        layout.set("AUTH_BEARER_OIDC_ISSUER", &issuer);
        layout.set("AUTH_BEARER_OIDC_AUDIENCE", "doors");
        layout.set("AUTH_BEARER_OIDC_AT_JWT_ONLY", "true");
        layout.set("OCIS_ADD_RUN_SERVICES", "auth-app,auth-bearer");
        layout.set("OCIS_EXCLUDE_RUN_SERVICES", "proxy");
        // several edges at a time would need one database for the keys
        layout.set("PROXY_ENABLE_PRESIGNEDURLS", "false");
        let bearer = layout.address(ServiceId::AuthBearer).to_string();
        layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", &bearer);
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;

        let password = &family.layout.password;
        let app_token = family.app_token("einstein").await;
        let access_token = access_token(&issuer, "einstein", password).await;
        let credentials = vec![
            ("no credential", None),
            ("a wrong password", Some(basic("einstein", "wrong"))),
            ("a password", Some(basic("einstein", password))),
            ("an app token as the password", Some(basic("einstein", &app_token))),
            ("an app token as a bearer token", Some(format!("Bearer {app_token}"))),
            ("an access token of OpenID Connect", Some(format!("Bearer {access_token}"))),
        ];
        let admin = basic("admin", password);
        let folder = format!("Bearer {}", token_for_a_folder(&family).await);
        Self { family, credentials, admin, folder }
    }

    /// Starts an edge for one proxy, with the settings of the proxy's page.
    pub(crate) async fn edge(&self, front: Front, places: &Places, folder: &Path) -> Server {
        let mut variables = self.family.layout.variables().clone();
        let [a, b, c, d] = NEIGHBOUR;
        // clients at this address need no credential, which shows whose client address is used
        let more = format!(
            "  - {{ path: {NEAR}, networks: [{a}.{b}.{c}.{d}/32], action: allow }}\n  - {{ host: {OPEN_HOST}, action: allow }}\n  - {{ host: {CLOSED_HOST}, action: deny }}\n"
        );
        let rules = Page::read("other-proxies").block("yaml", 0).between("", &more);
        let file = folder.join("access.yaml");
        std::fs::write(&file, rules.text()).expect("the folder can be written to");
        variables.extend(front.page().settings());
        for (name, value) in [
            ("PROXY_HTTP_ADDR", places.edge.to_string()),
            ("PROXY_GRPC_ADDR", places.edge_grpc.to_string()),
            ("PROXY_DEBUG_ADDR", free_address().to_string()),
            ("PROXY_ROUTES_FILE", file.display().to_string()),
            ("PROXY_ENABLE_BASIC_AUTH", "true".to_owned()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        let edge = Server::start("proxy", &variables);
        for address in [places.edge, places.edge_grpc] {
            until(&format!("the edge for {}", front.name()), async || TcpStream::connect(address).is_ok()).await;
        }
        edge
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_mins(1), "{what} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An app token that is good for a folder.
async fn token_for_a_folder(family: &TestFamily) -> String {
    let arguments = ["auth-app", "create", "--user-name=einstein", "--expiration=1h", "--scope=path:/photos:rw"];
    let made = family.command(&arguments, "").await;
    let token = made.stdout.split_whitespace().find(|word| word.starts_with("dwa_"));
    let token = token.unwrap_or_else(|| panic!("no token: {}{}", made.stdout, made.stderr));
    note_secret(token);
    token.to_owned()
}

/// `Authorization` with a login and a secret (RFC 7617).
fn basic(login: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")))
}

/// A loopback address for the clients of one proxy, so that its failures do not delay the clients of others.
pub(crate) fn client(number: u8) -> IpAddr {
    [127, 0, 8, number + 1].into()
}

/// Signs a user in at the family's provider.
async fn access_token(issuer: &str, login: &str, password: &str) -> String {
    let mut browser = Browser::new();
    let query = authorization_query("doors", CALLBACK, "openid profile", &[]);
    let begin = browser.open(&format!("{issuer}/signin/v1/identifier/_/authorize?{query}")).await.expect("idp answers");
    let back = log_on(&mut browser, issuer, &begin.location, (login, password)).await.expect("a sign-in page");
    let code = back.parameter("code").unwrap_or_else(|| panic!("no code: {back:?}"));
    let form = [&code_redemption(&code, CALLBACK)[..], &[("client_id", "doors")]].concat();
    let answer = browser.submit(&format!("{issuer}/konnect/v1/token"), issuer, &form).await.expect("idp answers");
    let tokens: Value = serde_json::from_str(&answer.page).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("no access token: {tokens}"));
    note_secret(token);
    token.to_owned()
}
