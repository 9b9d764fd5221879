//! The settings, with the names that operators of oCIS and its forks know.

use std::path::PathBuf;

use config::{Invalid, Secret, Section};
use ldap3::{Scope, parse_filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attribute::is_name;
use crate::filter::configured;
use crate::profile::ProfileSchema;

/// How to reach an LDAP server, and how people and groups are kept there.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Ldap {
    /// The LDAP server: `ldaps://host:port`, `ldap://host:port` or `ldapi://socket`.
    #[schemars(extend("x-env" = ["OCIS_LDAP_URI", "<P>_LDAP_URI"], "default" = "ldaps://localhost:9235"))]
    #[schemars(extend("x-required" = "name the LDAP server"))]
    pub uri: String,
    /// The file (PEM) of the authority that signed the server's certificate. If unset, idm/ldap.crt in the data folder
    /// where that file exists, else the system's authorities. It is read again when it changes.
    #[schemars(extend("x-env" = ["OCIS_LDAP_CACERT", "<P>_LDAP_CACERT"]))]
    pub ca_cert: Option<PathBuf>,
    /// Accept any certificate of the LDAP server. Not for production.
    #[schemars(extend("x-env" = ["OCIS_LDAP_INSECURE", "<P>_LDAP_INSECURE"]))]
    pub insecure: bool,
    /// Encrypt an ldap:// connection with `StartTLS` before any other request.
    #[schemars(extend("x-env" = ["OCIS_LDAP_START_TLS", "<P>_LDAP_START_TLS"]))]
    pub start_tls: bool,
    /// The DN that the service binds as to search. Anonymous if empty.
    #[schemars(extend("x-env" = ["OCIS_LDAP_BIND_DN", "<P>_LDAP_BIND_DN"]))]
    #[schemars(extend("default" = "uid=reva,ou=sysusers,o=libregraph-idm"))]
    pub bind_dn: String,
    /// The password of `bind_dn`.
    #[schemars(extend("x-env" = ["OCIS_LDAP_BIND_PASSWORD", "<P>_LDAP_BIND_PASSWORD"]))]
    pub bind_password: Secret,
    /// The base DN of users.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_BASE_DN", "<P>_LDAP_USER_BASE_DN"]))]
    #[schemars(extend("default" = "ou=users,o=libregraph-idm"))]
    pub user_base_dn: String,
    /// The base DN of groups.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_BASE_DN", "<P>_LDAP_GROUP_BASE_DN"]))]
    #[schemars(extend("default" = "ou=groups,o=libregraph-idm"))]
    pub group_base_dn: String,
    /// The search scope for users: base, one or sub.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCOPE", "<P>_LDAP_USER_SCOPE"], "default" = "sub", "enum" = SCOPES))]
    pub user_scope: String,
    /// The search scope for groups: base, one or sub.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCOPE", "<P>_LDAP_GROUP_SCOPE"], "default" = "sub", "enum" = SCOPES))]
    pub group_scope: String,
    /// A filter that users must match in addition to their object class, like (objectclass=ownCloud).
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_FILTER", "<P>_LDAP_USER_FILTER"]))]
    pub user_filter: String,
    /// A filter that groups must match in addition to their object class.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_FILTER", "<P>_LDAP_GROUP_FILTER"]))]
    pub group_filter: String,
    /// The object class of users.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_OBJECTCLASS", "<P>_LDAP_USER_OBJECTCLASS"]))]
    #[schemars(extend("default" = "inetOrgPerson"))]
    pub user_object_class: String,
    /// The object class of groups.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_OBJECTCLASS", "<P>_LDAP_GROUP_OBJECTCLASS"]))]
    #[schemars(extend("default" = "groupOfNames"))]
    pub group_object_class: String,
    /// The attributes whose values users may sign in with.
    #[schemars(extend("x-env" = ["LDAP_LOGIN_ATTRIBUTES", "<P>_LDAP_LOGIN_ATTRIBUTES"], "default" = ["uid"]))]
    pub login_attributes: Vec<String>,
    /// The identity provider that is written into the identifiers of users.
    #[schemars(extend("x-env" = ["OCIS_URL", "OCIS_OIDC_ISSUER", "<P>_IDP_URL"], "default" = "https://localhost:9200"))]
    pub idp: String,
    /// What the identity provider was before, if it has changed: users are also found by identifiers with one of these,
    /// which other services may have stored.
    #[schemars(extend("x-env" = ["OCIS_URL_PREVIOUS", "<P>_IDP_URL_PREVIOUS"]))]
    pub idp_previous: Vec<String>,
    /// How a disabled user is recognised: attribute (`user_schema.user_enabled` is FALSE), group (a member of
    /// `ldap_disabled_users_group_dn`) or none.
    #[schemars(extend(
        "x-env" = ["OCIS_LDAP_DISABLE_USER_MECHANISM", "<P>_LDAP_DISABLE_USER_MECHANISM", "<P>_DISABLE_USER_MECHANISM"],
        "default" = "attribute",
        "enum" = ["none", "attribute", "group"],
    ))]
    pub disable_user_mechanism: String,
    /// The DN of the group of disabled users, for the mechanism group.
    #[serde(rename = "ldap_disabled_users_group_dn")]
    #[schemars(extend(
        "x-env" = ["OCIS_LDAP_DISABLED_USERS_GROUP_DN", "<P>_LDAP_DISABLED_USERS_GROUP_DN", "<P>_DISABLED_USERS_GROUP_DN"],
        "default" = "cn=DisabledUsersGroup,ou=groups,o=libregraph-idm",
    ))]
    pub disabled_users_group_dn: String,
    /// Whether this is one of several instances with common users.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_ENABLED"]))]
    pub multi_instance_enabled: bool,
    /// The value of the attribute of members (`user_schema.member`) or guests (`user_schema.guest`) that makes users belong to every
    /// instance: they are found whatever the filter of users says, which has to be set then.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_MASTER_ID"]))]
    pub multi_instance_master_id: String,
    /// Whether every user belongs to a tenant, which `user_schema.tenant_id` names.
    #[schemars(extend("x-env" = ["OCIS_MULTI_TENANT_ENABLED"]))]
    pub multi_tenant_enabled: bool,
    /// The attributes of people.
    pub user_schema: UserSchema,
    /// The attributes of users that their profiles are made of.
    pub profile_schema: ProfileSchema,
    /// The attributes of groups.
    pub group_schema: GroupSchema,
}

config::impl_default!(Ldap);

/// `user_schema`: which attribute of a person holds what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UserSchema {
    /// The attribute with a user's identifier, which never changes and is never reused.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_ID", "<P>_LDAP_USER_SCHEMA_ID"], "default" = "ownclouduuid"))]
    pub id: String,
    /// Whether the identifier is a UUID in sixteen bytes. objectGUID is read in Active Directory's byte order, any
    /// other attribute in the network's.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING", "<P>_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING"]))]
    pub id_is_octet_string: bool,
    /// The attribute with a user's mail address.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_MAIL", "<P>_LDAP_USER_SCHEMA_MAIL"], "default" = "mail"))]
    pub mail: String,
    /// The attribute with the name to show.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_DISPLAYNAME", "<P>_LDAP_USER_SCHEMA_DISPLAYNAME"]))]
    #[schemars(extend("default" = "displayname"))]
    pub display_name: String,
    /// The attribute with the login name.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_USERNAME", "<P>_LDAP_USER_SCHEMA_USERNAME"]))]
    #[schemars(extend("default" = "uid"))]
    pub user_name: String,
    /// The attribute that is FALSE for a disabled user, for the mechanism attribute.
    #[serde(rename = "user_enabled")]
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_ENABLED_ATTRIBUTE", "<P>_LDAP_USER_ENABLED_ATTRIBUTE"]))]
    #[schemars(extend("default" = "ownCloudUserEnabled"))]
    pub enabled: String,
    /// The attribute that is Guest for a guest. If empty, all users are members.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_USER_TYPE", "<P>_LDAP_USER_TYPE_ATTRIBUTE"]))]
    #[schemars(extend("default" = "ownCloudUserType"))]
    pub user_type: String,
    /// The attribute that names the instances of which a user is a member, where several have common users.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_MEMBER_ATTRIBUTE", "<P>_LDAP_USER_MEMBER_ATTRIBUTE"]))]
    pub member: String,
    /// The attribute that names the instances of which a user is a guest.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_GUEST_ATTRIBUTE", "<P>_LDAP_USER_GUEST_ATTRIBUTE"]))]
    pub guest: String,
    /// The attribute with the identifier of a user's tenant. It is set where every user belongs to a tenant, and nowhere else.
    #[schemars(extend("x-env" = ["OCIS_LDAP_USER_SCHEMA_TENANT_ID", "<P>_LDAP_USER_SCHEMA_TENANT_ID"]))]
    pub tenant_id: String,
}

/// `group_schema`: which attribute of a group holds what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GroupSchema {
    /// The attribute with a group's identifier.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_ID", "<P>_LDAP_GROUP_SCHEMA_ID"], "default" = "ownclouduuid"))]
    pub id: String,
    /// Whether the identifier is a UUID in sixteen bytes; see the setting for users.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_ID_IS_OCTETSTRING", "<P>_LDAP_GROUP_SCHEMA_ID_IS_OCTETSTRING"]))]
    pub id_is_octet_string: bool,
    /// The attribute with a group's mail address. Not used.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_MAIL", "<P>_LDAP_GROUP_SCHEMA_MAIL"], "default" = "mail"))]
    pub mail: String,
    /// The attribute with a group's name to show. Not used.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_DISPLAYNAME", "<P>_LDAP_GROUP_SCHEMA_DISPLAYNAME"]))]
    #[schemars(extend("default" = "cn"))]
    pub display_name: String,
    /// The attribute with a group's name, which commands show.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_GROUPNAME", "<P>_LDAP_GROUP_SCHEMA_GROUPNAME"]))]
    #[schemars(extend("default" = "cn"))]
    pub group_name: String,
    /// The attribute with a group's members: their DNs, or their login names where it is memberUid.
    #[schemars(extend("x-env" = ["OCIS_LDAP_GROUP_SCHEMA_MEMBER", "<P>_LDAP_GROUP_SCHEMA_MEMBER"]))]
    #[schemars(extend("default" = "member"))]
    pub member: String,
}

impl Ldap {
    /// What is demanded only where LDAP is really used. `at` is the path of this section within the configuration.
    pub fn validate_in_use(&self, at: &str) -> Result<(), Invalid> {
        let can_bind = self.bind_dn.is_empty() || !self.bind_password.is_empty();
        let problem = "is not set; LDAP is in use and needs the password of the service's DN";
        Invalid::unless(can_bind, &format!("{at}.bind_password"), problem)?;
        // without a filter every user is found, of whichever instance
        let has_master = self.multi_instance_enabled && !self.multi_instance_master_id.is_empty();
        let is_filtered = !has_master || configured(&self.user_filter).is_some();
        let problem = "is not set; with OCIS_MULTI_INSTANCE_MASTER_ID it has to find the users of this instance";
        Invalid::unless(is_filtered, &format!("{at}.user_filter"), problem)?;
        let problem = match (self.multi_tenant_enabled, self.user_schema.tenant_id.is_empty()) {
            (true, true) => "is not set; OCIS_MULTI_TENANT_ENABLED needs the attribute with a user's tenant",
            (false, false) => {
                "is set, but OCIS_MULTI_TENANT_ENABLED is not: users of all tenants would find each other"
            }
            _ => return Ok(()),
        };
        Err(Invalid::new(format!("{at}.user_schema.tenant_id"), problem))
    }
}

pub(crate) const SCOPES: [&str; 3] = ["base", "one", "sub"];

/// The scope with this name, which [`SCOPES`] has.
pub(crate) fn scope(name: &str) -> Scope {
    match name {
        "base" => Scope::Base,
        "one" => Scope::OneLevel,
        _ => Scope::Subtree,
    }
}

impl Section for Ldap {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("user_schema", &self.user_schema),
            ("profile_schema", &self.profile_schema),
            ("group_schema", &self.group_schema),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        let is_ldap = ["ldap://", "ldaps://", "ldapi://"].iter().any(|scheme| self.uri.starts_with(scheme));
        Invalid::unless(is_ldap, "uri", "must start with ldaps://, ldap:// or ldapi://")?;
        for (key, text) in [("user_filter", &self.user_filter), ("group_filter", &self.group_filter)] {
            let is_filter = configured(text).is_none_or(|filter| parse_filter(filter).is_ok());
            Invalid::unless(is_filter, key, "must be an LDAP filter, like (objectclass=ownCloud)")?;
        }
        Invalid::unless(!self.login_attributes.is_empty(), "login_attributes", "must name at least one attribute")?;
        names(&self.login_attributes.iter().map(|name| ("login_attributes", name)).collect::<Vec<_>>())?;
        names(&[("user_object_class", &self.user_object_class), ("group_object_class", &self.group_object_class)])
    }
}

impl Section for UserSchema {
    fn validate(&self) -> Result<(), Invalid> {
        names(&[
            ("id", &self.id),
            ("mail", &self.mail),
            ("display_name", &self.display_name),
            ("user_name", &self.user_name),
            ("user_enabled", &self.enabled),
        ])?;
        let optional = [
            ("user_type", &self.user_type),
            ("member", &self.member),
            ("guest", &self.guest),
            ("tenant_id", &self.tenant_id),
        ];
        optional.iter().filter(|(_, name)| !name.is_empty()).try_for_each(|setting| names(&[*setting]))
    }
}

impl Section for GroupSchema {
    fn validate(&self) -> Result<(), Invalid> {
        names(&[("id", &self.id), ("group_name", &self.group_name), ("member", &self.member)])
    }
}

/// These settings become part of filters, so they must be names and nothing else.
pub(crate) fn names(settings: &[(&str, &String)]) -> Result<(), Invalid> {
    let problem = "must be the name of an LDAP attribute or object class";
    settings.iter().try_for_each(|(key, name)| Invalid::unless(is_name(name), key, problem))
}
