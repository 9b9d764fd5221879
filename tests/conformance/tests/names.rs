//! The registry of checks is that of the OpenID Foundation's suite.

use std::collections::BTreeSet;

use conformance::{Plan, Profile, checks};

/// The modules of the plans for OpenID Connect providers.
const NAMES: [&str; 77] = [
    "oidcc-server",
    "oidcc-response-type-missing",
    "oidcc-idtoken-signature",
    "oidcc-idtoken-unsigned",
    "oidcc-userinfo-get",
    "oidcc-userinfo-post-header",
    "oidcc-userinfo-post-body",
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
    "oidcc-scope-profile",
    "oidcc-scope-email",
    "oidcc-scope-address",
    "oidcc-scope-phone",
    "oidcc-scope-all",
    "oidcc-alternate-happy-flow",
    "oidcc-display-page",
    "oidcc-display-popup",
    "oidcc-prompt-login",
    "oidcc-prompt-none-not-logged-in",
    "oidcc-prompt-none-logged-in",
    "oidcc-max-age-1",
    "oidcc-max-age-10000",
    "oidcc-ensure-request-with-unknown-parameter-succeeds",
    "oidcc-id-token-hint",
    "oidcc-login-hint",
    "oidcc-ui-locales",
    "oidcc-claims-locales",
    "oidcc-ensure-request-with-acr-values-succeeds",
    "oidcc-codereuse",
    "oidcc-codereuse-30seconds",
    "oidcc-ensure-registered-redirect-uri",
    "oidcc-ensure-post-request-succeeds",
    "oidcc-server-client-secret-post",
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
    "oidcc-claims-essential",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-refresh-token",
    "oidcc-ensure-request-with-valid-pkce-succeeds",
    "oidcc-ensure-request-without-nonce-fails",
    "oidcc-discovery-endpoint-verification",
    "oidcc-idtoken-rs256",
    "oidcc-userinfo-rs256",
    "oidcc-ensure-redirect-uri-in-authorization-request",
    "oidcc-redirect-uri-query-OK",
    "oidcc-redirect-uri-query-mismatch",
    "oidcc-redirect-uri-query-added",
    "oidcc-redirect-uri-regfrag",
    "oidcc-registration-logo-uri",
    "oidcc-registration-policy-uri",
    "oidcc-registration-tos-uri",
    "oidcc-registration-jwks-uri",
    "oidcc-registration-sector-uri",
    "oidcc-registration-sector-bad",
    "oidcc-server-rotate-keys",
    "oidcc-refresh-token-rp-key-rotation",
    "oidcc-request-uri-unsigned",
    "oidcc-request-uri-signed-rs256",
    "oidcc-ensure-client-assertion-with-iss-aud-succeeds",
    "oidcc-rp-initiated-logout-discovery-endpoint-verification",
    "oidcc-rp-initiated-logout",
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-modified-id-token-hint",
    "oidcc-rp-initiated-logout-no-id-token-hint",
    "oidcc-rp-initiated-logout-no-params",
    "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-no-state",
    "oidcc-rp-initiated-logout-only-state",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-bad-id-token-hint",
    "oidcc-backchannel-logout-discovery-endpoint-verification",
    "oidcc-backchannel-rp-initiated-logout",
    "oidcc-frontchannel-logout-discovery-endpoint-verification",
    "oidcc-frontchannel-rp-initiated-logout",
    "oidcc-session-management-discovery-endpoint-verification",
    "oidcc-session-management-rp-initiated-logout",
    "oidcc-3rd_party-init-login",
    "oidcc-3rd_party-init-login-nohttps",
];

/// The modules of the plans for FAPI 2.0 Security Profile Final and Message Signing Final, without their common beginning.
const FAPI_NAMES: [&str; 71] = [
    "discovery-end-point-verification",
    "happy-flow",
    "user-rejects-authentication",
    "ensure-request-object-with-multiple-aud-succeeds",
    "ensure-authorization-request-without-state-success",
    "ensure-authorization-request-without-nonce-success",
    "ensure-authorization-request-with-64-char-nonce-success",
    "ensure-other-scope-order-succeeds",
    "test-claims-parameter-identity-claims",
    "access-token-type-header-case-sensitivity",
    "ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted",
    "check-dpop-proof-nbf-exp",
    "ensure-dpopproof-with-iat-10seconds-before-succeeds",
    "ensure-dpopproof-with-iat-10seconds-after-succeeds",
    "ensure-mismatched-dpop-jkt-fails",
    "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt",
    "ensure-token-endpoint-fails-with-mismatched-dpop-jkt",
    "ensure-dpopproof-at-par-endpoint-binding-success",
    "ensure-dpop-auth-code-binding-success",
    "ensure-different-nonce-inside-and-outside-request-object",
    "ensure-different-state-inside-and-outside-request-object",
    "ensure-authorization-request-with-long-nonce",
    "ensure-authorization-request-with-long-state",
    "ensure-request-object-without-exp-fails",
    "ensure-request-object-without-nbf-fails",
    "state-only-outside-request-object-not-used",
    "ensure-request-object-without-redirect-uri-fails",
    "ensure-expired-request-object-fails",
    "ensure-request-object-with-bad-aud-fails",
    "ensure-request-object-with-exp-over-60-fails",
    "ensure-request-object-with-nbf-over-60-fails",
    "ensure-signed-request-object-with-RS256-fails",
    "ensure-request-object-signature-algorithm-is-not-none",
    "ensure-request-object-with-invalid-signature-fails",
    "ensure-matching-key-in-authorization-request",
    "ensure-unsigned-request-at-par-endpoint-fails",
    "plain-fapi-tolerate-unregistered-redirect-uri",
    "ensure-unsigned-authorization-request-without-using-par-fails",
    "ensure-redirect-uri-in-authorization-request",
    "ensure-response-type-code-idtoken-fails",
    "ensure-response-type-token-fails",
    "ensure-client-id-in-token-endpoint",
    "ensure-holder-of-key-required",
    "ensure-authorization-code-is-bound-to-client",
    "attempt-reuse-authorization-code-after-one-second",
    "ensure-token-endpoint-fails-with-expired-auth-code",
    "ensure-signed-client-assertion-with-RS256-fails",
    "ensure-client-assertion-in-token-endpoint",
    "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
    "ensure-client-assertion-with-wrong-aud-fails",
    "ensure-client-assertion-with-no-sub-fails",
    "ensure-invalid-client-assertions-fail",
    "dpop-negative-tests",
    "refresh-token",
    "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
    "par-attempt-reuse-request_uri",
    "par-attempt-to-use-expired-request_uri",
    "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
    "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
    "par-attempt-to-use-request_uri-for-different-client",
    "par-authorization-request-containing-request_uri-form-param",
    "par-attempt-invalid-http-method",
    "par-ensure-pkce-required",
    "ensure-pkce-code-verifier-required",
    "incorrect-pkce-code-verifier-rejected",
    "par-plain-pkce-rejected",
    "par-authorization-request-containing-request_uri",
    "par-without-duplicate-parameters",
    "par-test-array-as-audience-fails",
    "par-test-par-endpoint-url-as-audience-fails",
    "par-test-token-endpoint-url-as-audience-fails",
];
/// That beginning.
const FAPI: &str = "fapi2-security-profile-final-";

fn runs(profile: Profile, static_client: bool, form_post: bool) -> usize {
    let plans: Vec<_> = Plan::of(profile)
        .into_iter()
        .filter(|plan| plan.static_client == static_client && plan.form_post == form_post)
        .collect();
    checks().iter().map(|check| plans.iter().filter(|plan| check.applies(**plan)).count()).sum()
}

#[test]
fn the_registry_holds_exactly_the_modules_of_the_suite() {
    let ours: Vec<_> = checks().iter().map(|check| check.name).collect();
    let unique: BTreeSet<_> = ours.iter().map(|name| (*name).to_owned()).collect();
    let fapi = FAPI_NAMES.iter().map(|name| format!("{FAPI}{name}"));
    let wanted: BTreeSet<_> = NAMES.iter().map(|name| (*name).to_owned()).chain(fapi).collect();
    assert_eq!(unique, wanted);
    assert_eq!(ours.len(), 77 + 71, "a name is there twice");
}

#[test]
fn a_plan_runs_as_many_modules_as_in_the_suite() {
    for (profile, dynamic, of_configuration) in
        [(Profile::Basic, 38, 35), (Profile::Implicit, 58, 54), (Profile::Hybrid, 102, 96)]
    {
        for form_post in [false, true] {
            assert_eq!(runs(profile, false, form_post), dynamic, "{profile:?}, dynamic clients");
            assert_eq!(runs(profile, true, form_post), of_configuration, "{profile:?}, static clients");
        }
    }
    // Logout is walked once for each of the six response types.
    for (profile, modules) in [
        (Profile::Config, 1),
        (Profile::Dynamic, 23),
        (Profile::RpLogout, 11 * 6),
        (Profile::BackChannel, 2 * 6),
        (Profile::FrontChannel, 2 * 6),
        (Profile::Session, 2 * 6),
        (Profile::ThirdParty, 2),
        (Profile::Fapi2Security, 57),
        (Profile::Fapi2MessageSigning, 71),
    ] {
        assert_eq!(runs(profile, false, false), modules, "{profile:?}");
    }
}

#[test]
fn plans_of_openid_connect_are_without_those_of_fapi() {
    assert!(Plan::all().iter().all(|plan| Profile::OPENID.contains(&plan.profile)));
    assert_eq!(Plan::fapi().iter().map(|plan| plan.profile).collect::<Vec<_>>(), Profile::FAPI);
    assert_eq!(Profile::ALL.len(), Profile::OPENID.len() + Profile::FAPI.len());
}

/// `peer/judge.mjs` puts the faults into another provider.
#[test]
fn each_check_of_fapi_is_to_find_a_fault() {
    let faults = include_str!("../peer/faults.mjs");
    let found: BTreeSet<_> = faults.split('\'').filter_map(|text| text.strip_prefix('~')).collect();
    let all: BTreeSet<_> = FAPI_NAMES.into_iter().collect();
    assert_eq!(found.difference(&all).collect::<Vec<_>>(), Vec::<&&str>::new(), "there are no such checks");
    // the other checks leave parameters out of the address too, so that a fault which it finds is found by all
    assert_eq!(all.difference(&found).collect::<Vec<_>>(), [&"par-without-duplicate-parameters"]);
}
