//! The authorization endpoint and what leads to it, over a database.

mod certificate;
mod confirmation;
mod fapi2;
mod pushed;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::endpoints::{EndpointProfile, page};
use crate::engine::authorize::flow::{Destination, Flow};
use crate::engine::authorize::prompt::{self, NextPrompt};
use crate::engine::authorize::{request, response};
use crate::engine::termination::end_everywhere;
use crate::model::seconds;
use crate::revocations::{self, Of};
use crate::testing::{Bench, Browser, EINSTEIN, Reply};

/// The redirect URI of the clients that [`Bench::add`] makes.
const BACK: &str = "https://app.example/back";
/// RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A parameter of the answer in a redirect.
fn answered(reply: &Reply, name: &str) -> Option<String> {
    let (_, query) = reply.location()?.split_once(['?', '#'])?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
}

/// Sends an authorization request to the first issuer.
async fn authorize(bench: &Bench, browser: &mut Browser, query: &[(&str, &str)]) -> Reply {
    bench.get(browser, bench.endpoints().paths.authorization, query).await
}

/// Goes on with the flow to which a redirect leads, as it stands in its URL.
async fn follow(bench: &Bench, browser: &mut Browser, flow: &str) -> Reply {
    bench.get(browser, page::SIGN_IN, &[("flow", flow)]).await
}

/// Redeems a code of the client `app`, with a `DPoP` proof if there is one.
async fn redeem(bench: &Bench, code: &str, proof: Option<&str>) -> Reply {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("client_id", "app")];
    let headers: Vec<_> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &headers).await
}

#[track_caller]
fn assert_refused(reply: &Reply, error: &str) {
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!(error)), "{}", reply.text);
}

/// A key that a client proves to have (RFC 9449).
struct DpopKey(SigningKey);

impl DpopKey {
    fn new() -> Self {
        Self(SigningKey::generate(Algorithm::Es256, "dpop").expect("a key is made"))
    }

    /// The thumbprint of the key (RFC 7638).
    fn thumbprint(&self) -> String {
        let jwk = self.0.jwk();
        let text = |name: &str| jwk[name].as_str().expect("text").to_owned();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text("x"), text("y"));
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// A new proof for a POST to a path of the first issuer.
    fn proof(&self, bench: &Bench, path: &str) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": public(self.0.jwk()) });
        let claims = json!({
            "jti": bench.provider.random.uuid(),
            "htm": "POST",
            "htu": bench.endpoints().url(path),
            "iat": seconds(bench.clock.now()),
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes())))
    }
}

fn public(jwk: &serde_json::Map<String, Value>) -> Value {
    ["kty", "crv", "x", "y"]
        .into_iter()
        .map(|name| (name.to_owned(), jwk[name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// An unsecured JWT (RFC 7519 6) with these claims.
fn unsigned(claims: &Value) -> String {
    let [header, claims] =
        [r#"{"alg":"none"}"#.to_owned(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.")
}

#[tokio::test]
async fn state_of_8_kib_comes_back_with_every_answer() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    let state = r#"a"\&%"#.repeat(8192 / 5);
    let query = |more| {
        let all =
            [("client_id", "app"), ("redirect_uri", BACK), ("scope", "openid  email "), ("state", state.as_str())];
        [all.as_slice(), more].concat()
    };
    let wrong = authorize(&bench, &mut browser, &query(&[("response_type", "none")])).await;
    assert_eq!(answered(&wrong, "state").as_deref(), Some(state.as_str()));
    let reply = authorize(&bench, &mut browser, &query(&[("response_type", "code")])).await;
    let flow = answered(&reply, "flow").expect("a flow");
    bench.sign_in(&mut browser, EINSTEIN).await;
    let answer = follow(&bench, &mut browser, &flow).await;
    assert_eq!(answered(&answer, "state").as_deref(), Some(state.as_str()), "{}", answer.text);
    assert_eq!(answered(&answer, "scope").as_deref(), Some("email openid"));
}

#[tokio::test]
async fn strict_issuer_takes_codes_with_pkce_only() {
    let bench = Bench::with(|config| config.strict_layouts = vec!["opencloud".to_owned()]).await;
    let all = json!(["code", "token", "code token"]);
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted", "response_types": all })).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let plain = [("code_challenge", CHALLENGE), ("code_challenge_method", "plain")];
    for (layout, kind, more, error) in [
        (EndpointProfile::OpenCloud, "token", &pkce[..], Some("unsupported_response_type")),
        (EndpointProfile::OpenCloud, "code token", &pkce, Some("unsupported_response_type")),
        (EndpointProfile::OpenCloud, "code", &[], Some("invalid_request")),
        (EndpointProfile::OpenCloud, "code", &plain, Some("invalid_request")),
        (EndpointProfile::OpenCloud, "code", &pkce, None),
        (EndpointProfile::Cells, "code", &[], None),
        (EndpointProfile::Cells, "token", &[], None),
    ] {
        let asked = [("client_id", "app"), ("redirect_uri", BACK), ("scope", "openid"), ("response_type", kind)];
        let path = bench.provider.endpoints(layout).expect("is served").paths.authorization;
        let reply = bench.get(&mut browser, path, &[asked.as_slice(), more].concat()).await;
        assert_eq!(answered(&reply, "error").as_deref(), error, "{layout} {kind}: {reply:?}");
        assert_eq!(answered(&reply, "iss"), bench.provider.endpoints(layout).map(|endpoints| endpoints.issuer.clone()));
    }
}

/// The scope by which lico signs users in.
const LICO_SCOPE: &str = "openid LibreGraph.SignedLoginOK";

/// A request by which a client of lico signs a user in, with this request object.
fn lico_request(object: &str) -> [(&str, &str); 6] {
    [
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", LICO_SCOPE),
        ("prompt", "none"),
        ("request", object),
    ]
}

/// lico 0.67 signs in the user whom `preferred_username` of a signed request object names, whoever has a session, where
/// `--allow-client-signed-logins` is set and the scope is requested. Here a session is needed, and its user counts.
#[tokio::test]
async fn parameters_of_lico_sign_no_user_in() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
    let keys = json!({ "keys": [key.jwk()] });
    let client =
        json!({ "pkce": "optional", "consent": "trusted", "request_object_signing_alg": "ES256", "jwks": keys });
    bench.add("app", &client).await;
    let object = |user: &str| {
        let claims = json!({
            "iss": "app", "aud": bench.endpoints().issuer, "client_id": "app", "jti": bench.provider.random.uuid(),
            "exp": seconds(bench.clock.now()) + 60, "scope": LICO_SCOPE,
            "claims": { "id_token": { "preferred_username": { "value": user } } },
        });
        key.jwt("JWT", &claims)
    };
    let reply = authorize(&bench, &mut browser, &lico_request(&object("einstein"))).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("login_required"), "{reply:?}");
    assert_eq!(answered(&reply, "code"), None);
    bench.sign_in(&mut browser, EINSTEIN).await;
    for user in ["einstein", "marie"] {
        let reply = authorize(&bench, &mut browser, &lico_request(&object(user))).await;
        let code = answered(&reply, "code").unwrap_or_else(|| panic!("{user}: {reply:?}"));
        let tokens = redeem(&bench, &code, None).await.is(200);
        let id_token = tokens["id_token"].as_str().expect("an ID token");
        let jwt = oidc::jose::UnverifiedJwt::parse(id_token).expect("a JWT");
        assert_eq!((&jwt.claims()["sub"], &tokens["scope"]), (&json!(EINSTEIN), &json!("openid")), "{user}");
    }
}

/// The code of a request for `app` that was decided before `end` and is answered after it.
async fn code_decided_before(bench: &Bench, end: impl AsyncFnOnce()) -> String {
    let (provider, endpoints) = (&bench.provider, bench.endpoints());
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.advance(Duration::from_secs(5));
    let scope = "openid offline_access";
    let query = [("client_id", "app"), ("response_type", "code"), ("redirect_uri", BACK), ("scope", scope)];
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let valid = request::validate(provider, endpoints, query, None).await.expect("a good request");
    let flow = Flow::begin(endpoints.layout, Destination::Client(valid.pending()), bench.clock.now());
    let next = prompt::next(provider, &flow, &valid, Some(session)).await.expect("is decided");
    let NextPrompt::Nothing(basis) = next else { panic!("nothing is asked: {next:?}") };
    end().await;
    bench.advance(Duration::from_secs(2));
    response::granted(provider, endpoints, &valid, &basis).await.remove("code").expect("a code")
}

/// Row I38.
#[tokio::test]
async fn code_of_a_request_that_was_under_way_ends_with_the_session_and_the_consent() {
    let bench = Bench::new().await;
    let grants = json!(["authorization_code", "refresh_token"]);
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted", "grant_types": grants })).await;
    let code = code_decided_before(&bench, async || ()).await;
    assert_eq!(redeem(&bench, &code, None).await.status, 200);
    let everything = async || end_everywhere(&bench.provider, EINSTEIN).await.expect("ends");
    let code = code_decided_before(&bench, everything).await;
    assert_refused(&redeem(&bench, &code, None).await, "invalid_grant");
    let consent = async || {
        let of = Of::Consent { person: EINSTEIN, client: "app" };
        bench.provider.revocations.add([revocations::before(of, seconds(bench.clock.now()) + 1)]);
    };
    let code = code_decided_before(&bench, consent).await;
    assert_refused(&redeem(&bench, &code, None).await, "invalid_grant");
}

/// Row I38.
#[tokio::test]
async fn session_that_could_not_be_removed_ends_as_everything_of_its_user_does() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.add("app", &json!({ "pkce": "optional", "consent": "trusted" })).await;
    let query = [
        ("client_id", "app"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
        ("prompt", "none"),
    ];
    bench.sign_in(&mut browser, EINSTEIN).await;
    bench.advance(Duration::from_secs(5));
    assert!(answered(&authorize(&bench, &mut browser, &query).await, "code").is_some());
    let second = seconds(bench.clock.now()) + 1;
    bench.provider.revocations.add([revocations::before(Of::Person(EINSTEIN), second)]);
    let reply = authorize(&bench, &mut browser, &query).await;
    assert_eq!(answered(&reply, "error").as_deref(), Some("login_required"), "{reply:?}");
    bench.sign_in(&mut browser, EINSTEIN).await;
    assert!(answered(&authorize(&bench, &mut browser, &query).await, "code").is_some(), "a sign-in after it counts");
}
