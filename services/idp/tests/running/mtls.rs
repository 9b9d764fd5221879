//! Clients with certificates (RFC 8705), over TLS, against the service as it runs.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use reqwest::{Client, Identity, RequestBuilder};
use runtime::Running;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::write_secret;

use crate::support::start;

const TOKEN: &str = "/konnect/v1/token";
const USERINFO: &str = "/konnect/v1/userinfo";
const INTROSPECT: &str = "/konnect/v1/introspect";

/// A certificate authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Own {
    pem: String,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself"))
    }

    fn sign(&self, name: &str) -> Own {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name).signed_by(&key, &self.0).expect("is signed");
        Own { pem: format!("{}{}", certificate.pem(), key.serialize_pem()), der: certificate.der().to_vec() }
    }
}

impl Own {
    fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(name).self_signed(&key).expect("signs itself");
        Self { pem: format!("{}{}", certificate.pem(), key.serialize_pem()), der: certificate.der().to_vec() }
    }

    fn thumbprint(&self) -> String {
        oidc::certificate::thumbprint(&self.der)
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// The running service with its clients.
struct Service {
    running: Running,
    servers: Authority,
    _folder: TempDir,
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written to");
    path.display().to_string()
}

impl Service {
    async fn start(clients: &Value, authority: Option<&Authority>) -> Self {
        let (folder, servers) = (tempfile::tempdir().expect("a folder"), Authority::new());
        let server = servers.sign("localhost");
        let file = |name: &str, text: &str| write(folder.path(), name, text);
        let key = folder.path().join("server.key");
        write_secret(&key, &server.pem);
        let mut variables = vec![
            ("IDP_MTLS_ADDR", "127.0.0.1:0".to_owned()),
            ("IDP_MTLS_URL", "https://mtls.cloud.example".to_owned()),
            ("OCIS_HTTP_TLS_ENABLED", "true".to_owned()),
            ("OCIS_HTTP_TLS_CERTIFICATE", file("server.pem", &server.pem)),
            ("OCIS_HTTP_TLS_KEY", key.display().to_string()),
            ("IDP_CLIENTS_FILE", file("clients.yaml", &clients.to_string())),
        ];
        if let Some(Authority(issuer)) = authority {
            variables.push(("OCIS_MTLS_CLIENT_CA", file("clients.pem", &issuer.pem())));
        }
        let running = start(folder.path(), &variables).await;
        Self { running, servers, _folder: folder }
    }

    /// An HTTP client that presents this certificate.
    fn program(&self, own: Option<&Own>) -> Client {
        let root = reqwest::Certificate::from_pem(self.servers.0.pem().as_bytes()).expect("a certificate");
        let builder = Client::builder().tls_certs_only([root]);
        let identity = own.map(|own| Identity::from_pem(own.pem.as_bytes()).expect("an identity"));
        identity.into_iter().fold(builder, reqwest::ClientBuilder::identity).build().expect("a client")
    }

    fn mtls(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.mtls.expect("is served").port())
    }

    fn ordinary(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.http.expect("is served").port())
    }

    /// Requests a token with `client_credentials`.
    fn ask(&self, own: Option<&Own>, url: &str, client: &str) -> RequestBuilder {
        with_form(self.program(own).post(url), &[("grant_type", "client_credentials"), ("client_id", client)])
    }
}

fn with_form(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(form)
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("is answered");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

fn client(id: &str, more: &Value) -> Value {
    let mut client = json!({
        "id": id, "application_type": "web", "grant_types": ["client_credentials"], "response_types": [],
        "introspects_all": true,
    });
    for (name, value) in more.as_object().expect("members") {
        client[name] = value.clone();
    }
    client
}

/// The claims of a JWT; other tests verify signatures.
fn claims(token: &str) -> Value {
    let jwt = oidc::jose::UnverifiedJwt::parse(token).expect("a JWT");
    Value::Object(jwt.into_claims())
}

/// Row I22.
#[tokio::test]
async fn certificate_of_a_trusted_authority_authenticates_a_client() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let by = |member: &str, name: &str| json!({ "token_endpoint_auth_method": "tls_client_auth", member: name });
    let clients = json!({ "clients": [
        client("by-dns", &by("tls_client_auth_san_dns", "one.example")),
        client("by-subject", &by("tls_client_auth_subject_dn", "CN=one.example,O=Example")),
        client("other", &by("tls_client_auth_san_dns", "two.example")),
    ] });
    let service = Service::start(&clients, Some(&authority)).await;
    let own = authority.sign("one.example");
    let url = service.mtls(TOKEN);
    for id in ["by-dns", "by-subject"] {
        let (status, body) = answer(service.ask(Some(&own), &url, id)).await;
        assert_eq!(status, 200, "{id}: {body}");
        assert_eq!(
            claims(body["access_token"].as_str().expect("a token")).get("cnf"),
            None,
            "the client did not request it"
        );
    }
    for (what, own, id) in [
        ("another client's", Some(&own), "other"),
        ("nothing", None, "by-dns"),
        ("the right name, of an untrusted authority", Some(&stranger.sign("one.example")), "by-dns"),
        ("the right name, self-signed", Some(&Own::self_signed("one.example")), "by-subject"),
    ] {
        let (status, body) = answer(service.ask(own, &url, id)).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{what}: {body}");
    }
    let (status, _) = answer(service.ask(Some(&own), &service.ordinary(TOKEN), "by-dns")).await;
    assert_eq!(status, 401, "the ordinary listener asks for no certificate");
    service.running.stop().await;
}

/// Row I22.
#[tokio::test]
async fn registered_certificate_authenticates_a_client() {
    use base64::Engine;
    let (own, other) = (Own::self_signed("one.example"), Own::self_signed("one.example"));
    let x5c = base64::engine::general_purpose::STANDARD.encode(&own.der);
    let keys = json!({ "keys": [{ "kty": "EC", "x5c": [x5c] }] });
    let more = json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": keys });
    let service = Service::start(&json!({ "clients": [client("own", &more)] }), None).await;
    let url = service.mtls(TOKEN);
    assert_eq!(answer(service.ask(Some(&own), &url, "own")).await.0, 200);
    for stranger in [None, Some(&other)] {
        let (status, body) = answer(service.ask(stranger, &url, "own")).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    }
    service.running.stop().await;
}

/// Row I29.
#[tokio::test]
async fn certificate_bound_token_is_refused_without_its_certificate() {
    let authority = Authority::new();
    let bound = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "one.example",
        "tls_client_certificate_bound_access_tokens": true,
    });
    let opaque = {
        let mut more = bound.clone();
        more["access_token_format"] = json!("opaque");
        more
    };
    let fapi2 = {
        let mut more = bound.clone();
        more["profile"] = json!("fapi2");
        more
    };
    let clients = json!({ "clients": [client("jwt", &bound), client("opaque", &opaque), client("fapi2", &fapi2)] });
    let service = Service::start(&clients, Some(&authority)).await;
    let (own, other) = (authority.sign("one.example"), authority.sign("one.example"));
    for id in ["jwt", "opaque", "fapi2"] {
        let (status, body) = answer(service.ask(Some(&own), &service.mtls(TOKEN), id)).await;
        assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")), "{body}");
        let token = body["access_token"].as_str().expect("a token").to_owned();
        if id != "opaque" {
            assert_eq!(claims(&token)["cnf"], json!({ "x5t#S256": own.thumbprint() }));
        }
        let form = [("token", token.as_str()), ("client_id", id)];
        let (_, introspected) =
            answer(with_form(service.program(Some(&own)).post(service.mtls(INTROSPECT)), &form)).await;
        assert_eq!(
            (&introspected["active"], &introspected["cnf"]),
            (&json!(true), &json!({ "x5t#S256": own.thumbprint() })),
            "{introspected}"
        );

        // the token has no user: with its certificate it is accepted, but its scope does not suffice here
        let with = |own: Option<&Own>, url: String| service.program(own).get(url).bearer_auth(&token);
        let (status, body) = answer(with(Some(&own), service.mtls(USERINFO))).await;
        assert_eq!((status, &body["error"]), (403, &json!("insufficient_scope")), "{body}");
        for (what, own, url) in [
            ("another certificate", Some(&other), service.mtls(USERINFO)),
            ("none", None, service.mtls(USERINFO)),
            ("a listener that asks for none", Some(&own), service.ordinary(USERINFO)),
        ] {
            let (status, body) = answer(with(own, url)).await;
            assert_eq!((status, &body["error"]), (401, &json!("invalid_token")), "{what}: {body}");
        }
    }
    service.running.stop().await;
}

#[tokio::test]
async fn metadata_has_mtls_endpoint_aliases() {
    let service = Service::start(&json!({ "clients": [] }), Some(&Authority::new())).await;
    let (_, found) = answer(service.program(None).get(service.ordinary("/.well-known/openid-configuration"))).await;
    assert_eq!(found["token_endpoint"], "https://cloud.example/konnect/v1/token");
    assert_eq!(found["mtls_endpoint_aliases"]["token_endpoint"], "https://mtls.cloud.example/konnect/v1/token");
    let (status, _) = answer(service.program(None).get(service.mtls("/signin/v1/identifier"))).await;
    assert_eq!(status, 404, "no page is shown there");
    service.running.stop().await;
}
