//! An authority that speaks ACME (RFC 8555, RFC 8737, RFC 9773): it verifies each signature and nonce, fetches challenges from the edge,
//! and signs what the certificate request says.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode, Uri};
use instant_acme::CertificateIdentifier;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use runtime::Clock;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use super::edge::{connect, get, shown_by};
use super::jws::{Account, Jws, account_of};

/// How an extension begins that identifies a validation (RFC 8737 3): its object identifier, that it is critical, and the lengths.
const ACME_IDENTIFIER: [u8; 17] = [0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 0x01, 0x01, 0xff, 0x04, 0x22, 0x04, 0x20];

/// What orders are refused with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) retry_after: Option<&'static str>,
}

/// The authority. Clones are the same one.
#[derive(Clone)]
pub(crate) struct TestAuthority {
    base: String,
    directory: String,
    folder: Arc<TempDir>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    clock: Clock,
    issuer: CertifiedIssuer<'static, KeyPair>,
    nonces: HashSet<String>,
    counter: u64,
    accounts: Vec<Account>,
    orders: Vec<Order>,
    /// Where hosts are validated: plain HTTP and TLS.
    edge: Option<(SocketAddr, SocketAddr)>,
    lifetime: Duration,
    window: Option<(SystemTime, SystemTime)>,
    refusal: Option<Refusal>,
    is_malformed: bool,
    external: Option<(String, Vec<u8>)>,
}

#[derive(Clone)]
struct Order {
    account: usize,
    hosts: Vec<String>,
    replaces: Option<String>,
    /// Whether each host was validated.
    valid: Vec<Option<bool>>,
    /// Whether challenges were fetched by TLS or by plain HTTP.
    types: Vec<String>,
    chain: Option<(String, Vec<u8>)>,
}

type Answer = Result<(StatusCode, Option<String>, Value), Refused>;

struct Refused(u16, &'static str, String);

fn refuse<T>(kind: &'static str, detail: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(400, kind, detail.into()))
}

impl TestAuthority {
    /// Starts it. It issues certificates of this clock, for 90 days.
    pub(crate) async fn start(clock: &Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("writes");
        let inner = Inner {
            clock: clock.clone(),
            issuer,
            nonces: HashSet::new(),
            counter: 0,
            accounts: Vec::new(),
            orders: Vec::new(),
            edge: None,
            lifetime: Duration::from_hours(90 * 24),
            window: None,
            refusal: None,
            is_malformed: false,
            external: None,
        };
        let directory = format!("{base}/directory");
        let authority = Self { base, directory, folder: Arc::new(folder), inner: Arc::new(Mutex::new(inner)) };
        let router = Router::new().fallback(respond).with_state(authority.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        authority
    }

    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    /// The file with its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Validates hosts at these addresses of plain HTTP and TLS.
    pub(crate) fn validate_at(&self, edge: (SocketAddr, SocketAddr)) {
        self.lock().edge = Some(edge);
    }

    /// Suggests this window for renewals.
    pub(crate) fn suggest(&self, window: (SystemTime, SystemTime)) {
        self.lock().window = Some(window);
    }

    /// Refuses orders.
    pub(crate) fn refuse(&self, refusal: Option<Refusal>) {
        self.lock().refusal = refusal;
    }

    /// Names no URL of nonces, and sends a `Retry-After` that is too large.
    pub(crate) fn answer_malformed(&self, is_malformed: bool) {
        self.lock().is_malformed = is_malformed;
    }

    /// Demands an external account.
    pub(crate) fn demand(&self, id: &str, key: &[u8]) {
        self.lock().external = Some((id.to_owned(), key.to_vec()));
    }

    /// What the accounts are reached at.
    pub(crate) fn contacts(&self) -> Vec<Value> {
        self.lock().accounts.iter().map(|account| account.contact.clone()).collect()
    }

    /// How many orders there were.
    pub(crate) fn orders(&self) -> usize {
        self.lock().orders.len()
    }

    /// The challenges by which the last order was validated, and the certificate that it replaces.
    pub(crate) fn last_order(&self) -> (Vec<String>, Option<String>) {
        let inner = self.lock();
        let order = inner.orders.last().expect("an order");
        (order.types.clone(), order.replaces.clone())
    }

    /// The certificate that was issued last, in DER.
    pub(crate) fn last_certificate(&self) -> Vec<u8> {
        self.lock().orders.iter().rev().find_map(|order| order.chain.clone()).expect("a certificate").1
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nonce(&self) -> String {
        let mut inner = self.lock();
        inner.counter += 1;
        let nonce = format!("nonce{}", inner.counter);
        inner.nonces.insert(nonce.clone());
        nonce
    }

    /// Verifies a signed request (RFC 8555 6). Returns its account, unless it is signed by a key that has none yet, and its payload.
    fn verify(&self, path: &str, body: &[u8]) -> Result<(Option<usize>, Account, Value), Refused> {
        let Some(jws) = Jws::parse(body) else { return refuse("malformed", "no JWS") };
        let header = &jws.header;
        if header["url"] != json!(format!("{}{path}", self.base)) {
            return refuse("unauthorized", "signed for another URL");
        }
        if !self.lock().nonces.remove(header["nonce"].as_str().unwrap_or_default()) {
            return refuse("badNonce", "an unknown nonce");
        }
        let (index, account) = match (header["kid"].as_str(), &header["jwk"]) {
            (Some(kid), Value::Null) => {
                let index = kid.strip_prefix(&format!("{}/accounts/", self.base)).and_then(|index| index.parse().ok());
                let found = index.and_then(|index: usize| Some((index, self.lock().accounts.get(index)?.clone())));
                let Some((index, account)) = found else { return refuse("accountDoesNotExist", "no such account") };
                (Some(index), account)
            }
            (None, jwk) if path == "/account" => (None, account_of(jwk)),
            _ => return refuse("malformed", "either a key or an account"),
        };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &account.key);
        if header["alg"] != "ES256" || key.verify(jws.signed.as_bytes(), &jws.signature).is_err() {
            return refuse("unauthorized", "the signature is wrong");
        }
        Ok((index, account, jws.payload))
    }

    async fn answer(&self, path: &str, body: &[u8]) -> Answer {
        let (index, account, payload) = self.verify(path, body)?;
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let number = |at: usize| parts.get(at).and_then(|part| part.parse::<usize>().ok()).unwrap_or_default();
        match (parts[0], index) {
            ("account", None) => self.create_account(account, &payload),
            ("order", Some(index)) => self.create_order(index, &payload),
            ("orders", Some(_)) => Ok((StatusCode::OK, None, self.order(number(1)))),
            ("authorizations", Some(_)) => Ok((StatusCode::OK, None, self.authorization(number(1), number(2)))),
            ("challenges", Some(_)) => {
                self.validate(number(1), number(2), parts[3]).await;
                let token = token(number(1), number(2));
                Ok((
                    StatusCode::OK,
                    None,
                    json!({ "type": parts[3], "url": self.url(path), "token": token, "status": "processing" }),
                ))
            }
            ("finalize", Some(_)) => {
                self.issue(number(1), payload["csr"].as_str().unwrap_or_default())?;
                Ok((StatusCode::OK, None, self.order(number(1))))
            }
            ("certificates", Some(_)) => {
                let chain = self.lock().orders[number(1)].chain.clone().expect("was issued").0;
                Ok((StatusCode::OK, None, Value::String(chain)))
            }
            _ => refuse("malformed", "no such resource"),
        }
    }

    fn create_account(&self, mut account: Account, payload: &Value) -> Answer {
        if payload["termsOfServiceAgreed"] != true {
            return refuse("userActionRequired", "agree to the terms");
        }
        let mut inner = self.lock();
        if let Some((id, key)) = &inner.external {
            let binding = &payload["externalAccountBinding"];
            let bound = Jws::of(binding).filter(|jws| {
                let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                hmac::verify(&key, jws.signed.as_bytes(), &jws.signature).is_ok()
            });
            let is_bound = bound.is_some_and(|jws| {
                let is_same = account_of(&jws.payload).key == account.key;
                is_same
                    && jws.header["kid"] == json!(id)
                    && jws.header["url"] == json!(format!("{}/account", self.base))
            });
            if !is_bound {
                return refuse("externalAccountRequired", "no external account");
            }
        }
        account.contact = payload["contact"].clone();
        inner.accounts.push(account);
        let url = format!("{}/accounts/{}", self.base, inner.accounts.len() - 1);
        Ok((StatusCode::CREATED, Some(url), json!({ "status": "valid" })))
    }

    fn create_order(&self, account: usize, payload: &Value) -> Answer {
        let mut inner = self.lock();
        if let Some(refusal) = inner.refusal {
            return Err(Refused(refusal.status, refusal.kind, "as the test wants".to_owned()));
        }
        let identifiers = payload["identifiers"].as_array().expect("identifiers");
        let hosts: Vec<_> = identifiers.iter().map(|one| one["value"].as_str().expect("a name").to_owned()).collect();
        let replaces = payload["replaces"].as_str().map(str::to_owned);
        let valid = vec![None; hosts.len()];
        inner.orders.push(Order { account, hosts, replaces, valid, types: Vec::new(), chain: None });
        let index = inner.orders.len() - 1;
        drop(inner);
        Ok((StatusCode::CREATED, Some(self.url(&format!("/orders/{index}"))), self.order(index)))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn order(&self, index: usize) -> Value {
        let order = self.lock().orders[index].clone();
        let status = if order.chain.is_some() {
            "valid"
        } else if order.valid.contains(&Some(false)) {
            "invalid"
        } else if order.valid.contains(&None) {
            "pending"
        } else {
            "ready"
        };
        let authorizations: Vec<_> =
            (0..order.hosts.len()).map(|host| self.url(&format!("/authorizations/{index}/{host}"))).collect();
        let mut document = json!({
            "status": status,
            "authorizations": authorizations,
            "finalize": self.url(&format!("/finalize/{index}")),
        });
        if order.chain.is_some() {
            document["certificate"] = json!(self.url(&format!("/certificates/{index}")));
        }
        if let Some(replaces) = order.replaces {
            document["replaces"] = json!(replaces);
        }
        document
    }

    fn authorization(&self, index: usize, host: usize) -> Value {
        let order = self.lock().orders[index].clone();
        let status = match order.valid[host] {
            None => "pending",
            Some(true) => "valid",
            Some(false) => "invalid",
        };
        let challenge = |kind: &str| {
            let mut challenge = json!({
                "type": kind,
                "url": self.url(&format!("/challenges/{index}/{host}/{kind}")),
                "token": token(index, host),
                "status": status,
            });
            if status == "invalid" {
                challenge["error"] = json!({
                    "type": "urn:ietf:params:acme:error:unauthorized", "detail": "no right answer from the edge",
                });
            }
            challenge
        };
        json!({
            "identifier": { "type": "dns", "value": order.hosts[host] },
            "status": status,
            "challenges": [challenge("http-01"), challenge("tls-alpn-01")],
        })
    }

    /// Fetches a challenge from the edge.
    async fn validate(&self, index: usize, host: usize, kind: &str) {
        let (order, edge, thumbprint) = {
            let inner = self.lock();
            let order = inner.orders[index].clone();
            let thumbprint = inner.accounts[order.account].thumbprint.clone();
            (order, inner.edge, thumbprint)
        };
        let token = token(index, host);
        let authorization = format!("{token}.{thumbprint}");
        let is_valid = match (edge, kind) {
            (None, _) => false,
            (Some((plain, _)), "http-01") => {
                let (status, _, body) = get(plain, &format!("/.well-known/acme-challenge/{token}")).await;
                status == 200 && body == authorization
            }
            (Some((_, tls)), _) => validates_by_tls(tls, &order.hosts[host], &authorization).await,
        };
        let mut inner = self.lock();
        let order = &mut inner.orders[index];
        order.valid[host] = Some(is_valid);
        order.types.push(kind.to_owned());
    }

    fn issue(&self, index: usize, csr: &str) -> Result<(), Refused> {
        let mut inner = self.lock();
        let hosts = inner.orders[index].hosts.clone();
        if inner.orders[index].valid.iter().any(|valid| *valid != Some(true)) {
            return Err(Refused(403, "orderNotReady", "not validated".to_owned()));
        }
        let csr = URL_SAFE_NO_PAD.decode(csr).unwrap_or_default();
        let Ok(mut request) = CertificateSigningRequestParams::from_der(&csr.as_slice().into()) else {
            return refuse("badCSR", "no request, or a wrong signature");
        };
        let is_ordered =
            |name: &SanType| matches!(name, SanType::DnsName(name) if hosts.iter().any(|host| host == name.as_str()));
        let names = &request.params.subject_alt_names;
        if names.len() != hosts.len() || !names.iter().all(is_ordered) {
            return refuse("badCSR", "names that were not ordered");
        }
        let now = inner.clock.now().duration_since(UNIX_EPOCH).expect("is later");
        let epoch = date_time_ymd(1970, 1, 1);
        request.params.not_before = epoch + now - Duration::from_mins(1);
        request.params.not_after = epoch + now + inner.lifetime;
        request.params.use_authority_key_identifier_extension = true;
        request.params.serial_number = Some((1000 + index as u64).into());
        let certificate = request.signed_by(&inner.issuer).expect("signs");
        let chain = format!("{}{}", certificate.pem(), inner.issuer.pem());
        inner.orders[index].chain = Some((chain, certificate.der().to_vec()));
        Ok(())
    }

    /// The renewal information of a certificate, if it is one that was issued.
    fn renewal(&self, identifier: &str) -> Option<Value> {
        let inner = self.lock();
        let (start, end) = inner.window?;
        let is_issued = inner.orders.iter().filter_map(|order| order.chain.as_ref()).any(|(_, der)| {
            let der = CertificateDer::from(der.as_slice());
            CertificateIdentifier::try_from(&der).expect("an identifier").to_string() == identifier
        });
        let written = |at| OffsetDateTime::from(at).format(&Rfc3339).expect("a date");
        is_issued.then(|| json!({ "suggestedWindow": { "start": written(start), "end": written(end) } }))
    }
}

/// Whether a TLS server proves the authorization for a host.
async fn validates_by_tls(addr: SocketAddr, host: &str, authorization: &str) -> bool {
    let Ok(stream) = connect(addr, host, &[b"acme-tls/1"], None).await else { return false };
    let expected = [&ACME_IDENTIFIER[..], digest(&SHA256, authorization.as_bytes()).as_ref()].concat();
    let certificate = shown_by(&stream);
    let has = |bytes: &[u8]| certificate.windows(bytes.len()).any(|window| window == bytes);
    stream.get_ref().1.alpn_protocol() == Some(b"acme-tls/1") && has(&expected) && has(host.as_bytes())
}

/// The token of the challenges for a host of an order.
fn token(order: usize, host: usize) -> String {
    format!("token-of-order-{order}-host-{host}")
}

async fn respond(State(authority): State<TestAuthority>, method: Method, uri: Uri, body: Bytes) -> Response {
    let nonce = [("Replay-Nonce", authority.nonce())];
    let (path, is_malformed) = (uri.path(), authority.lock().is_malformed);
    if let Some(identifier) = path.strip_prefix("/renewal/") {
        return match authority.renewal(identifier) {
            Some(info) => {
                let retry_after = if is_malformed { "18446744073709551615" } else { "21600" };
                ([("Retry-After", retry_after)], Json(info)).into_response()
            }
            None => {
                (StatusCode::NOT_FOUND, Json(json!({ "type": "urn:ietf:params:acme:error:malformed" }))).into_response()
            }
        };
    }
    if path == "/directory" && method == Method::GET {
        let new_nonce = if is_malformed { String::new() } else { authority.url("/nonce") };
        return Json(json!({
            "newNonce": new_nonce,
            "newAccount": authority.url("/account"),
            "newOrder": authority.url("/order"),
            "renewalInfo": authority.url("/renewal"),
        }))
        .into_response();
    }
    if path == "/nonce" {
        return nonce.into_response();
    }
    match authority.answer(path, &body).await {
        Ok((status, _, Value::String(chain))) => (status, nonce, chain).into_response(),
        Ok((status, Some(location), value)) => (status, nonce, [("Location", location)], Json(value)).into_response(),
        Ok((status, None, value)) => (status, nonce, Json(value)).into_response(),
        Err(Refused(status, kind, detail)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let document = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail });
            let retry_after = authority.lock().refusal.and_then(|refusal| refusal.retry_after);
            let mut response = (status, nonce, Json(document)).into_response();
            if let Some(value) = retry_after {
                response.headers_mut().insert("Retry-After", value.parse().expect("a value"));
            }
            response
        }
    }
}
