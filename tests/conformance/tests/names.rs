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
    let (unique, wanted) = (ours.iter().copied().collect::<BTreeSet<_>>(), NAMES.into_iter().collect::<BTreeSet<_>>());
    assert_eq!(unique, wanted);
    assert_eq!(ours.len(), 77, "a name is there twice");
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
    ] {
        assert_eq!(runs(profile, false, false), modules, "{profile:?}");
    }
}
