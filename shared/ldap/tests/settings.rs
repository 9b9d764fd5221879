//! The settings by their names.

use config::{Environment, Identity, Section, load};
use ldap::Ldap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service with LDAP in use.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Config {
    ldap: Ldap,
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("ldap", &self.ldap)]
    }

    fn validate(&self) -> Result<(), config::Invalid> {
        self.ldap.validate_in_use("ldap")
    }
}

const AUTH_BASIC: Identity = Identity { name: "auth-basic", prefix: "AUTH_BASIC" };
const USERS: Identity = Identity { name: "users", prefix: "USERS" };

fn read(identity: Identity, variables: &[(&str, &str)]) -> Result<Ldap, String> {
    let mut environment = Environment::from([("OCIS_LDAP_BIND_PASSWORD", "a-password"), ("HOME", "/nowhere")]);
    for (name, value) in variables {
        environment = environment.with(*name, *value);
    }
    let loaded = load::<Config>(&identity, &environment).map_err(|error| error.to_string())?;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    Ok(loaded.config.ldap)
}

#[test]
fn the_services_own_name_wins() {
    let variables =
        [("OCIS_LDAP_URI", "ldap://one"), ("AUTH_BASIC_LDAP_URI", "ldap://two"), ("USERS_LDAP_URI", "ldap://three")];
    assert_eq!(read(AUTH_BASIC, &variables).expect("valid").uri, "ldap://two");
    assert_eq!(read(USERS, &variables).expect("valid").uri, "ldap://three");
    assert_eq!(read(USERS, &[("OC_LDAP_URI", "ldap://four")]).expect("valid").uri, "ldap://four");
}

#[test]
fn the_odd_names_of_auth_basic_work() {
    let config = read(
        AUTH_BASIC,
        &[
            ("AUTH_BASIC_IDP_URL", "https://idp.example.org"),
            ("OCIS_URL", "https://cloud.example.org"),
            ("AUTH_BASIC_DISABLE_USER_MECHANISM", "group"),
            ("AUTH_BASIC_DISABLED_USERS_GROUP_DN", "cn=gone,dc=example,dc=org"),
            ("LDAP_LOGIN_ATTRIBUTES", "uid, mail"),
            ("AUTH_BASIC_LDAP_USER_SCHEMA_ID", "objectGUID"),
            ("AUTH_BASIC_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING", "true"),
            ("AUTH_BASIC_LDAP_GROUP_SCHEMA_MEMBER", "memberUid"),
            ("AUTH_BASIC_LDAP_USER_ENABLED_ATTRIBUTE", "enabled"),
        ],
    )
    .expect("valid");
    assert_eq!(config.idp, "https://idp.example.org");
    assert_eq!(config.disable_user_mechanism, "group");
    assert_eq!(config.disabled_users_group_dn, "cn=gone,dc=example,dc=org");
    assert_eq!(config.login_attributes, ["uid", "mail"]);
    assert!(config.user_schema.id_is_octet_string);
    assert_eq!((config.user_schema.id.as_str(), config.group_schema.member.as_str()), ("objectGUID", "memberUid"));
    assert_eq!(config.user_schema.enabled, "enabled");
}

#[test]
fn invalid_setting_is_refused_with_its_name() {
    for (name, value) in [
        ("AUTH_BASIC_LDAP_URI", "https://example.org"),
        ("AUTH_BASIC_LDAP_USER_FILTER", "(uid=*"),
        ("AUTH_BASIC_LDAP_USER_SCOPE", "subtree"),
        ("AUTH_BASIC_LDAP_USER_SCHEMA_USERNAME", "uid=*)(cn"),
        ("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", "uid,(cn"),
        ("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", ""),
        ("AUTH_BASIC_DISABLE_USER_MECHANISM", "delete"),
        ("AUTH_BASIC_LDAP_BIND_PASSWORD", ""),
    ] {
        let problem = read(AUTH_BASIC, &[(name, value)]).expect_err(name);
        assert!(problem.contains(name), "{problem}");
    }
    read(AUTH_BASIC, &[("AUTH_BASIC_LDAP_BIND_PASSWORD", ""), ("AUTH_BASIC_LDAP_BIND_DN", "")])
        .expect("anonymous is possible");
}

#[test]
fn attribute_of_the_tenant_is_set_with_tenants_and_not_without() {
    let (enabled, attribute) = (("OCIS_MULTI_TENANT_ENABLED", "true"), ("OCIS_LDAP_USER_SCHEMA_TENANT_ID", "tenant"));
    assert_eq!(read(USERS, &[enabled, attribute]).expect("valid").user_schema.tenant_id, "tenant");
    assert_eq!(read(USERS, &[]).expect("valid").user_schema.tenant_id, "");
    for one in [enabled, attribute] {
        let problem = read(USERS, &[one]).expect_err("one without the other");
        assert!(problem.contains("OCIS_LDAP_USER_SCHEMA_TENANT_ID"), "{problem}");
    }
}
