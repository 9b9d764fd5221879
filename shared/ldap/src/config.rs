//! The settings, with the names that operators of oCIS and its forks know.

use std::path::PathBuf;

use ldap3::{Scope, parse_filter};
use runtime::config::{Invalid, Secret, Section, Visitor};

use crate::attribute::is_name;
use crate::filter::configured;

/// How to reach an LDAP server, and how people and groups are kept there.
#[derive(Clone, Debug)]
pub struct Ldap {
    /// `ldaps://`, `ldap://` or `ldapi://`.
    pub uri: String,
    /// The file of the authority that signed the server's certificate.
    pub ca_cert: Option<PathBuf>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// Whether a plain connection is turned into an encrypted one (RFC 4511, 4.14).
    pub start_tls: bool,
    /// Whom the service binds as; empty is anonymous.
    pub bind_dn: String,
    /// The service's password.
    pub bind_password: Secret,
    /// Below which people are.
    pub user_base_dn: String,
    /// Below which groups are.
    pub group_base_dn: String,
    /// How deep people are looked for: `base`, `one` or `sub`.
    pub user_scope: String,
    /// How deep groups are looked for.
    pub group_scope: String,
    /// What must hold of people beside their class.
    pub user_filter: String,
    /// What must hold of groups beside their class.
    pub group_filter: String,
    /// The class of people.
    pub user_object_class: String,
    /// The class of groups.
    pub group_object_class: String,
    /// The attributes that a login may be the value of.
    pub login_attributes: Vec<String>,
    /// The `idp` of people's identifiers.
    pub idp: String,
    /// What that was before.
    pub idp_previous: Vec<String>,
    /// How a disabled person is told: `none`, `attribute` or `group`.
    pub disable_user_mechanism: String,
    /// The group of disabled people, for the mechanism `group`.
    pub disabled_users_group_dn: String,
    /// The attributes of people.
    pub user_schema: UserSchema,
    /// The attributes of groups.
    pub group_schema: GroupSchema,
}

impl Default for Ldap {
    fn default() -> Self {
        Self {
            uri: "ldaps://localhost:9235".into(),
            ca_cert: None,
            insecure: false,
            start_tls: false,
            bind_dn: "uid=reva,ou=sysusers,o=libregraph-idm".into(),
            bind_password: Secret::default(),
            user_base_dn: "ou=users,o=libregraph-idm".into(),
            group_base_dn: "ou=groups,o=libregraph-idm".into(),
            user_scope: "sub".into(),
            group_scope: "sub".into(),
            user_filter: String::new(),
            group_filter: String::new(),
            user_object_class: "inetOrgPerson".into(),
            group_object_class: "groupOfNames".into(),
            login_attributes: vec!["uid".into()],
            idp: "https://localhost:9200".into(),
            idp_previous: Vec::new(),
            disable_user_mechanism: "attribute".into(),
            disabled_users_group_dn: "cn=DisabledUsersGroup,ou=groups,o=libregraph-idm".into(),
            user_schema: UserSchema::default(),
            group_schema: GroupSchema::default(),
        }
    }
}

/// `user_schema`: which attribute of a person holds what.
#[derive(Clone, Debug)]
pub struct UserSchema {
    /// The identifier.
    pub id: String,
    /// Whether the identifier is sixteen bytes.
    pub id_is_octet_string: bool,
    /// The mail address.
    pub mail: String,
    /// The name to show.
    pub display_name: String,
    /// The login name.
    pub user_name: String,
    /// Whether the person is enabled, for the mechanism `attribute`.
    pub enabled: String,
    /// Whether the person is a guest; may be empty.
    pub user_type: String,
}

impl Default for UserSchema {
    fn default() -> Self {
        Self {
            id: "ownclouduuid".into(),
            id_is_octet_string: false,
            mail: "mail".into(),
            display_name: "displayname".into(),
            user_name: "uid".into(),
            enabled: "ownCloudUserEnabled".into(),
            user_type: "ownCloudUserType".into(),
        }
    }
}

/// `group_schema`: which attribute of a group holds what.
#[derive(Clone, Debug)]
pub struct GroupSchema {
    /// The identifier.
    pub id: String,
    /// Whether the identifier is sixteen bytes.
    pub id_is_octet_string: bool,
    /// The mail address. Nothing here asks for it; the setting is known so that nobody is warned of it.
    pub mail: String,
    /// The name to show; see [`mail`](Self::mail).
    pub display_name: String,
    /// The group's name; see [`mail`](Self::mail).
    pub group_name: String,
    /// The members: DNs, or login names where this is `memberUid` (RFC 2307).
    pub member: String,
}

impl Default for GroupSchema {
    fn default() -> Self {
        Self {
            id: "ownclouduuid".into(),
            id_is_octet_string: false,
            mail: "mail".into(),
            display_name: "cn".into(),
            group_name: "cn".into(),
            member: "member".into(),
        }
    }
}

impl Ldap {
    /// What is demanded only where LDAP is really used. `at` is the path of this section within the configuration.
    pub fn validate_in_use(&self, at: &str) -> Result<(), Invalid> {
        if !self.bind_dn.is_empty() && self.bind_password.is_empty() {
            let problem = "is not set; LDAP is in use and needs the password of the service's DN";
            return Err(Invalid::new(format!("{at}.bind_password"), problem));
        }
        Ok(())
    }

    fn visit_server(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "uri",
            &mut self.uri,
            &["OCIS_LDAP_URI", "<P>_LDAP_URI"],
            "The LDAP server: ldaps://host:port, ldap://host:port or ldapi://socket.",
        )
        .required("name the LDAP server");
        v.value(
            "ca_cert",
            &mut self.ca_cert,
            &["OCIS_LDAP_CACERT", "<P>_LDAP_CACERT"],
            "The file (PEM) of the authority that signed the server's certificate. If unset, idm/ldap.crt in the data folder where that file exists, else the system's authorities.",
        );
        v.value(
            "insecure",
            &mut self.insecure,
            &["OCIS_LDAP_INSECURE", "<P>_LDAP_INSECURE"],
            "Accept any certificate of the LDAP server. Not for production.",
        );
        v.value(
            "start_tls",
            &mut self.start_tls,
            &["OCIS_LDAP_START_TLS", "<P>_LDAP_START_TLS"],
            "Encrypt an ldap:// connection with StartTLS before anything else is said.",
        );
        v.value(
            "bind_dn",
            &mut self.bind_dn,
            &["OCIS_LDAP_BIND_DN", "<P>_LDAP_BIND_DN"],
            "The DN that the service binds as to search. Anonymous if empty.",
        );
        v.secret(
            "bind_password",
            &mut self.bind_password,
            &["OCIS_LDAP_BIND_PASSWORD", "<P>_LDAP_BIND_PASSWORD"],
            "The password of bind_dn.",
        );
    }

    fn visit_places(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "user_base_dn",
            &mut self.user_base_dn,
            &["OCIS_LDAP_USER_BASE_DN", "<P>_LDAP_USER_BASE_DN"],
            "The DN below which people are.",
        );
        v.value(
            "group_base_dn",
            &mut self.group_base_dn,
            &["OCIS_LDAP_GROUP_BASE_DN", "<P>_LDAP_GROUP_BASE_DN"],
            "The DN below which groups are.",
        );
        v.value(
            "user_scope",
            &mut self.user_scope,
            &["OCIS_LDAP_USER_SCOPE", "<P>_LDAP_USER_SCOPE"],
            "How deep people are looked for: base, one or sub.",
        )
        .one_of(&SCOPES);
        v.value(
            "group_scope",
            &mut self.group_scope,
            &["OCIS_LDAP_GROUP_SCOPE", "<P>_LDAP_GROUP_SCOPE"],
            "How deep groups are looked for: base, one or sub.",
        )
        .one_of(&SCOPES);
        v.value(
            "user_filter",
            &mut self.user_filter,
            &["OCIS_LDAP_USER_FILTER", "<P>_LDAP_USER_FILTER"],
            "A filter that people must fit beside their object class, like (objectclass=ownCloud).",
        );
        v.value(
            "group_filter",
            &mut self.group_filter,
            &["OCIS_LDAP_GROUP_FILTER", "<P>_LDAP_GROUP_FILTER"],
            "A filter that groups must fit beside their object class.",
        );
        v.value(
            "user_object_class",
            &mut self.user_object_class,
            &["OCIS_LDAP_USER_OBJECTCLASS", "<P>_LDAP_USER_OBJECTCLASS"],
            "The object class of people.",
        );
        v.value(
            "group_object_class",
            &mut self.group_object_class,
            &["OCIS_LDAP_GROUP_OBJECTCLASS", "<P>_LDAP_GROUP_OBJECTCLASS"],
            "The object class of groups.",
        );
    }

    fn visit_people(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "login_attributes",
            &mut self.login_attributes,
            &["LDAP_LOGIN_ATTRIBUTES", "<P>_LDAP_LOGIN_ATTRIBUTES"],
            "The attributes of people whose value they may sign in with.",
        );
        v.value(
            "idp",
            &mut self.idp,
            &["OCIS_URL", "OCIS_OIDC_ISSUER", "<P>_IDP_URL"],
            "The identity provider that is written into the identifiers of people.",
        );
        v.value(
            "idp_previous",
            &mut self.idp_previous,
            &["OCIS_URL_PREVIOUS", "<P>_IDP_URL_PREVIOUS"],
            "What the identity provider was before, if it has changed: users are also found by identifiers with one of these, which other services may have stored.",
        );
        v.value(
            "disable_user_mechanism",
            &mut self.disable_user_mechanism,
            &["OCIS_LDAP_DISABLE_USER_MECHANISM", "<P>_LDAP_DISABLE_USER_MECHANISM", "<P>_DISABLE_USER_MECHANISM"],
            "How a disabled person is told: attribute (user_schema.enabled is FALSE), group (a member of disabled_users_group_dn) or none.",
        )
        .one_of(&["none", "attribute", "group"]);
        v.value(
            "ldap_disabled_users_group_dn",
            &mut self.disabled_users_group_dn,
            &["OCIS_LDAP_DISABLED_USERS_GROUP_DN", "<P>_LDAP_DISABLED_USERS_GROUP_DN", "<P>_DISABLED_USERS_GROUP_DN"],
            "The DN of the group of disabled people, for the mechanism group.",
        );
    }
}

const SCOPES: [&str; 3] = ["base", "one", "sub"];

/// The scope with this name, which [`SCOPES`] has.
pub(crate) fn scope(name: &str) -> Scope {
    match name {
        "base" => Scope::Base,
        "one" => Scope::OneLevel,
        _ => Scope::Subtree,
    }
}

impl Section for Ldap {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        self.visit_server(v);
        self.visit_places(v);
        self.visit_people(v);
        v.section("user_schema", &mut self.user_schema);
        v.section("group_schema", &mut self.group_schema);
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !["ldap://", "ldaps://", "ldapi://"].iter().any(|scheme| self.uri.starts_with(scheme)) {
            return Err(Invalid::new("uri", "must start with ldaps://, ldap:// or ldapi://"));
        }
        for (key, text) in [("user_filter", &self.user_filter), ("group_filter", &self.group_filter)] {
            if configured(text).is_some_and(|filter| parse_filter(filter).is_err()) {
                return Err(Invalid::new(key, "must be an LDAP filter, like (objectclass=ownCloud)"));
            }
        }
        if self.login_attributes.is_empty() {
            return Err(Invalid::new("login_attributes", "must name at least one attribute"));
        }
        names(&self.login_attributes.iter().map(|name| ("login_attributes", name)).collect::<Vec<_>>())?;
        names(&[("user_object_class", &self.user_object_class), ("group_object_class", &self.group_object_class)])
    }
}

impl Section for UserSchema {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "id",
            &mut self.id,
            &["OCIS_LDAP_USER_SCHEMA_ID", "<P>_LDAP_USER_SCHEMA_ID"],
            "The attribute with a person's identifier, which is never changed nor given to another.",
        );
        v.value(
            "id_is_octet_string",
            &mut self.id_is_octet_string,
            &["OCIS_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING", "<P>_LDAP_USER_SCHEMA_ID_IS_OCTETSTRING"],
            "Whether the identifier is a UUID in sixteen bytes. objectGUID is read in Active Directory's byte order, any other attribute in the network's.",
        );
        v.value(
            "mail",
            &mut self.mail,
            &["OCIS_LDAP_USER_SCHEMA_MAIL", "<P>_LDAP_USER_SCHEMA_MAIL"],
            "The attribute with a person's mail address.",
        );
        v.value(
            "display_name",
            &mut self.display_name,
            &["OCIS_LDAP_USER_SCHEMA_DISPLAYNAME", "<P>_LDAP_USER_SCHEMA_DISPLAYNAME"],
            "The attribute with the name to show.",
        );
        v.value(
            "user_name",
            &mut self.user_name,
            &["OCIS_LDAP_USER_SCHEMA_USERNAME", "<P>_LDAP_USER_SCHEMA_USERNAME"],
            "The attribute with the login name.",
        );
        v.value(
            "user_enabled",
            &mut self.enabled,
            &["OCIS_LDAP_USER_ENABLED_ATTRIBUTE", "<P>_LDAP_USER_ENABLED_ATTRIBUTE"],
            "The attribute that is FALSE for a disabled person, for the mechanism attribute.",
        );
        v.value(
            "user_type",
            &mut self.user_type,
            &["OCIS_LDAP_USER_SCHEMA_USER_TYPE", "<P>_LDAP_USER_TYPE_ATTRIBUTE"],
            "The attribute that is Guest for a guest. Everybody is a member if it is empty.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        names(&[
            ("id", &self.id),
            ("mail", &self.mail),
            ("display_name", &self.display_name),
            ("user_name", &self.user_name),
            ("user_enabled", &self.enabled),
        ])?;
        if self.user_type.is_empty() { Ok(()) } else { names(&[("user_type", &self.user_type)]) }
    }
}

impl Section for GroupSchema {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "id",
            &mut self.id,
            &["OCIS_LDAP_GROUP_SCHEMA_ID", "<P>_LDAP_GROUP_SCHEMA_ID"],
            "The attribute with a group's identifier.",
        );
        v.value(
            "id_is_octet_string",
            &mut self.id_is_octet_string,
            &["OCIS_LDAP_GROUP_SCHEMA_ID_IS_OCTETSTRING", "<P>_LDAP_GROUP_SCHEMA_ID_IS_OCTETSTRING"],
            "Whether the identifier is a UUID in sixteen bytes; see the setting for people.",
        );
        v.value(
            "mail",
            &mut self.mail,
            &["OCIS_LDAP_GROUP_SCHEMA_MAIL", "<P>_LDAP_GROUP_SCHEMA_MAIL"],
            "The attribute with a group's mail address. Not used.",
        );
        v.value(
            "display_name",
            &mut self.display_name,
            &["OCIS_LDAP_GROUP_SCHEMA_DISPLAYNAME", "<P>_LDAP_GROUP_SCHEMA_DISPLAYNAME"],
            "The attribute with a group's name to show. Not used.",
        );
        v.value(
            "group_name",
            &mut self.group_name,
            &["OCIS_LDAP_GROUP_SCHEMA_GROUPNAME", "<P>_LDAP_GROUP_SCHEMA_GROUPNAME"],
            "The attribute with a group's name, which commands show.",
        );
        v.value(
            "member",
            &mut self.member,
            &["OCIS_LDAP_GROUP_SCHEMA_MEMBER", "<P>_LDAP_GROUP_SCHEMA_MEMBER"],
            "The attribute with a group's members: their DNs, or their login names where it is memberUid.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        names(&[("id", &self.id), ("group_name", &self.group_name), ("member", &self.member)])
    }
}

/// These settings become part of filters, so they must be names and nothing else.
fn names(settings: &[(&str, &String)]) -> Result<(), Invalid> {
    match settings.iter().find(|(_, name)| !is_name(name)) {
        Some((key, _)) => Err(Invalid::new(*key, "must be the name of an LDAP attribute or object class")),
        None => Ok(()),
    }
}
