//! The clients of `OpenCloud`, oCIS and Pydio Cells, as their documentation names them, or as they are shipped where the two
//! differ; and the client that Doorward's own edge is.

use std::sync::Arc;

use config::Secret;
use oidc::redirect::Sites;
use serde_json::{Value, json};

use super::client::{Client, SecretDigest, Source};
use super::metadata::{Metadata, MetadataError};
use super::{Described, secret};

/// The identifier of the edge.
pub(super) const EDGE: &str = "doorward-edge";

/// The clients of oCIS. Their secrets are published in its source, so that they do not authenticate a client.
const PUBLISHED: [(&str, &str); 3] = [
    (
        "xdXOt13JKxym1B1QcEncf2XDkLAexMBFwiT9j6EfhhHFJhs2KM9jbjTmf8JBXE69",
        "UBntmLjC2yYCeHwsyj73Uwo9TAaecAetRwMw0xYcvNL9yRdLSUi0hUAHfvCHFeFh",
    ),
    (
        "e4rAsNUSIUs0lF4nbv9FmCeUkTlV9GdgTLDH1b5uie7syb90SzEVrbN7HIpmWJeD",
        "dInFYGV33xKzhbRmpqQltYNdfLdJIfJ9L5ISoKhNoT9qZftpdWSP71VrpGR9pmoD",
    ),
    (
        "mxd5OQDk6es5LzOzRvidJNfXLUZS2oN3oUFeXPP8LpPrhx3UroJFduGEYIBOxkY1",
        "KFeFWWEZO9TkisIQzR3fo7hfiMXlOpaqP8CFuTbSHzV1TUuGECglPxpiVKJfOXIx",
    ),
];

/// The client whose published secret this is; `None` for any other secret.
pub(super) fn published(secret: &str) -> Option<&'static str> {
    PUBLISHED.iter().find(|(_, published)| *published == secret).map(|(id, _)| *id)
}

/// The clients of the sets with these names: `opencloud`, `ocis`, `cells`.
///
/// # Errors
/// [`MetadataError`], which does not occur for a site that the configuration accepts.
pub(super) fn clients(sets: &[String], sites: &Sites) -> Result<Vec<Described>, MetadataError> {
    let mut clients: Vec<Described> = Vec::new();
    for metadata in sets.iter().flat_map(|set| of_set(set)) {
        let described = client(&metadata, sites)?;
        // the web client is the same in two sets
        if clients.iter().all(|other| other.client.id != described.client.id) {
            clients.push(described);
        }
    }
    Ok(clients)
}

/// The client that the edge at this URL is, with this secret.
///
/// # Errors
/// [`MetadataError`], which does not occur for a site that the configuration accepts.
pub(super) fn edge(edge_secret: &Secret, edge_url: &Sites) -> Result<Described, MetadataError> {
    let metadata = json!({
        "client_id": EDGE,
        "client_name": "Doorward",
        "application_type": "web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "pkce": "required",
        "consent": "trusted",
        "redirect_uris": ["#default_bind#/_doorward/callback"],
        "post_logout_redirect_uris": ["#default_bind#/_doorward/logout"],
        "access_token_claims": ["preferred_username", "name", "email", "email_verified", "groups", "roles", "sid"],
    });
    let Described { client, metadata } = client(&metadata, edge_url)?;
    let secrets = vec![SecretDigest { digest: secret::digest(edge_secret.expose()), expires: None }];
    Ok(Described { client: Arc::new(Client { secrets, ..Client::clone(&client) }), metadata })
}

fn client(metadata: &Value, sites: &Sites) -> Result<Described, MetadataError> {
    let metadata = Metadata::parse(metadata.to_string().as_bytes())?;
    metadata.refuse_unknown()?;
    let mut client = Client::from_metadata(&metadata, Source::BuiltIn, sites)?;
    if let Some((_, secret)) = PUBLISHED.iter().find(|(id, _)| *id == client.id) {
        client.secrets = vec![SecretDigest { digest: secret::digest(secret), expires: None }];
    }
    Ok(Described { client: Arc::new(client), metadata })
}

fn of_set(set: &str) -> Vec<Value> {
    match set {
        "opencloud" => opencloud(),
        "ocis" => ocis(),
        "cells" => cells(),
        _ => Vec::new(),
    }
}

/// A client from its own metadata and the common metadata of its system.
fn with(special: Value, all: &Value) -> Value {
    let mut client = all.clone();
    if let (Value::Object(client), Value::Object(special)) = (&mut client, special) {
        client.extend(special);
    }
    client
}

/// The common metadata of the clients of `OpenCloud` and oCIS. Groups and roles come with the profile: these clients request
/// a fixed list of scopes that does not name them.
fn of_cloud(roles: &str) -> Value {
    json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "response_types":
            ["code", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token"],
        "pkce": "optional",
        "consent": "remembered",
        "implicit_scopes": ["groups", "roles"],
        "access_token_claims": ["preferred_username", "name", "email", "email_verified", "groups", "roles", "sid"],
        "roles": roles,
    })
}

/// The web client, whose identifier is the same in both systems.
fn web(name: &str, all: &Value) -> Value {
    let redirects =
        ["#default_bind#/", "#default_bind#/oidc-callback.html", "#default_bind#/oidc-silent-redirect.html"];
    let special = json!({
        "client_id": "web",
        "client_name": name,
        "application_type": "web",
        "pkce": "required",
        "consent": "trusted",
        "redirect_uris": redirects,
        "post_logout_redirect_uris": redirects,
    });
    with(special, all)
}

/// A native application, with redirect URIs on the user's device.
fn native(id: &str, name: &str, redirects: &[&str], all: &Value) -> Value {
    let special = json!({
        "client_id": id,
        "client_name": name,
        "application_type": "native",
        "any_port": "localhost",
        "redirect_uris": redirects,
        "post_logout_redirect_uris": redirects,
    });
    with(special, all)
}

const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://localhost"];

fn opencloud() -> Vec<Value> {
    let all = of_cloud("opencloud");
    vec![
        web("OpenCloud Web", &all),
        native("OpenCloudDesktop", "OpenCloud Desktop", &LOOPBACK, &all),
        native("OpenCloudAndroid", "OpenCloud Android", &["oc://android.opencloud.eu"], &all),
        native("OpenCloudIOS", "OpenCloud iOS", &["oc://ios.opencloud.eu"], &all),
    ]
}

fn ocis() -> Vec<Value> {
    let all = of_cloud("ocis");
    let [(desktop, _), (android, _), (ios, _)] = PUBLISHED;
    vec![
        web("ownCloud Web", &all),
        native(desktop, "ownCloud Desktop", &LOOPBACK, &all),
        native(android, "ownCloud Android", &["oc://android.owncloud.com"], &all),
        native(ios, "ownCloud iOS", &["oc://ios.owncloud.com", "oc.ios://ios.owncloud.com"], &all),
    ]
}

/// Cells has no consent page and does not require PKCE, which some of its clients do not support. Without PKCE the user
/// confirms native clients each time.
fn cells() -> Vec<Value> {
    let all = json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "implicit", "refresh_token"],
        "response_types": ["code", "token", "id_token"],
        "scope": "openid email profile pydio offline offline_access",
        "pkce": "optional",
        "consent": "trusted",
        "roles": "plain",
    });
    let frontend = json!({
        "client_id": "cells-frontend",
        "client_name": "CellsFrontend Application",
        "application_type": "web",
        "redirect_uris": ["#default_bind#/auth/callback"],
        "post_logout_redirect_uris": ["#default_bind#/auth/logout"],
    });
    let one = |id: &str, name: &str, redirects: &[&str]| {
        let special = json!({
            "client_id": id,
            "client_name": name,
            "application_type": "native",
            "any_port": "never",
            "redirect_uris": redirects,
        });
        with(special, &all)
    };
    let sync = [
        "http://localhost:[3636-3666]",
        "http://localhost:[3636-3666]/servers/callback",
        "http://localhost:3000",
        "http://localhost:3000/servers/callback",
    ];
    let command_line = [
        "http://localhost:3636",
        "http://localhost:3636/servers/callback",
        "http://localhost:3000/servers/callback",
        "#binds...#/oauth2/oob",
        "#binds...#/oauth/oob",
    ];
    vec![
        with(frontend, &all),
        one("cells-sync", "CellsSync Application", &sync),
        one("cells-client", "Cells Client CLI Tool", &command_line),
        one("cells-mobile", "Mobile Applications", &["cellsauth://callback", "cellsauth://serverName"]),
    ]
}
