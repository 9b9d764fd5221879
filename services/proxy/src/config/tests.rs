use std::path::Path;

use config::{Environment, Loaded, load};
use runtime::Service;

use super::*;
use crate::Proxy;

const ENOUGH: &str = "an-adequate-secret-of-32-bytes-ok";
/// The certificate of the edge as a client.
const CLIENT_CERTIFICATE: [(&str, &str); 3] = [
    ("OCIS_GRPC_CLIENT_TLS_MODE", "on"),
    ("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", "/etc/tls/edge.pem"),
    ("OCIS_GRPC_CLIENT_TLS_KEY", "/etc/tls/edge.key"),
];

fn loaded(variables: &[(&str, &str)]) -> Result<Loaded<Config>, String> {
    let all = variables.iter().chain([&("OCIS_JWT_SECRET", ENOUGH)]);
    let environment: Environment = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load::<Config>(&Proxy::IDENTITY, &environment).map_err(|error| error.to_string())
}

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    loaded(variables).map(|loaded| loaded.config)
}

#[test]
fn verify_without_trusted_proxies_is_refused_with_both_names() {
    let problem = read(&[("PROXY_VERIFY_PROXY", "nginx")]).expect_err("no proxy gets an answer");
    assert!(problem.contains("PROXY_TRUSTED_PROXIES") && problem.contains("PROXY_VERIFY_PROXY"), "{problem}");
    assert_eq!(problem.lines().count(), 1, "{problem}");
    for name in ["PROXY_TRUSTED_PROXIES", "OCIS_TRUSTED_PROXIES", "OC_TRUSTED_PROXIES"] {
        assert!(read(&[("PROXY_VERIFY_PROXY", "nginx"), (name, "127.0.0.1")]).is_ok(), "{name}");
    }
    assert!(read(&[]).is_ok());
}

#[test]
fn check_without_trusted_proxies_is_refused_with_both_names() {
    let problem = read(&[("PROXY_GRPC_ADDR", "127.0.0.1:9201")]).expect_err("no proxy gets an answer");
    assert!(problem.contains("PROXY_TRUSTED_PROXIES") && problem.contains("PROXY_GRPC_ADDR"), "{problem}");
    assert_eq!(problem.lines().count(), 1, "{problem}");
    for address in ["", "/run/doorward/proxy.sock"] {
        assert!(read(&[("PROXY_GRPC_ADDR", address)]).is_ok(), "{address:?}");
    }
    assert!(read(&[("PROXY_GRPC_ADDR", "127.0.0.1:9201"), ("PROXY_TRUSTED_PROXIES", "10.0.0.0/8")]).is_ok());
    assert!(read(&[]).is_ok_and(|config| config.grpc.addr == ListenAddr::Off));
}

#[test]
fn identity_headers_that_cannot_be_are_refused_with_their_setting() {
    for (name, value) in [
        ("PROXY_IDENTITY_HEADERS", "X-*"),
        ("PROXY_IDENTITY_HEADERS", "X Tenant"),
        ("PROXY_IDENTITY_HEADERS_EXCEPT", "*"),
        ("PROXY_IDENTITY_HEADERS_EXCEPT", "x_access_token"),
        ("PROXY_IDENTITY_HEADERS_EXCEPT", "X-Hasura-Role,X-Forwarded-*"),
    ] {
        let problem = read(&[(name, value)]).expect_err(value);
        assert!(problem.starts_with(&format!("{name} ")), "{problem}");
    }
    let told = [("PROXY_VERIFY_HEADERS", "Remote-User"), ("PROXY_IDENTITY_HEADERS_EXCEPT", "Remote-User")];
    assert!(read(&told).expect_err("clients could write it").contains("Remote-User"));
    let good = [("PROXY_IDENTITY_HEADERS", "X-Tenant-*"), ("PROXY_IDENTITY_HEADERS_EXCEPT", "X-Hasura-Role")];
    assert!(
        read(&good).is_ok_and(|config| config.request_filter().is_ok_and(|filter| filter.is_identity("x_tenant_a")))
    );
}

#[test]
fn scopes_of_resources_that_are_none_are_refused_with_their_setting() {
    let name = "PROXY_PROTECTED_RESOURCE_SCOPES";
    let problem = read(&[(name, "openid,a b")]).expect_err("a scope has no space");
    assert!(problem.starts_with(&format!("{name} ")), "{problem}");
    assert_eq!(read(&[]).expect("defaults").protected_resource.scopes, ["openid", "profile"]);
}

#[test]
fn signed_urls_need_a_key_or_a_secret_that_seals() {
    let by_certificate = [&[("PROXY_WORKLOAD_CERTIFICATE", "true")][..], &CLIENT_CERTIFICATE].concat();
    for proof in [&[("PROXY_WORKLOAD_TOKEN_FILE", "/run/token")][..], &by_certificate[..]] {
        let problem = read(proof).expect_err("nothing seals");
        assert!(problem.contains("PROXY_SESSION_SECRET"), "{problem}");
        let with =
            |more: &[(&str, &str)]| read(&[proof, more].concat()).is_ok_and(|config| config.accepts_signed_urls());
        assert!(with(&[("PROXY_SESSION_SECRET", ENOUGH)]) && with(&[("OCIS_MACHINE_AUTH_API_KEY", ENOUGH)]));
    }
    assert!(read(&[("PROXY_SESSION_SECRET", ENOUGH)]).is_ok_and(|config| !config.accepts_signed_urls()));
}

#[test]
fn certificate_in_place_of_the_key_has_to_be_shown() {
    let on = [("PROXY_WORKLOAD_CERTIFICATE", "true"), ("OCIS_MACHINE_AUTH_API_KEY", ENOUGH)];
    assert!(read(&[&on[..], &CLIENT_CERTIFICATE].concat()).is_ok());
    for less in [&CLIENT_CERTIFICATE[..1], &CLIENT_CERTIFICATE[1..], &[]] {
        let problem = read(&[&on[..], less].concat()).expect_err("there is none");
        assert!(problem.starts_with("PROXY_WORKLOAD_CERTIFICATE "), "{problem}");
    }
}

#[test]
fn database_of_signing_keys_is_checked_without_sessions() {
    let wrong = [("OCIS_MACHINE_AUTH_API_KEY", ENOUGH), ("PROXY_SESSION_DATABASE_URL", "mysql://a")];
    let problem = read(&wrong).expect_err("there is no such database");
    assert!(problem.contains("PROXY_SESSION_DATABASE_URL"), "{problem}");
    assert!(read(&wrong[..1]).expect("a configuration").accepts_signed_urls());
    let off = [wrong[0], ("PROXY_ENABLE_PRESIGNEDURLS", "false")];
    assert!(!read(&off).expect("a configuration").accepts_signed_urls());
    assert!(!read(&[]).expect("a configuration").accepts_signed_urls(), "without the machine key");
}

/// Row [E52](../../../../docs/security-requirements.md#e52).
#[test]
fn claim_with_a_picture_has_no_effect_but_a_warning() {
    let config = read(&[("PROXY_OIDC_PROFILE_PICTURE_CLAIM", "picture")]).expect("is read");
    let warnings = config.oidc_profile_picture.warnings();
    let expected = "PROXY_OIDC_PROFILE_PICTURE_CLAIM has no effect: the edge copies no pictures of issuers";
    assert_eq!(warnings, [expected]);
    assert_eq!(read(&[]).expect("defaults").oidc_profile_picture.warnings(), Vec::<String>::new());
    assert!(read(&[("PROXY_OIDC_PROFILE_PICTURE_DISABLE_LOCAL_CHANGES", "true")]).is_ok());
}

/// Row [E46](../../../../docs/security-requirements.md#e46).
#[test]
fn variables_may_not_refuse_what_the_edge_permits() {
    for (name, value, without_effect) in [
        ("PROXY_POLICIES_QUERY", "data.proxy.granted", ""),
        ("OCIS_CLAIMMANAGEDSPACES_ENABLED", "true", "false"),
        ("OC_CLAIMMANAGEDSPACES_ENABLED", "true", ""),
    ] {
        let problem = read(&[(name, value)]).expect_err(name);
        let (_, common) = name.split_once('_').expect("a prefix");
        assert!(problem.contains(common) && problem.contains(", and the edge "), "{problem}");
        assert!(!problem.contains("data.proxy"), "{problem}");
        assert!(read(&[(name, without_effect)]).is_ok(), "{name}");
    }
}

#[test]
fn content_security_policy_is_that_of_the_overriding_file() {
    let both = [
        ("PROXY_CSP_CONFIG_FILE_LOCATION", "/etc/ocis/csp.yaml"),
        ("PROXY_CSP_CONFIG_FILE_OVERRIDE_LOCATION", "/etc/ocis/only.yaml"),
    ];
    let paths = |variables: &[(&str, &str)]| read(variables).expect("a configuration").csp.paths();
    assert_eq!(paths(&both[..1]), [Path::new("/etc/ocis/csp.yaml")]);
    assert_eq!(paths(&both), [Path::new("/etc/ocis/only.yaml")]);
}

/// The edge needs no cache server.
#[test]
fn settings_of_a_cache_server_change_nothing() {
    let effective = |variables: &[(&str, &str)]| loaded(variables).map(|loaded| (loaded.shown, loaded.warnings));
    let cache = [
        ("OC_CACHE_STORE", "redis-sentinel"),
        ("OC_CACHE_STORE_NODES", "cache.example:26379"),
        ("OC_CACHE_ENABLE_TLS", "true"),
        ("OC_CACHE_TLS_INSECURE", "true"),
        ("OC_CACHE_TLS_ROOT_CA_CERTIFICATE", "/etc/ocis/cache.pem"),
    ];
    assert!(effective(&[]).is_ok_and(|(shown, _)| !shown.is_empty()));
    assert_eq!(effective(&cache), effective(&[]));
}

#[test]
fn settings_of_an_opencloud_are_read() {
    let config = read(&[
        ("PROXY_POLICIES_FILE", "/etc/ocis/proxy.yaml"),
        ("PROXY_SERVICE_BACKENDS", "ocdav=http://ocdav:9350, web=http://web:9100"),
        ("PROXY_POLICIES_DEFAULT", "ocis"),
        ("PROXY_CSP_CONFIG_FILE_LOCATION", "/etc/ocis/csp.yaml"),
        ("PROXY_GUEST_LINKS_ENABLED", "true"),
        ("AUTH_GUEST_JWT_COOKIE_NAME", "__Host-guest"),
        ("OC_MULTI_INSTANCE_ENABLED", "true"),
    ])
    .expect("a configuration");
    assert_eq!(config.proxy_yaml.services().map(|services| services.len()), Ok(2));
    assert_eq!((config.proxy_yaml.product(), config.csp.paths().len()), (Product::Ocis, 1));
    assert!(
        config.links.guests_enabled && config.links.guest_cookie == "__Host-guest" && config.multi_instance_enabled
    );
    let public_links = |value| read(&[("PROXY_PUBLIC_LINKS_ENABLED", value)]).map(|config| config.links.public_enabled);
    assert_eq!((config.links.public_enabled, public_links("")), (None, Ok(None)));
    assert_eq!((public_links("false"), public_links("true")), (Ok(Some(false)), Ok(Some(true))));
    for (name, value) in [
        ("PROXY_POLICIES_DEFAULT", "nextcloud"),
        ("PROXY_SERVICE_BACKENDS", "ocdav"),
        ("PROXY_GUEST_COOKIE", "guest"),
        ("PROXY_CSP_CONFIG_FILE_OVERRIDE_LOCATION", "/etc/ocis/*.yaml"),
        ("TRAEFIK_EXTERNAL_PORT", ".evil.example"),
        ("TRAEFIK_PORT_HTTPS", "https"),
    ] {
        let problem = read(&[(name, value)]).expect_err(value);
        assert!(problem.contains(name), "{problem}");
    }
}
