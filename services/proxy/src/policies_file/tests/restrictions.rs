//! Settings of `proxy.yaml` that refuse what the edge could permit.

use super::*;
use crate::config::{MultiFactor, ProfilePicture};

/// An edge that has the restrictions of [`FILES`] too, as far as it can.
fn strict() -> Reader {
    let mfa = MultiFactor { enabled: true, ..::config::defaults() };
    let oidc_profile_picture = ProfilePicture { disable_local_changes: true, ..::config::defaults() };
    let config = Config { mfa, oidc_profile_picture, multi_instance_enabled: true, ..Config::default() };
    Reader::new(&config).expect("valid settings")
}

/// An edge that permits everything.
fn open() -> Reader {
    let machine_auth_api_key = "a machine key of at least 32 bytes, for tests".into();
    let config = Config { enable_basic_auth: true, machine_auth_api_key, ..Config::default() };
    assert!(config.accepts_signed_urls());
    Reader::new(&config).expect("valid settings")
}

/// What refuses something, the same without effect, and what the problem names.
const FILES: [(&str, &str, &str); 6] = [
    ("mfa: { enabled: true }", "mfa: { enabled: false }", "OCIS_MFA_ENABLED=true"),
    ("mfa: { enabled: 'yes' }", "mfa: { enabled: 'False' }", "OCIS_MFA_ENABLED=true"),
    ("multi_instance: { enabled: 1 }", "multi_instance: { enabled: 0 }", "OCIS_MULTI_INSTANCE_ENABLED=true"),
    (
        "oidc_profile_picture: { disable_local_changes: true }",
        "oidc_profile_picture: { claim: picture }",
        "PROXY_OIDC_PROFILE_PICTURE_DISABLE_LOCAL_CHANGES=true",
    ),
    ("enable_basic_auth: false", "enable_basic_auth: true", "PROXY_ENABLE_BASIC_AUTH=false"),
    ("pre_signed_url: { enabled: false }", "pre_signed_url: { enabled: true }", "PROXY_ENABLE_PRESIGNEDURLS=false"),
];

/// What the edge does not have, the same without effect, what the problem names, and what it does not show.
const NEVER_MET: [(&str, &str, &str, &str); 2] = [
    (
        "policies_middleware: { query: data.proxy.granted }",
        "policies_middleware: { query: '' }",
        "asks no policies service",
        "data.proxy",
    ),
    (
        "claim_space_management: { enabled: true, claim: entitlements }",
        "claim_space_management: { enabled: false, claim: entitlements }",
        "neither adds nor removes members of spaces",
        "entitlements",
    ),
];

/// Row [E46](../../../../../docs/security-requirements.md#e46).
#[test]
fn file_may_not_refuse_what_the_edge_permits() {
    for (restricting, without_effect, named) in FILES {
        let problem = open().parse(restricting).map(|file| format!("{file:?}")).expect_err(restricting);
        let is_complete = problem.contains(&format!("set {named} too, or remove the key"));
        assert!(is_complete, "{restricting}: {problem}");
        assert!(open().parse(without_effect).is_ok(), "{without_effect}");
        assert!(strict().parse(restricting).is_ok(), "{restricting}");
    }
    for (restricting, without_effect, named, secret) in NEVER_MET {
        for reader in [open(), strict()] {
            let problem = reader.parse(restricting).map(|file| format!("{file:?}")).expect_err(restricting);
            assert!(problem.contains(named) && !problem.contains(secret), "{problem}");
            assert!(reader.parse(without_effect).is_ok(), "{without_effect}");
        }
    }
    for empty in ["mfa:", "mfa: { enabled: }", "pre_signed_url:", "multi_instance: []"] {
        assert!(open().parse(empty).is_ok(), "{empty}");
    }
}
