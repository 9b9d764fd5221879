use super::*;
use crate::engine::clients::built_in;

fn all(site: &str) -> Vec<Described> {
    let sets = ["opencloud", "ocis", "cells"].map(str::to_owned);
    built_in::clients(&sets, &Sites::parse([site]).expect("a site")).expect("built-in clients")
}

fn named(id: &str) -> Arc<Client> {
    let found = all(SITE).into_iter().find(|described| described.client.id == id);
    found.unwrap_or_else(|| panic!("{id} is not built in")).client
}

const OCIS: [&str; 3] = [
    "xdXOt13JKxym1B1QcEncf2XDkLAexMBFwiT9j6EfhhHFJhs2KM9jbjTmf8JBXE69",
    "e4rAsNUSIUs0lF4nbv9FmCeUkTlV9GdgTLDH1b5uie7syb90SzEVrbN7HIpmWJeD",
    "mxd5OQDk6es5LzOzRvidJNfXLUZS2oN3oUFeXPP8LpPrhx3UroJFduGEYIBOxkY1",
];

#[test]
fn every_documented_redirect_uri_is_found() {
    for (id, uris) in [
        (
            "web",
            &[
                "https://cloud.example/",
                "https://cloud.example/oidc-callback.html",
                "https://cloud.example/oidc-silent-redirect.html",
            ] as &[&str],
        ),
        (
            "OpenCloudDesktop",
            &[
                "http://127.0.0.1",
                "http://127.0.0.1:51004",
                "http://127.0.0.1:51004/",
                "http://localhost",
                "http://localhost:1",
            ],
        ),
        ("OpenCloudAndroid", &["oc://android.opencloud.eu"]),
        ("OpenCloudIOS", &["oc://ios.opencloud.eu"]),
        (OCIS[0], &["http://127.0.0.1:51004", "http://localhost:51004"]),
        (OCIS[1], &["oc://android.owncloud.com"]),
        (OCIS[2], &["oc://ios.owncloud.com", "oc.ios://ios.owncloud.com"]),
        (
            "cells-sync",
            &[
                "http://localhost:3636",
                "http://localhost:3650/servers/callback",
                "http://localhost:3666",
                "http://localhost:3666/servers/callback",
                "http://localhost:3000",
                "http://localhost:3000/servers/callback",
            ],
        ),
        (
            "cells-client",
            &[
                "http://localhost:3636",
                "http://localhost:3636/servers/callback",
                "http://localhost:3000/servers/callback",
                "https://cloud.example/oauth2/oob",
                "https://cloud.example/oauth/oob",
            ],
        ),
        ("cells-mobile", &["cellsauth://callback", "cellsauth://serverName"]),
        ("cells-frontend", &["https://cloud.example/auth/callback"]),
    ] {
        let client = named(id);
        for uri in uris {
            assert!(client.redirects.find(uri).is_some(), "{id}: {uri}");
        }
    }
}

#[test]
fn i1_i2_what_is_near_a_documented_redirect_uri_is_not_found() {
    for (id, uris) in [
        (
            "web",
            &[
                "https://cloud.example",
                "https://cloud.example/oidc-callback.html?x=1",
                "https://cloud.example/oidc-callback.html/",
                "HTTPS://cloud.example/",
                "https://cloud.example.evil/",
                "https://cloud.example@evil/",
                "http://cloud.example/",
                "http://localhost:1",
            ] as &[&str],
        ),
        (
            "OpenCloudDesktop",
            &[
                "https://127.0.0.1:1",
                "http://127.0.0.2",
                "http://127.0.0.1.evil",
                "http://127.0.0.1:51004/other",
                "http://127.0.0.1@evil",
                "http://localhost.evil",
                "http://127.0.0.1:0",
                "http://127.0.0.1:65536",
                "http://[::1]:1",
            ],
        ),
        (
            "OpenCloudAndroid",
            &["oc://android.opencloud.eu/", "oc://ios.opencloud.eu", "oc://", "oc:android.opencloud.eu"],
        ),
        (
            "cells-sync",
            &[
                "http://localhost:3635",
                "http://localhost:3667",
                "http://localhost:03650",
                "http://localhost",
                "http://127.0.0.1:3636",
                "http://localhost:3001",
                "https://localhost:3636",
                "http://localhost:3636/",
                "http://localhost:[3636-3666]",
            ],
        ),
        (
            "cells-client",
            &[
                "http://localhost:3637",
                "http://localhost:3000",
                "https://evil.example/oauth2/oob",
                "#binds...#/oauth2/oob",
            ],
        ),
        (
            "cells-mobile",
            &["cellsauth://callback/", "cellsauth://other", "cellsauth:callback", "cellsauth://servername"],
        ),
        ("cells-frontend", &["https://cloud.example/auth/logout", "https://cloud.example/auth/callback/"]),
    ] {
        let client = named(id);
        for uri in uris {
            assert!(client.redirects.find(uri).is_none(), "{id}: {uri}");
        }
    }
}

#[test]
fn default_clients_are_public_and_only_the_web_client_needs_pkce() {
    let clients = all(SITE);
    assert_eq!(clients.len(), 11, "the web client is there once");
    for Described { client, .. } in &clients {
        assert_eq!(client.source, Source::BuiltIn);
        assert!(client.is_public() && !client.pkce.plain, "{}", client.id);
        assert_eq!(client.pkce.required, client.id == "web", "{}", client.id);
        let grants = [GrantType::AuthorizationCode, GrantType::Implicit, GrantType::RefreshToken];
        assert_eq!(client.grants, grants.into(), "{}", client.id);
    }
}

#[test]
fn implicit_and_hybrid_work_for_the_clients_of_which_the_documents_say_so() {
    use oidc::response::ResponseType;
    assert_eq!(named("OpenCloudDesktop").responses, ResponseType::ALL.into());
    let cells = [ResponseType::CODE, ResponseType::TOKEN, ResponseType::ID_TOKEN];
    assert_eq!(named("cells-client").responses, cells.into());
}

#[test]
fn consent_roles_and_scopes_are_those_of_each_system() {
    for (id, consent, roles) in [
        ("web", ConsentPolicy::Trusted, RoleNames::OpenCloud),
        ("OpenCloudDesktop", ConsentPolicy::Remembered, RoleNames::OpenCloud),
        ("OpenCloudAndroid", ConsentPolicy::Remembered, RoleNames::OpenCloud),
        (OCIS[0], ConsentPolicy::Remembered, RoleNames::Ocis),
        ("cells-sync", ConsentPolicy::Trusted, RoleNames::Plain),
        ("cells-frontend", ConsentPolicy::Trusted, RoleNames::Plain),
    ] {
        let client = named(id);
        assert_eq!((client.consent, client.roles), (consent, roles), "{id}");
    }
    let desktop = named("OpenCloudDesktop");
    assert_eq!(desktop.implicit_scopes.to_string(), "groups roles");
    assert!(desktop.scopes.is_none());
    let cells = named("cells-client").scopes.clone().expect("has a list");
    assert!(["openid", "email", "profile", "pydio", "offline"].iter().all(|scope| cells.contains(scope)));
}

#[test]
fn browsers_come_back_after_signing_out() {
    let after = |id: &str, uri: &str| named(id).logout.redirects.find(uri).is_some();
    assert!(after("web", "https://cloud.example/"));
    assert!(after("cells-frontend", "https://cloud.example/auth/logout"));
    assert!(after("OpenCloudAndroid", "oc://android.opencloud.eu"));
    assert!(!after("web", "https://evil.example/") && !after("cells-sync", "http://localhost:3636"));
}

#[test]
fn the_published_secrets_of_ocis_are_known_and_prove_nothing() {
    for id in OCIS {
        let client = named(id);
        assert_eq!((client.auth, client.secrets.len()), (AuthMethod::None, 1));
    }
    let digest = secret::digest("UBntmLjC2yYCeHwsyj73Uwo9TAaecAetRwMw0xYcvNL9yRdLSUi0hUAHfvCHFeFh");
    assert_eq!(named(OCIS[0]).secrets[0].digest, digest);
    assert!(named("OpenCloudDesktop").secrets.is_empty());
}

#[test]
fn they_fit_every_site_that_the_configuration_accepts() {
    for site in ["https://cloud.example:8443", "http://localhost:9130", "http://127.0.0.1:1", "http://[::1]:9130"] {
        let web = all(site).into_iter().find(|described| described.client.id == "web").expect("is built in");
        assert!(web.client.redirects.find(&format!("{site}/oidc-callback.html")).is_some(), "{site}");
    }
    let none = built_in::clients(&[], &sites()).expect("no clients");
    assert!(none.is_empty());
}

#[test]
fn built_in_identifiers_are_those_that_every_service_knows() {
    let mut ids: Vec<_> = all(SITE).into_iter().map(|described| described.client.id.clone()).collect();
    let mut known = oidc::client_id::BUILT_IN.to_vec();
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known);
    assert!(all(SITE).iter().all(|described| described.client.is_first_party()));
}

#[test]
fn edge_is_a_trusted_client_with_a_secret_that_returns_to_its_own_url_alone() {
    let secret = config::Secret::from("an-adequate-secret-of-32-bytes-ok");
    let edge_url = Sites::parse(["https://localhost:9200"]).expect("a site");
    let Described { client, metadata } = built_in::edge(&secret, &edge_url).expect("is a client");
    assert_eq!((client.id.as_str(), client.source), (built_in::EDGE, Source::BuiltIn));
    assert!(client.is_first_party() && !client.is_public() && client.secrets.len() == 1);
    assert!(client.redirects.find("https://localhost:9200/_doorward/callback").is_some());
    for other in
        ["https://localhost:9200/", "https://localhost/_doorward/callback", "https://cloud.example/_doorward/callback"]
    {
        assert!(client.redirects.find(other).is_none(), "{other}");
    }
    let shown = serde_json::to_string(&metadata).expect("is JSON");
    assert!(!shown.contains(secret.expose()), "metadata has no secrets");
}
