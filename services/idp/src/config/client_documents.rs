use authn::grant::is_api_scope;
use config::{Invalid, Section};
use oidc::scope::Scopes;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Clients that are described by the document at their `client_id`, and the resources that every client may name. In YAML they are
/// not a section of their own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClientDocuments {
    /// Whether a client need not be registered if its `client_id` is an https URL at which a document describes it (client ID
    /// metadata document).
    #[serde(rename = "client_id_metadata_documents")]
    #[schemars(extend("x-env" = ["<P>_CLIENT_ID_METADATA_DOCUMENTS"]))]
    pub enabled: bool,
    /// The hosts of such clients. If empty, any.
    #[serde(rename = "client_id_metadata_hosts")]
    #[schemars(extend("x-env" = ["<P>_CLIENT_ID_METADATA_HOSTS"]))]
    pub hosts: Vec<String>,
    /// The scopes of the API that users can grant to such clients, like `path:/notes:rw`. Without any, these clients can sign users
    /// in, and their access tokens reach nothing behind the edge.
    #[serde(rename = "client_id_metadata_scopes")]
    #[schemars(extend("x-env" = ["<P>_CLIENT_ID_METADATA_SCOPES"]))]
    pub scopes: Vec<String>,
    /// The resources for which every client may ask for tokens: URLs, with what is below them. If empty, the URL of the edge.
    #[serde(rename = "protected_resources")]
    #[schemars(extend("x-env" = ["<P>_PROTECTED_RESOURCES"]))]
    pub resources: Vec<String>,
}

config::impl_default!(ClientDocuments);

impl Section for ClientDocuments {
    fn validate(&self) -> Result<(), Invalid> {
        let are_scopes = Scopes::of(self.scopes.iter().map(String::as_str)).is_ok();
        let are_of_api = are_scopes && self.scopes.iter().all(|scope| is_api_scope(scope));
        Invalid::unless(are_of_api, "client_id_metadata_scopes", "must be scopes of the API, like path:/notes:rw")?;
        let is_resource = |uri: &String| {
            Url::parse(uri).is_ok_and(|url| url.has_host() && url.query().is_none() && url.fragment().is_none())
        };
        let are_resources = self.resources.iter().all(is_resource);
        Invalid::unless(are_resources, "protected_resources", "must be URLs without a query or fragment")
    }
}

impl ClientDocuments {
    /// Whether every client may ask for tokens for a resource: one of the setting, or one below it. `site` is the URL of the edge.
    pub(crate) fn offers(&self, resource: &str, site: &str) -> bool {
        let is_below = |own: &str| {
            let rest = resource.strip_prefix(own.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.resources.is_empty() { is_below(site) } else { self.resources.iter().any(|own| is_below(own)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_those_of_the_setting_and_what_is_below_them() {
        let of = |resources: &[&str]| {
            let resources = resources.iter().map(|uri| (*uri).to_owned()).collect();
            ClientDocuments { resources, ..ClientDocuments::default() }
        };
        let site = "https://cloud.example";
        for (resources, resource, is_offered) in [
            (&[][..], "https://cloud.example", true),
            (&[], "https://cloud.example/", true),
            (&[], "https://cloud.example/notes", true),
            (&[], "https://cloud.example.evil/notes", false),
            (&[], "https://cloud.example:8443/notes", false),
            (&["https://mcp.example/v1/"], "https://mcp.example/v1", true),
            (&["https://mcp.example/v1/"], "https://mcp.example/v1/notes", true),
            (&["https://mcp.example/v1/"], "https://mcp.example/v10", false),
            (&["https://mcp.example/v1/"], "https://cloud.example", false),
        ] {
            assert_eq!(of(resources).offers(resource, site), is_offered, "{resources:?} {resource}");
            assert!(of(resources).validate().is_ok());
        }
        for bad in ["cloud.example", "/notes", "https://cloud.example/?a", "https://cloud.example/#a", "urn:notes"] {
            assert!(of(&[bad]).validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_those_of_the_api() {
        let with = |scope: &str| ClientDocuments { scopes: vec![scope.to_owned()], ..ClientDocuments::default() };
        assert!(with("path:/notes:rw").validate().is_ok());
        for bad in ["openid", "path:/a b:rw", ""] {
            assert!(with(bad).validate().is_err(), "{bad:?}");
        }
    }
}
