//! The checks of the certification, against the provider as it runs: a process with TLS, people with passwords, clients that
//! register themselves and clients of the file.

use std::sync::Arc;
use std::time::Duration;

use conformance::{CALLBACK, Identity, LOGGED_OUT, Outcome, Person, Plan, Rotate, StaticClient, Target, Waits};
use runtime::Random;
use secrecy::ExposeSecret;
use testkit::{Layout, Mode, TestFamily, note_secret, write_secret};

/// Clients of the file, and how each proves who it is.
const STATIC: [(&str, &str); 3] = [
    ("static-one", "client_secret_basic"),
    ("static-two", "client_secret_basic"),
    ("static-post", "client_secret_post"),
];

/// Fills in the profile, so that every claim of the scopes is there.
const PROFILE: [&str; 21] = [
    "user",
    "update",
    "einstein",
    "--given-name=Albert",
    "--family-name=Einstein",
    "--middle-name=Hermann",
    "--nickname=Al",
    "--profile=https://example.org/einstein",
    "--picture=https://example.org/einstein.jpg",
    "--website=https://einstein.example.org",
    "--gender=male",
    "--birthdate=1879-03-14",
    "--zoneinfo=Europe/Zurich",
    "--locale=de-CH",
    "--phone-number=+41 44 632 11 11",
    "--phone-number-verified=true",
    "--address-street=Kramgasse 49",
    "--address-locality=Bern",
    "--address-region=BE",
    "--address-postal-code=3011",
    "--address-country=Switzerland",
];

/// Those clients with secrets.
fn static_clients() -> Vec<StaticClient> {
    let random = Random::system();
    let with_secret = |(id, _): (&str, &str)| {
        let secret = format!("{}{}", random.uuid().simple(), random.uuid().simple());
        note_secret(&secret);
        StaticClient { id: id.to_owned(), secret: secret.into() }
    };
    STATIC.map(with_secret).into()
}

/// The file with them.
fn file_of(clients: &[StaticClient]) -> String {
    let one = |(client, (id, method)): (&StaticClient, &(&str, &str))| {
        let secret = client.secret.expose_secret();
        format!(
            "  - id: {id}\n    secret: {secret}\n    token_endpoint_auth_method: {method}\n    \
             redirect_uris: [\"{CALLBACK}\"]\n    post_logout_redirect_uris: [\"{LOGGED_OUT}\"]\n    \
             grant_types: [authorization_code, implicit, refresh_token]\n    response_types: [code, id_token, \
             \"id_token token\", \"code id_token\", \"code token\", \"code id_token token\"]\n"
        )
    };
    let all: Vec<_> = clients.iter().zip(&STATIC).map(one).collect();
    format!("clients:\n{}", all.concat())
}

/// Has idp serve HTTPS with this certificate, and clients register themselves; its issuer.
fn serve(layout: &mut Layout, identity: &Identity) -> String {
    let folder = layout.folder().to_owned();
    let (certificate, key) = (folder.join("idp.pem"), folder.join("idp.key"));
    std::fs::write(&certificate, &identity.certificate).expect("the folder can be written to");
    write_secret(&key, identity.key.expose_secret());
    let address = layout.variables()["IDP_HTTP_ADDR"].clone();
    let port = address.rsplit_once(':').map(|(_, port)| port.to_owned()).expect("an address has a port");
    let issuer = format!("https://localhost:{port}");
    let certificate = certificate.display().to_string();
    for (name, value) in [
        ("OCIS_HTTP_TLS_ENABLED", "true"),
        ("OCIS_HTTP_TLS_CERTIFICATE", &certificate),
        ("OCIS_HTTP_TLS_KEY", &key.display().to_string()),
        ("IDP_ISS", &issuer),
        ("IDP_ALLOW_DYNAMIC_CLIENT_REGISTRATION", "true"),
        ("IDP_ALLOW_OPEN_CLIENT_REGISTRATION", "true"),
        ("IDP_REGISTRATIONS_PER_MINUTE", "100000"),
        ("IDP_OUTBOUND_CACERT", &certificate),
        ("OCIS_LOG_LEVEL", "info"),
    ] {
        layout.set(name, value);
    }
    issuer
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_of_every_profile_of_the_process() {
    let receiver = Identity::generate().expect("a certificate is made");
    let mut clients = static_clients();
    let mut layout = Layout::new("conformance", false);
    let issuer = serve(&mut layout, &receiver);
    let file = layout.folder().join("clients.yaml");
    std::fs::write(&file, file_of(&clients)).expect("the folder can be written to");
    layout.set("IDP_CLIENTS_FILE", &file.display().to_string());
    layout.set("IDP_ALLOW_UNSIGNED_ID_TOKENS", "true");
    layout.set("IDP_ALLOW_PRIVATE_ADDRESSES", "true");
    let password = layout.password.clone();
    let family = Arc::new(TestFamily::start_with(layout, Mode::OneProcess, |context| context).await);
    let filled = family.command(&PROFILE, "").await;
    assert_eq!(filled.code, 0, "{}", filled.stderr);
    let operator = Arc::clone(&family);
    let rotate = Rotate::new(move || {
        let operator = Arc::clone(&operator);
        async move {
            let done = operator.command(&["keys", "rotate"], "").await;
            if done.code == 0 { Ok(()) } else { Err(done.stderr) }
        }
    });
    let person = Person { name: "einstein".to_owned(), password: password.into() };
    let target = Target {
        authority: Some(receiver.certificate.clone()),
        static_post_client: clients.pop(),
        static_clients: clients,
        rotate: Some(rotate),
        receiver: receiver.receiver(),
        // the waits of the certification are for caches; here keys that verify nothing are fetched again at once
        waits: Waits { code_reuse: Duration::from_secs(2), key_rotation: Duration::ZERO, ..Waits::default() },
        ..Target::new(&issuer, person)
    };
    let report = conformance::run(&target, &Plan::all()).await;
    let table = concat!(env!("CARGO_TARGET_TMPDIR"), "/conformance.md");
    std::fs::write(table, report.table()).expect("the table can be written");
    let failures: Vec<_> = report
        .failures()
        .iter()
        .map(|entry| format!("{} {:?}: {:?}", entry.check, entry.plan, entry.outcome))
        .collect();
    assert!(failures.is_empty(), "{:?}\n{}", report.counts(), failures.join("\n"));
    let scopes = report.entries.iter().filter(|entry| entry.check.starts_with("oidcc-scope-"));
    let missing: Vec<_> = scopes.filter(|entry| !matches!(entry.outcome, Outcome::Passed)).collect();
    assert!(missing.is_empty(), "every claim of the scopes is returned: {missing:?}");
    let skipped: Vec<_> = report.skipped().iter().map(|entry| entry.check).collect();
    assert!(skipped.is_empty(), "everything is offered, so nothing has a reason to be skipped: {skipped:?}");
}

/// The profiles of FAPI 2.0, at a process with this setting of nonces; the table.
async fn fapi2(name: &str, nonces: &str) -> String {
    let identity = Identity::generate().expect("a certificate is made");
    let mut layout = Layout::new(name, false);
    let issuer = serve(&mut layout, &identity);
    // the checks wait until these are expired
    layout.set("IDP_CODE_EXPIRATION", "20s");
    layout.set("IDP_PUSHED_REQUEST_EXPIRATION", "20s");
    layout.set("IDP_DPOP_NONCES", nonces);
    let password = layout.password.clone();
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let filled = family.command(&PROFILE, "").await;
    assert_eq!(filled.code, 0, "{}", filled.stderr);
    let person = Person { name: "einstein".to_owned(), password: password.into() };
    let waits =
        Waits { code_expiry: Duration::from_secs(22), refresh_reuse: Duration::from_secs(5), ..Waits::default() };
    let target = Target {
        authority: Some(identity.certificate.clone()),
        receiver: identity.receiver(),
        waits,
        // a code must not expire before a busy machine redeems it
        at_a_time: 4,
        ..Target::new(&issuer, person)
    };
    let report = conformance::run(&target, &Plan::fapi()).await;
    let remarks = report.entries.iter().filter(|entry| entry.outcome != Outcome::Passed);
    let remarks: Vec<_> = remarks.map(|entry| format!("{} {:?}: {}", entry.check, entry.plan, entry.outcome)).collect();
    assert!(remarks.is_empty(), "{nonces}: {:?}\n{}", report.counts(), remarks.join("\n"));
    assert_eq!(report.counts(), [57 + 71, 0, 0, 0]);
    report.table()
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_of_fapi2_of_the_process() {
    let (table, _) = tokio::join!(fapi2("conformance-fapi2", "off"), fapi2("conformance-fapi2-nonces", "fapi2"));
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/conformance-fapi2.md");
    std::fs::write(file, table).expect("the table can be written");
}
