use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The relation of an issuer (OpenID Connect Discovery 1.0, 2), the only one that is answered.
pub(crate) const ISSUER: &str = "http://openid.net/specs/connect/1.0/issuer";
/// The relations of the instances that a user has, which an OpenCloud and an oCIS name by default. They are not answered: every user has
/// this installation alone.
const INSTANCES: [&str; 2] =
    ["http://webfinger.opencloud/rel/server-instance", "http://webfinger.owncloud/rel/server-instance"];

/// `webfinger`: what programs learn from `/.well-known/webfinger`: the issuer, and for each platform the client and its scopes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Webfinger {
    /// The issuer in the answer, where users sign in at another OpenID Provider. If empty, the one of the layout opencloud.
    #[schemars(extend("x-env" = ["OCIS_OIDC_ISSUER", "WEBFINGER_OIDC_ISSUER"]))]
    pub oidc_issuer: String,
    /// The relations that are answered. There is one: `http://openid.net/specs/connect/1.0/issuer`. That of a user's instances
    /// (`http://webfinger.opencloud/rel/server-instance`) may be there, and is not answered.
    #[schemars(extend("x-env" = ["WEBFINGER_RELATIONS"], "default" = ["http://openid.net/specs/connect/1.0/issuer"]))]
    pub relations: Vec<String>,
    /// The client that the program for Android is. If empty, the built-in client `OpenCloudAndroid`, if it is loaded and the issuer
    /// is our own.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_ID", "WEBFINGER_ANDROID_OIDC_CLIENT_ID"]))]
    pub android_client_id: String,
    /// The scopes for which the program for Android asks. If empty, openid, profile, email and `offline_access`.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_SCOPES", "WEBFINGER_ANDROID_OIDC_CLIENT_SCOPES"]))]
    pub android_client_scopes: Vec<String>,
    /// The client that the desktop program is. If empty, the built-in client `OpenCloudDesktop`, if it is loaded and the issuer is
    /// our own.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_ID", "WEBFINGER_DESKTOP_OIDC_CLIENT_ID"]))]
    pub desktop_client_id: String,
    /// The scopes for which the desktop program asks. If empty, openid, profile, email and `offline_access`.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_SCOPES", "WEBFINGER_DESKTOP_OIDC_CLIENT_SCOPES"]))]
    pub desktop_client_scopes: Vec<String>,
    /// The client that the program for iOS is. If empty, the built-in client `OpenCloudIOS`, if it is loaded and the issuer is our
    /// own.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_ID", "WEBFINGER_IOS_OIDC_CLIENT_ID"]))]
    pub ios_client_id: String,
    /// The scopes for which the program for iOS asks. If empty, openid, profile, email and `offline_access`.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_SCOPES", "WEBFINGER_IOS_OIDC_CLIENT_SCOPES"]))]
    pub ios_client_scopes: Vec<String>,
    /// The client that the web program is. If empty, the built-in client `web`, if it is loaded and the issuer is our own.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_ID", "WEB_OIDC_CLIENT_ID", "WEBFINGER_WEB_OIDC_CLIENT_ID"]))]
    pub web_client_id: String,
    /// The scopes for which the web program asks. If empty, openid, profile and email.
    #[schemars(extend("x-env" = ["OCIS_OIDC_CLIENT_SCOPES", "WEB_OIDC_SCOPE", "WEBFINGER_WEB_OIDC_CLIENT_SCOPES"]))]
    pub web_client_scopes: Vec<String>,
}

config::impl_default!(Webfinger);

/// The client of a platform as it is configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlatformClient<'a> {
    /// The setting of the identifier.
    pub(crate) key: &'static str,
    /// The identifier; empty if none is configured.
    pub(crate) id: &'a str,
    scopes: &'a [String],
}

impl<'a> PlatformClient<'a> {
    /// The scopes, which may be separated by blanks too.
    pub(crate) fn scopes(self) -> impl Iterator<Item = &'a str> {
        self.scopes.iter().flat_map(|scopes| scopes.split_whitespace())
    }
}

impl Webfinger {
    /// The platforms by their names in requests, each with its client.
    pub(crate) fn platforms(&self) -> [(&'static str, PlatformClient<'_>); 4] {
        let client = |key, id, scopes| PlatformClient { key, id, scopes };
        [
            ("web", client("web_client_id", &self.web_client_id, &self.web_client_scopes)),
            ("desktop", client("desktop_client_id", &self.desktop_client_id, &self.desktop_client_scopes)),
            ("android", client("android_client_id", &self.android_client_id, &self.android_client_scopes)),
            ("ios", client("ios_client_id", &self.ios_client_id, &self.ios_client_scopes)),
        ]
    }
}

impl Section for Webfinger {
    fn validate(&self) -> Result<(), Invalid> {
        let is_url = ["https://", "http://"].iter().any(|scheme| self.oidc_issuer.starts_with(scheme));
        let is_issuer = is_url && !self.oidc_issuer.contains(|c: char| c.is_whitespace() || c.is_control());
        let problem = "must be the URL of an OpenID Provider, like https://login.example";
        Invalid::unless(self.oidc_issuer.is_empty() || is_issuer, "oidc_issuer", problem)?;
        let is_known = |relation: &str| relation == ISSUER || INSTANCES.contains(&relation);
        let are_known = self.relations.iter().all(|relation| is_known(relation));
        let problem = "must be http://openid.net/specs/connect/1.0/issuer: no other relation is answered";
        Invalid::unless(are_known, "relations", problem)?;
        for (_, client) in self.platforms() {
            let is_id = client.id.bytes().all(|byte| byte.is_ascii_graphic());
            Invalid::unless(is_id, client.key, "must be the identifier of a client, without blanks")?;
            let are_scopes = client.scopes().flat_map(str::bytes).all(is_of_scope);
            let key = format!("{}_scopes", client.key.trim_end_matches("_id"));
            Invalid::unless(are_scopes, &key, "must be a list of scopes (RFC 6749 3.3)")?;
        }
        Ok(())
    }
}

/// Whether a scope may have this byte (RFC 6749 3.3).
fn is_of_scope(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let valid = |change: fn(&mut Webfinger)| {
            let mut settings = Webfinger::default();
            change(&mut settings);
            settings.validate().is_ok()
        };
        assert!(valid(|_| ()));
        assert!(valid(|settings| "https://login.example/realms/x".clone_into(&mut settings.oidc_issuer)));
        assert!(!valid(|settings| "login.example".clone_into(&mut settings.oidc_issuer)));
        assert!(!valid(|settings| "https://login.example /".clone_into(&mut settings.oidc_issuer)));
        let with = |relations: &[&str]| {
            let relations = relations.iter().map(|relation| (*relation).to_owned()).collect();
            Webfinger { relations, ..Webfinger::default() }.validate().is_ok()
        };
        // as an OpenCloud and an oCIS have them
        assert!(with(&[ISSUER, "http://webfinger.opencloud/rel/server-instance"]));
        assert!(with(&[ISSUER, "http://webfinger.owncloud/rel/server-instance"]));
        assert!(!with(&[ISSUER, "http://webfinger.net/rel/avatar"]));
        assert!(valid(|settings| "f3c4:desktop".clone_into(&mut settings.desktop_client_id)));
        assert!(!valid(|settings| "a client".clone_into(&mut settings.ios_client_id)));
        assert!(valid(|settings| settings.web_client_scopes = vec!["openid profile".to_owned()]));
        assert!(!valid(|settings| settings.web_client_scopes = vec!["open\"id".to_owned()]));
    }
}
