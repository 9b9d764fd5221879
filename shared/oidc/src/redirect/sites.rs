//! The sites at which the server itself is reached, and the macros that stand for them.

use super::loopback::is_loopback;
use super::uri::{Port, Uri};
use super::{Reason, RedirectError};

/// The URLs at which the server itself is reached, the default one first. There may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sites(Vec<Site>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Site {
    url: String,
    insecure: bool,
}

impl Sites {
    /// Reads them: `https://host`, `http://host:port`; a `/` at the end is left out.
    ///
    /// # Errors
    /// [`RedirectError`] for the first that is more than a scheme, a host and a port.
    pub fn parse<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, RedirectError> {
        let one = |url: &'a str| Site::parse(url).map_err(|reason| RedirectError::new(url, reason));
        urls.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// What a registration stands for: itself, or what its macro stands for at each site.
    ///
    /// Cells expands ranges of ports before macros. A site has no range, so that the order makes no difference here.
    pub(super) fn expand(&self, registration: &str) -> Result<Vec<String>, Reason> {
        let Some(named) = registration.strip_prefix('#') else { return Ok(vec![registration.to_owned()]) };
        let (name, rest) = named.split_once('#').ok_or(Reason::Macro)?;
        // otherwise a macro could be the beginning of another host
        if !rest.is_empty() && !rest.starts_with(['/', ':', '?']) {
            return Err(Reason::Macro);
        }
        let default = self.0.first().ok_or(Reason::NoSite)?;
        let sites: Vec<&Site> = match name {
            "default_bind" => vec![default],
            "binds..." => self.0.iter().collect(),
            "insecure_binds..." => self.0.iter().filter(|site| site.insecure).collect(),
            _ => return Err(Reason::Macro),
        };
        Ok(sites.into_iter().map(|site| format!("{}{rest}", site.url)).collect())
    }
}

impl Site {
    fn parse(url: &str) -> Result<Self, Reason> {
        let url = url.strip_suffix('/').unwrap_or(url);
        let uri = Uri::parse(url)?;
        if !uri.is_web() || !uri.rest.is_empty() || matches!(uri.port, Port::Range(_)) {
            return Err(Reason::Site);
        }
        Ok(Self { insecure: uri.is_plain_http() && !is_loopback(uri.host), url: url.to_owned() })
    }
}
