//! Which requests a route or a rule is for.

use http::Method;
use ipnet::IpNet;
use regex::Regex;

use crate::asked::Asked;

/// What a request must be like; what is not stated is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// The host, in lower case and without a port.
    pub host: Option<String>,
    /// The path.
    pub path: Option<PathPattern>,
    /// One of these methods; all if there are none.
    pub methods: Vec<Method>,
    /// Parameters of the query, which must stand there with this value, each once.
    pub query: Vec<(String, String)>,
    /// The client is in one of these networks; anywhere if there are none.
    pub networks: Vec<IpNet>,
}

/// Which paths.
#[derive(Debug, Clone)]
pub enum PathPattern {
    /// This path and what is below it: `/pub` is not above `/public`. One that ends with `/` is only for what is below.
    Prefix(String),
    /// Those that a regular expression matches as a whole.
    Regex(Regex),
}

impl PathPattern {
    /// Whether a decoded path is one of them.
    pub fn fits(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) if prefix.ends_with('/') => path.starts_with(prefix.as_str()),
            Self::Prefix(prefix) => {
                path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

impl Pattern {
    /// Whether a request is one of those.
    pub fn fits(&self, asked: &Asked<'_>) -> bool {
        let in_network = |source| self.networks.iter().any(|network| network.contains(&source));
        self.path.as_ref().is_none_or(|path| path.fits(asked.path.decoded()))
            && self.host.as_ref().is_none_or(|host| *host == asked.host_name())
            && (self.methods.is_empty() || self.methods.contains(asked.method))
            && (self.networks.is_empty() || asked.source.is_some_and(in_network))
            && self.query.iter().all(|(name, value)| has_parameter(asked.query, name, value))
    }
}

/// Whether a parameter stands in a query once, with this value.
fn has_parameter(query: Option<&str>, name: &str, value: &str) -> bool {
    let mut values = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).filter(|(key, _)| key == name);
    values.next().is_some_and(|(_, found)| found == value) && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_with_a_segment() {
        let prefix = |text: &str| PathPattern::Prefix(text.to_owned());
        for (pattern, path, fits) in [
            ("/pub", "/pub", true),
            ("/pub", "/pub/", true),
            ("/pub", "/pub/a", true),
            ("/pub", "/public", false),
            ("/pub/", "/pub", false),
            ("/pub/", "/pub/a", true),
            ("/", "/anything", true),
        ] {
            assert_eq!(prefix(pattern).fits(path), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn a_parameter_that_stands_twice_does_not_fit() {
        assert!(has_parameter(Some("a=1&b=%32"), "b", "2"));
        assert!(!has_parameter(Some("b=2&b=3"), "b", "2"));
        assert!(!has_parameter(None, "b", "2"));
    }
}
