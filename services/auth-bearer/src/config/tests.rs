use config::{Environment, load};
use proptest::prelude::*;
use runtime::Service;

use super::*;
use crate::AuthBearer;
use crate::issuer::{Method, Naming};

const ENOUGH: &str = "an-adequate-secret-of-32-bytes-ok";

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    let environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load::<Config>(&AuthBearer::IDENTITY, &environment).map(|loaded| loaded.config).map_err(|error| error.to_string())
}

fn first(variables: &[(&str, &str)]) -> Settings {
    read(variables).expect("is read").issuers().expect("go together").swap_remove(0)
}

#[test]
fn one_issuer_is_what_the_settings_say_as_ever() {
    let plain = first(&[]);
    assert_eq!((plain.rules.issuer.as_str(), plain.method), ("https://localhost:9200", Method::Jwt));
    assert!(plain.rules.audiences.is_empty() && plain.provisioning.is_none() && plain.roles.is_none());
    assert!(matches!(&plain.naming, Naming::Directory { claim, by_id: false } if claim.is("preferred_username")));

    let named = first(&[
        ("OCIS_URL", "https://a.example"),
        ("PROXY_OIDC_ISSUER", "https://b.example"),
        ("AUTH_BEARER_OIDC_AUDIENCE", "web, mobile"),
        ("AUTH_BEARER_OIDC_ID_CLAIM", "sub"),
    ]);
    assert_eq!(named.rules.issuer, "https://b.example", "the last name that is set wins");
    assert_eq!(named.rules.audiences, ["web", "mobile"]);
    assert!(matches!(named.naming, Naming::Directory { by_id: true, .. }), "a subject is an id");
    let by_id = first(&[("PROXY_USER_OIDC_CLAIM", r"lg\.i.id"), ("PROXY_USER_CS3_CLAIM", "userid")]);
    assert!(matches!(&by_id.naming, Naming::Directory { claim, by_id: true } if claim.to_string() == r"lg\.i.id"));
}

#[test]
fn the_verify_method_is_one_of_four_words() {
    for (word, method) in [("jwt", Method::Jwt), ("userinfo", Method::UserInfo), ("none", Method::UserInfo)] {
        let any_client = ("AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT", "true");
        assert_eq!(first(&[("PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", word), any_client]).method, method);
    }
    let client = [
        ("PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", "introspection"),
        ("AUTH_BEARER_OIDC_CLIENT_ID", "us"),
        ("AUTH_BEARER_OIDC_CLIENT_SECRET", "an introspection secret"),
    ];
    let introspected = first(&client);
    assert_eq!(introspected.method, Method::Introspection);
    assert!(introspected.client.is_some_and(|client| client.id == "us" && !client.in_form));
    for (wrong, name) in [
        (&client[..1], "AUTH_BEARER_OIDC_CLIENT_ID"),
        (&[("PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", "opaque")][..], "PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD"),
        (&[("PROXY_USER_CS3_CLAIM", "mail")][..], "PROXY_USER_CS3_CLAIM"),
        (&[("PROXY_USER_OIDC_CLAIM", "a..b")][..], "PROXY_USER_OIDC_CLAIM"),
        (&[("AUTH_BEARER_OIDC_LEEWAY", "6m")][..], "AUTH_BEARER_OIDC_LEEWAY"),
        (&[("PROXY_OIDC_USERINFO_CACHE_TTL", "31s")][..], "PROXY_OIDC_USERINFO_CACHE_TTL"),
        (&[("PROXY_AUTOPROVISION_ACCOUNTS", "true")][..], "OCIS_JWT_SECRET"),
        (&[("PROXY_ROLE_ASSIGNMENT_DRIVER", "oidc")][..], "OCIS_JWT_SECRET"),
        (&[("PROXY_AUTOPROVISION_CLAIM_GROUPS", ".")][..], "PROXY_AUTOPROVISION_CLAIM_GROUPS"),
        (&[("AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING", "staff=boss")][..], "AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING"),
    ] {
        let error = read(wrong).expect_err("is refused");
        assert!(error.contains(name), "{error}");
    }
}

fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    let environment: Environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load::<Config>(&AuthBearer::IDENTITY, &environment).expect("is read").warnings
}

#[test]
fn unrestricted_issuer_is_warned_about_unless_it_is_our_own() {
    let unrestricted = warnings(&[("OCIS_URL", "https://login.example")]);
    assert!(unrestricted.len() == 1 && unrestricted[0].contains("AUTH_BEARER_OIDC_AUDIENCE"), "{unrestricted:?}");
    for restriction in ["AUTH_BEARER_OIDC_AUDIENCE", "AUTH_BEARER_OIDC_AUTHORIZED_PARTIES"] {
        assert_eq!(warnings(&[(restriction, "us")]), Vec::<String>::new());
    }
    for issuer in ["https://cloud.example", "https://cloud.example/"] {
        let own_issuers = vec!["https://cloud.example".to_owned(), "https://cloud.example/oidc".to_owned()];
        let own = Oidc { issuer: issuer.to_owned(), own_issuers, ..Oidc::default() };
        assert_eq!(own.warnings(), Vec::<String>::new());
        let settings = own.settings(&AutoProvision::default(), &RoleAssignment::default());
        assert_eq!(settings.rules.issuer, "https://cloud.example", "as idp writes it");
        assert!(settings.rules.is_own);
    }
}

#[test]
fn name_of_a_claim_with_dots_that_are_not_escaped_is_warned_about() {
    let audience = ("AUTH_BEARER_OIDC_AUDIENCE", "us");
    for variable in ["PROXY_USER_OIDC_CLAIM", "AUTH_BEARER_OIDC_UID_CLAIM", "OCIS_MULTI_INSTANCE_GUEST_CLAIM"] {
        let lines = warnings(&[audience, (variable, "https://acme.example/tenant")]);
        let names = |line: &String| line.starts_with(variable) && line.ends_with(r"write https://acme\.example/tenant");
        assert!(lines.len() == 1 && names(&lines[0]), "{lines:?}");
        for name in [r"https://acme\.example/tenant", r"https://acme\.example/ids.tenant", "ids.tenant", "urn://tenant"]
        {
            assert_eq!(warnings(&[audience, (variable, name)]), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn own_issuers_are_those_that_the_setting_names() {
    let issuer = ("OCIS_OIDC_ISSUER", "https://cloud.example");
    assert!(!first(&[issuer]).rules.is_own, "nothing says so");
    assert!(!first(&[issuer, ("AUTH_BEARER_OIDC_OWN_ISSUERS", "https://cloud.example.org")]).rules.is_own);
    let named = ("AUTH_BEARER_OIDC_OWN_ISSUERS", "https://cloud.example, https://partner.example/");
    assert!(first(&[issuer, named]).rules.is_own);
    assert_eq!(warnings(&[issuer, named]), Vec::<String>::new());
    assert!(warnings(&[issuer])[0].contains("AUTH_BEARER_OIDC_OWN_ISSUERS"), "the warning names the remedy");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("issuers.yaml");
    std::fs::write(&file, PARTNER).expect("writes");
    let path = file.display().to_string();
    let further = |variables: &[(&str, &str)]| {
        let file = [("AUTH_BEARER_OIDC_ISSUERS_FILE", path.as_str()), ("OCIS_JWT_SECRET", ENOUGH)];
        let all: Vec<_> = variables.iter().copied().chain(file).collect();
        read(&all).expect("is read").issuers().expect("go together").swap_remove(1)
    };
    assert!(further(&[named]).rules.is_own && !further(&[]).rules.is_own, "one of the file too");
}

#[test]
fn idp_is_asked_only_with_the_secret_of_the_family() {
    let endpoint = ("AUTH_BEARER_IDP_ENDPOINT", "127.0.0.1:9131");
    let problem = read(&[endpoint]).expect_err("has no secret");
    assert!(problem.contains("OCIS_JWT_SECRET"), "{problem}");
    assert_eq!(read(&[endpoint, ("OCIS_JWT_SECRET", ENOUGH)]).expect("is read").idp_endpoint, endpoint.1);
}

#[test]
fn userinfo_alone_needs_a_setting_that_admits_every_client() {
    for word in ["userinfo", "none"] {
        let method = ("PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", word);
        let refused = read(&[method]).expect("is read").issuers().expect_err("is refused").to_string();
        assert!(refused.contains("AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT"), "{refused}");
        let lines = warnings(&[method]);
        assert!(lines.len() == 1 && lines[0].contains("AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT"), "{lines:?}");
    }
}

#[test]
fn people_are_made_as_the_settings_say() {
    let made = first(&[
        ("OCIS_JWT_SECRET", ENOUGH),
        ("PROXY_AUTOPROVISION_ACCOUNTS", "true"),
        ("PROXY_AUTOPROVISION_CLAIM_GROUPS", "realm.groups"),
        ("PROXY_ROLE_ASSIGNMENT_DRIVER", "oidc"),
        ("AUTH_BEARER_ROLE_ASSIGNMENT_MAPPING", "boss=admin, a=b=user"),
    ]);
    assert_eq!(made.provisioning.expect("makes people").groups.to_string(), "realm.groups");
    let roles = made.roles.expect("gives roles").mapping;
    let expected = [("boss", authn::role::ADMIN), ("a=b", authn::role::USER)];
    assert!(roles.iter().map(|(value, role)| (value.as_str(), role.as_str())).eq(expected));
}

#[test]
fn roles_are_those_of_either_product_without_a_mapping() {
    let given = first(&[("OCIS_JWT_SECRET", ENOUGH), ("PROXY_ROLE_ASSIGNMENT_DRIVER", "oidc")]);
    let mapping = given.roles.expect("gives roles").mapping;
    let role_of = |name: &str| mapping.iter().find(|(value, _)| value == name).map(|(_, role)| role.as_str());
    for product in ["ocis", "opencloud"] {
        for (name, role) in [
            ("Admin", authn::role::ADMIN),
            ("SpaceAdmin", authn::role::SPACE_ADMIN),
            ("User", authn::role::USER),
            ("Guest", authn::role::GUEST),
        ] {
            assert_eq!(role_of(&format!("{product}{name}")), Some(role), "{product}{name}");
        }
    }
    assert_eq!(mapping.len(), 8);
}

const PARTNER: &str = r#"
issuers:
  - issuer: https://partner.example
    audience: [us]
    people: !own
      suffix: "@partner"
    auto_provision: {groups: teams}
    roles:
      claim: realm.roles
      mapping: [{claim_value: staff, role_name: guest}]
"#;

#[test]
fn further_issuers_stand_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("issuers.yaml");
    let with = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&file, text).expect("writes");
        let path = file.display().to_string();
        let all: Vec<_> = variables.iter().copied().chain([("AUTH_BEARER_OIDC_ISSUERS_FILE", path.as_str())]).collect();
        read(&all).expect("is read").issuers().map_err(|error| error.to_string())
    };
    let all = with(PARTNER, &[("OCIS_JWT_SECRET", ENOUGH)]).expect("go together");
    assert_eq!(all.len(), 2);
    assert!(matches!(&all[1].naming, Naming::Own { suffix } if suffix == "@partner"));
    assert_eq!(all[1].provisioning.as_ref().expect("makes people").groups.to_string(), "teams");

    let marked =
        with(&format!("\u{feff}{}", PARTNER.trim_start().replace("\n  ", "\n")), &[("OCIS_JWT_SECRET", ENOUGH)]);
    assert_eq!(marked.expect("a byte order mark is skipped").len(), 2);

    assert!(with(PARTNER, &[]).expect_err("is refused").contains("OCIS_JWT_SECRET"));
    let same = [("OCIS_JWT_SECRET", ENOUGH), ("OCIS_URL", "https://partner.example")];
    assert!(with(PARTNER, &same).expect_err("is refused").contains("twice"));
    let opaque = PARTNER.replace("    people:", "    access_token_verify_method: userinfo\n    people:");
    let opaque = opaque.replace("    people:", "    userinfo_any_client: true\n    people:");
    let two = [
        ("OCIS_JWT_SECRET", ENOUGH),
        ("PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD", "none"),
        ("AUTH_BEARER_OIDC_USERINFO_ANY_CLIENT", "true"),
    ];
    assert!(with(&opaque, &two).expect_err("is refused").contains("more than one"));
    for (from, to, named) in [
        ("    audience: [us]\n", "", "audience"),
        ("https://partner", "http://partner", "https://"),
        ("\"@partner\"", "\"\"", "suffix"),
        ("role_name: guest", "role_name: boss", "boss"),
        ("teams", "a..b", "auto_provision.groups"),
        ("audience: [us]", "audience: [us]\n    audiences: [x]", "audiences"),
        ("    people:", "    access_token_verify_method: introspection\n    people:", "client"),
    ] {
        let error = with(&PARTNER.replace(from, to), &same[..1]).expect_err(named);
        let is_placed = error.contains("AUTH_BEARER_OIDC_ISSUERS_FILE: ") && error.contains("issuers.yaml: ");
        assert!(is_placed && error.contains(named), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader_of_the_file(text in ".{0,200}", part in "[a-z_]{1,12}", value in ".{0,12}") {
        let _ = file::parse(&text, false);
        let _ = file::parse(&PARTNER.replace("audience", &part), false);
        let _ = file::parse(&PARTNER.replace("@partner", &value), false);
    }
}

#[test]
fn instance_needs_its_name_and_both_claims() {
    let complete = [
        ("OCIS_MULTI_INSTANCE_ENABLED", "true"),
        ("OCIS_MULTI_INSTANCE_INSTANCEID", "a"),
        ("OCIS_MULTI_INSTANCE_MEMBER_CLAIM", "owncloudMemberOf"),
        ("OCIS_MULTI_INSTANCE_GUEST_CLAIM", "instances.guest"),
    ];
    let instance = first(&complete).instance.expect("one of several");
    assert_eq!((instance.id.as_str(), instance.guest_claim.to_string().as_str()), ("a", "instances.guest"));
    assert!(first(&complete[1..]).instance.is_none(), "it is not enabled");
    for missing in 1..complete.len() {
        let rest: Vec<_> = complete.iter().filter(|pair| **pair != complete[missing]).copied().collect();
        let error = read(&rest).expect_err("is refused");
        assert!(error.contains(complete[missing].0), "{error}");
    }
}

#[test]
fn claim_of_tenants_needs_tenants_that_come_from_ldap() {
    let enabled = ("OCIS_MULTI_TENANT_ENABLED", "true");
    let (claim, external) =
        (("PROXY_TENANT_OIDC_CLAIM", r"org\.name.tenant"), ("PROXY_TENANT_ID_MAPPING_ENABLED", "true"));
    let secret = ("OCIS_JWT_SECRET", ENOUGH);
    assert!(first(&[]).tenant.is_none() && first(&[enabled]).tenant.is_none());
    let named = first(&[enabled, claim]).tenant.expect("a claim");
    assert_eq!((named.path.to_string().as_str(), named.is_external), (claim.1, false));
    assert!(first(&[enabled, claim, external, secret]).tenant.is_some_and(|tenant| tenant.is_external));
    for (wrong, name) in [
        (&[claim][..], "OCIS_MULTI_TENANT_ENABLED"),
        (&[enabled, external, secret][..], "PROXY_TENANT_OIDC_CLAIM"),
        (&[enabled, claim, external][..], "OCIS_JWT_SECRET"),
        (&[enabled, ("PROXY_TENANT_OIDC_CLAIM", "tenants[0]")][..], "PROXY_TENANT_OIDC_CLAIM"),
        (&[enabled, ("PROXY_TENANT_OIDC_CLAIM", "a||b")][..], "PROXY_TENANT_OIDC_CLAIM"),
        (&[enabled, ("PROXY_TENANT_OIDC_CLAIM", "a..b")][..], "PROXY_TENANT_OIDC_CLAIM"),
        (&[enabled, secret, ("PROXY_AUTOPROVISION_ACCOUNTS", "true")][..], "PROXY_AUTOPROVISION_ACCOUNTS"),
    ] {
        let error = read(wrong).expect_err("is refused");
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn issuers_of_the_file_keep_to_the_same_rules_about_tenants() {
    let file = |more: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("issuers.yaml");
        let issuer =
            "issuers:\n  - issuer: https://partner.example\n    audience: [us]\n    people: !own {suffix: \"@p\"}\n";
        std::fs::write(&path, format!("{issuer}{more}")).expect("writes");
        let config = |is_multi_tenant| {
            let auth_providers = AuthProviders { issuers_file: Some(path.clone()), ..AuthProviders::default() };
            let config = Config { auth_providers, multi_tenant_enabled: is_multi_tenant, ..Config::default() };
            config.issuers().map(|mut all| all.swap_remove(1).tenant).map_err(|error| error.to_string())
        };
        (config(true), config(false))
    };
    let (with_tenants, without) = file("    tenant_claim: org.tenant\n");
    assert!(with_tenants.expect("is read").is_some_and(|tenant| tenant.path.to_string() == "org.tenant"));
    assert!(without.expect_err("is refused").contains("OCIS_MULTI_TENANT_ENABLED"));
    assert!(file("    tenant_id_mapping: true\n").0.expect_err("is refused").contains("tenant_claim"));
    assert!(
        file("    tenant_claim: t\n    tenant_id_mapping: true\n")
            .0
            .expect_err("is refused")
            .contains("OCIS_JWT_SECRET")
    );
    assert!(file("    tenant_claim: t[0]\n").0.expect_err("is refused").contains("tenant_claim"));
    assert!(file("    auto_provision: {}\n").0.expect_err("is refused").contains("auto_provision"));
}
