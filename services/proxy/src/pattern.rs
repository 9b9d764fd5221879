//! Which requests a route or a rule is for.

use std::borrow::Cow;

use http::Method;
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use crate::asked::Asked;

/// What a request must be like; what is not stated is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// The host, as [`canonical_host`](crate::asked::canonical_host) has it.
    pub host: Option<String>,
    /// The path.
    pub path: Option<PathPattern>,
    /// One of these methods; all if there are none.
    pub methods: Vec<Method>,
    /// Parameters of the query and their values.
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
    /// A [`Prefix`](Self::Prefix), or a regular expression that means the same without regard to case.
    ///
    /// # Errors
    /// When the expression would be too large.
    pub fn prefix(path: &str, ignore_case: bool) -> Result<Self, regex::Error> {
        if !ignore_case {
            return Ok(Self::Prefix(path.to_owned()));
        }
        let below = if path.ends_with('/') { ".*" } else { "(?:/.*)?" };
        Self::regex(&format!("{}{below}", regex::escape(path)), true)
    }

    /// Those that an expression matches as a whole: what is written is what a path must be, not what it must contain.
    ///
    /// # Errors
    /// When it is no expression.
    pub fn regex(expression: &str, ignore_case: bool) -> Result<Self, regex::Error> {
        let whole = format!("^(?:{expression})$");
        RegexBuilder::new(&whole).case_insensitive(ignore_case).build().map(Self::Regex)
    }

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

/// Whether a pattern is for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is not.
    No,
    /// A parameter that it names has several values, one of them the pattern's: it depends on which of them a backend reads.
    Ambiguous,
    /// It is.
    Yes,
}

impl Pattern {
    /// Whether a request is one of those, beyond doubt.
    pub fn fits(&self, asked: &Asked<'_>) -> bool {
        self.fit(asked) == Fit::Yes
    }

    /// Whether a request is one of those.
    pub fn fit(&self, asked: &Asked<'_>) -> Fit {
        let in_network = |source| self.networks.iter().any(|network| network.contains(&source));
        let fits = self.path.as_ref().is_none_or(|path| path.fits(asked.path.decoded()))
            && self.host.as_ref().is_none_or(|host| asked.is_for(host))
            && (self.methods.is_empty() || self.methods.contains(asked.method))
            && (self.networks.is_empty() || asked.source.is_some_and(in_network));
        if !fits {
            return Fit::No;
        }
        let query = asked.query.unwrap_or_default();
        self.query.iter().map(|(name, value)| parameter(query, name, value)).min().unwrap_or(Fit::Yes)
    }
}

/// Whether a parameter of a query has this value: alone, or as one of several. Some servers divide a query at `;` too.
fn parameter(query: &str, name: &str, value: &str) -> Fit {
    let divided = query.replace(';', "&");
    let (plain, divided) = (values(query, name), values(&divided, name));
    let has = |values: &[Cow<'_, str>]| values.iter().any(|found| found == value);
    match (&plain[..], &divided[..]) {
        ([one], [same]) if one == value && same == value => Fit::Yes,
        (plain, divided) if has(plain) || has(divided) => Fit::Ambiguous,
        _ => Fit::No,
    }
}

fn values<'a>(query: &'a str, name: &str) -> Vec<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value).collect()
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
    fn a_repeated_parameter_is_ambiguous_if_any_of_its_values_fits() {
        for (query, fit) in [
            ("a=1&b=%32", Fit::Yes),
            ("b=2&b=3", Fit::Ambiguous),
            ("b=3&b=2", Fit::Ambiguous),
            ("b=2&b=2", Fit::Ambiguous),
            ("a=1;b=2", Fit::Ambiguous),
            ("b=2;a=1", Fit::Ambiguous),
            ("%62=2&b=3", Fit::Ambiguous),
            ("b=3&b=4", Fit::No),
            ("c=2", Fit::No),
            ("", Fit::No),
        ] {
            assert_eq!(parameter(query, "b", "2"), fit, "{query}");
        }
    }

    #[test]
    fn a_path_without_regard_to_case_is_the_same_path_otherwise() {
        let folded = |text: &str| PathPattern::prefix(text, true).expect("a pattern");
        for (pattern, path, fits) in [
            ("/Admin", "/aDMIN", true),
            ("/Admin", "/admin/x", true),
            ("/Admin", "/administrators", false),
            ("/Admin/", "/admin", false),
            ("/Admin/", "/admin/X", true),
            ("/a.c", "/abc", false),
            ("/ä", "/Ä", true),
            ("/admin", "/admin\u{17f}", false),
            ("/users", "/u\u{17f}ers", true),
        ] {
            assert_eq!(folded(pattern).fits(path), fits, "{pattern} {path}");
        }
        assert!(!PathPattern::prefix("/Admin", false).expect("a pattern").fits("/admin"));
        assert!(PathPattern::regex("/v[0-9]+/ADMIN", true).expect("a pattern").fits("/V1/admin"));
    }
}
