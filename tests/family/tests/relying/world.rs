//! The family with its provider, and the scripts that sign in there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::json;
use testkit::{Certificates, Layout, Mode, TestFamily, free_address, note_secret, report_missing};

pub(crate) const SECRET: &str = "8b2f6d0c5e914a37b1c8d2f4a6e09753";
/// The trust domain of transaction tokens.
pub(crate) const TRUST_DOMAIN: &str = "cloud.example";
/// The scripts. `cargo xtask test` installs the npm packages in the same folder, where Node looks for them.
pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/relying");
/// Where `cargo xtask test` installs the Python packages.
pub(crate) const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../relying-parties/bin/python");

/// Under which name browsers and programs know the provider.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Its own address, with TLS.
    Itself,
    /// A site whose name leads to it, with TLS.
    Named(&'static str),
    /// A site that a proxy serves, which ends TLS and has pages of its own.
    BehindAProxy,
    /// The URL of the edge: nothing is configured but the clients.
    Edge,
}

/// A family, and the parameters that scripts receive.
pub(crate) struct World {
    environment: BTreeMap<&'static str, String>,
    _family: TestFamily,
}

impl World {
    /// Starts the family. `None` if what the scripts need is not installed and `DOORWARD_TEST_REDUCED=1` says that this is
    /// known.
    pub(crate) async fn start(name: &str, place: Place) -> Option<Self> {
        Self::start_with(name, place, |_| BTreeMap::new()).await
    }

    /// The same, with more settings; returns further parameters for scripts.
    pub(crate) async fn start_with(
        name: &str,
        place: Place,
        more: impl FnOnce(&mut Layout) -> BTreeMap<&'static str, String>,
    ) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        note_secret(SECRET);
        let mut layout = Layout::new(&format!("process-{name}"), false);
        let mut environment = settle(&mut layout, place);
        environment.extend(more(&mut layout));
        let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
        Some(Self { environment, _family: family })
    }

    /// A parameter that scripts receive.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        &self.environment[name]
    }

    /// All of them.
    pub(crate) fn parameters(&self) -> &BTreeMap<&'static str, String> {
        &self.environment
    }

    /// Runs a script of Node to its end, and answers what it printed.
    pub(crate) async fn node(&self, script: &str) -> String {
        run("node".into(), script, &self.environment).await
    }

    /// Runs a script of Python to its end, and answers what it printed.
    pub(crate) async fn python(&self, script: &str) -> String {
        run(PYTHON.into(), script, &self.environment).await
    }
}

/// Whether everything is installed that scripts need. Without it a test fails, unless `DOORWARD_TEST_REDUCED=1` says that this
/// is known.
pub(crate) fn is_installed() -> bool {
    let needed = [
        "/usr/bin/chromium",
        "/usr/bin/oidc-agent",
        "/usr/lib/apache2/modules/mod_auth_openidc.so",
        &format!("{SCRIPTS}/node_modules/openid-client"),
        PYTHON,
    ];
    let missing = needed.into_iter().find(|path| !Path::new(path).exists());
    if let Some(missing) = missing {
        report_missing(missing, "cargo xtask test --only packages installs it");
    }
    missing.is_none()
}

/// Runs a script by a program to its end, and answers what it printed.
pub(crate) async fn run(program: PathBuf, script: &str, environment: &BTreeMap<&'static str, String>) -> String {
    let mut command = Command::new(&program);
    command.arg(script).current_dir(SCRIPTS).envs(environment);
    let running = tokio::task::spawn_blocking(move || command.output());
    let output = running.await.expect("a script ends");
    let output = output.unwrap_or_else(|error| {
        panic!("{} cannot be started: {error}; cargo xtask test --only packages installs it", program.display())
    });
    let (output_text, error_text) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} failed\n{output_text}\n{error_text}");
    output_text.into_owned()
}

/// Configures the issuer and the clients of the family; returns the environment of the scripts.
fn settle(layout: &mut Layout, place: Place) -> BTreeMap<&'static str, String> {
    let folder = layout.folder().to_owned();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder can be written to");
        path.display().to_string()
    };
    let listener = if matches!(place, Place::Edge) { "PROXY_HTTP_ADDR" } else { "IDP_HTTP_ADDR" };
    let address = layout.variables()[listener].clone();
    let on = |port: &str| format!("https://localhost:{port}");
    let site = match place {
        Place::Itself | Place::Edge => on(address.rsplit_once(':').expect("an address has a port").1),
        Place::Named(site) => site.to_owned(),
        Place::BehindAProxy => on(&free_address().port().to_string()),
    };
    let made = Certificates::make(&folder, "spiffe://doorward.test/idp");
    let [mut ca, certificate, certificate_key] =
        [&made.ca, &made.certificate, &made.key].map(|path| path.display().to_string());
    match place {
        // the certificate that the edge makes at its first start is trusted as it is
        Place::Edge => {
            ca = folder.join("data/edge.crt").display().to_string();
            // in one place with nonces, in the others without
            layout.set("IDP_DPOP_NONCES", "fapi2");
        }
        Place::BehindAProxy => layout.set("IDP_TRUSTED_PROXIES", "127.0.0.1"),
        Place::Itself | Place::Named(_) => {
            layout.set("OCIS_HTTP_TLS_ENABLED", "true");
            layout.set("OCIS_HTTP_TLS_CERTIFICATE", &certificate);
            layout.set("OCIS_HTTP_TLS_KEY", &certificate_key);
        }
    }
    let key = SigningKey::generate(Algorithm::Es256, "rp").expect("a key is made");
    if !matches!(place, Place::Edge) {
        layout.set("IDP_ISS", &site);
    }
    layout.set("IDP_CLIENTS_FILE", &write("clients.yaml", clients(&key)));
    layout.set("OCIS_TRANSACTION_SECRET", SECRET);
    layout.set("OCIS_TRANSACTION_TRUST_DOMAIN", TRUST_DOMAIN);
    layout.set("OCIS_LOG_LEVEL", "info");
    let screenshots = format!("{}/screenshots", env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&screenshots).expect("a folder can be made");
    let debug_servers = layout.variables().iter().filter(|(name, _)| name.ends_with("_DEBUG_ADDR"));
    let debug_addresses: Vec<_> = debug_servers.map(|(_, address)| address.as_str()).collect();
    let debug_addresses = debug_addresses.join(" ");
    // the documents' calls of curl are made as they are written: where a name leads, curl reads here
    let host = site.trim_start_matches("https://");
    let port = if host.contains(':') { "" } else { ":443" };
    // and without its progress meter, which a slow answer would have written into the lines that are read
    write(".curlrc", format!("silent\nshow-error\nconnect-to = \"{host}{port}:{address}\"\n"));
    BTreeMap::from([
        ("SITE", site),
        ("ADDRESS", address),
        ("DEBUG_ADDRESSES", debug_addresses),
        ("LOGIN", "einstein".to_owned()),
        ("PASSWORD", layout.password.clone()),
        ("SECRET", SECRET.to_owned()),
        ("SCREENSHOTS", screenshots),
        ("KEY", write("rp.pem", pem(&key))),
        ("CERTIFICATE", certificate),
        ("CERTIFICATE_KEY", certificate_key),
        ("NODE_EXTRA_CA_CERTS", ca.clone()),
        ("SSL_CERT_FILE", ca),
        ("CURL_HOME", folder.display().to_string()),
        ("NO_PROXY", "*".to_owned()),
        ("no_proxy", "*".to_owned()),
    ])
}

fn clients(key: &SigningKey) -> String {
    let common = json!({
        "application_type": "native",
        "grant_types":
            ["authorization_code", "implicit", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types": ["code", "code id_token"],
        "redirect_uris": ["http://127.0.0.1/callback"],
        "post_logout_redirect_uris": ["http://127.0.0.1"],
        "consent": "always",
    });
    let client = |id: &str, special: serde_json::Value| {
        let mut client = common.clone();
        client["id"] = id.into();
        for (member, value) in special.as_object().into_iter().flatten() {
            client[member] = value.clone();
        }
        client
    };
    let page = ["callback", "silent", "onward"].map(|path| format!("https://app.example/{path}"));
    // JSON is YAML
    let file = json!({ "clients": [
        client("rp-basic", json!({ "secret": SECRET, "token_endpoint_auth_method": "client_secret_basic" })),
        client("rp-post", json!({ "secret": SECRET, "token_endpoint_auth_method": "client_secret_post" })),
        client("rp-key", json!({
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": { "keys": [key.jwk()] },
        })),
        client("rp-fapi", json!({
            "profile": "fapi2",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [key.jwk()] },
            "require_signed_request_object": true,
            "response_modes": ["jwt"],
        })),
        client("rp-apache", json!({
            "secret": SECRET,
            "redirect_uris": ["http://127.0.0.1/callback"],
            "post_logout_redirect_uris": ["http://127.0.0.1/goodbye"],
        })),
        client("rp-agent", json!({ "secret": SECRET })),
        client("rp-service", json!({
            "secret": SECRET,
            "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
            "response_types": [],
            "redirect_uris": [],
            "post_logout_redirect_uris": [],
            "scope": "files.read files.write",
            "transaction_tokens": { "scopes": ["files.read", "files.write"], "replace": true },
        })),
        client("rp-page", json!({
            "application_type": "web",
            "token_endpoint_auth_method": "none",
            "redirect_uris": page,
            "post_logout_redirect_uris": [],
            "consent": "trusted",
        })),
        client("rp-frame", json!({
            "application_type": "web",
            "token_endpoint_auth_method": "none",
            "redirect_uris": ["https://files.cloud.example/callback"],
            "post_logout_redirect_uris": [],
            "consent": "trusted",
        })),
    ] });
    file.to_string()
}

/// A private key as programs read it (RFC 7468).
fn pem(key: &SigningKey) -> String {
    let text = STANDARD.encode(key.to_pkcs8().expect("a key can be written"));
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
