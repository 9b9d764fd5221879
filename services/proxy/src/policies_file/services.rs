//! Where the services are that routes name.

use crate::config::Backends;
use crate::routes::Backend;

/// What the names of services begin with.
const PREFIXES: [&str; 2] = ["com.owncloud.", "eu.opencloud."];

/// The services of an oCIS or OpenCloud by the last part of their names, and the ports where they listen unless it is configured.
const PORTS: [(&str, u16); 15] = [
    ("web", 9100),
    ("ocs", 9110),
    ("webdav", 9115),
    ("graph", 9120),
    ("sse", 9135),
    ("frontend", 9140),
    ("thumbnails", 9186),
    ("settings", 9190),
    ("activitylog", 9195),
    ("userlog", 9210),
    ("invitations", 9265),
    ("auth-guest", 9266),
    ("ocm", 9280),
    ("collaboration", 9300),
    ("ocdav", 9350),
];

/// Where a service is.
pub(super) enum Place {
    /// At this address.
    Theirs(Backend),
    /// It is a service of Doorward.
    Ours(Backend),
    /// It is a service of Doorward to which the edge has no routes.
    Nowhere,
}

/// The services by name.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    /// Those of `PROXY_SERVICE_BACKENDS`.
    pub(crate) configured: Vec<(String, Backend)>,
    /// The family's own.
    pub(crate) own: Backends,
}

impl Services {
    /// The place of a service.
    ///
    /// # Errors
    /// If the name is unknown.
    pub(super) fn place(&self, name: &str) -> Result<Place, String> {
        let short = short(name);
        let configured = |wanted: &str| self.configured.iter().find(|(name, _)| name == wanted);
        if let Some((_, backend)) = configured(name).or_else(|| configured(short)) {
            return Ok(Place::Theirs(backend.clone()));
        }
        let unknown = || format!("service {name:?} is not known; give its URL in PROXY_SERVICE_BACKENDS");
        if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(unknown());
        }
        let own = match short {
            "idp" | "webfinger" => Some(&self.own.idp),
            "auth-app" => Some(&self.own.auth_app),
            _ => None,
        };
        let parse =
            |url: &str| url.parse::<Backend>().map_err(|problem| format!("service {name:?}: its URL {problem}"));
        match own {
            Some(url) if url.is_empty() => Ok(Place::Nowhere),
            Some(url) => parse(url).map(Place::Ours),
            None => {
                let (_, port) = PORTS.iter().find(|(known, _)| *known == short).ok_or_else(unknown)?;
                parse(&format!("http://127.0.0.1:{port}")).map(Place::Theirs)
            }
        }
    }

    /// The configured names that none of these services has.
    pub(super) fn unused<'a>(&'a self, used: &'a [String]) -> impl Iterator<Item = &'a str> {
        let is_used = |name: &str| used.iter().any(|used| used == name || short(used) == name);
        self.configured.iter().map(|(name, _)| name.as_str()).filter(move |name| !is_used(name))
    }
}

/// The last part of a name.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
