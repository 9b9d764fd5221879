//! Patterns of requests, for routes and rules.

use std::borrow::Cow;

use http::Method;
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use crate::path::below;
use crate::request_info::RequestInfo;

/// A pattern of requests; what it does not state matches anything.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// The host, in the form of [`canonical_host`](crate::request_info::canonical_host).
    pub host: Option<String>,
    /// The path.
    pub path: Option<PathPattern>,
    /// Prefixes as in [`PathPattern::Prefix`], of which the path must have one too; any path if empty.
    pub within: &'static [&'static str],
    /// The methods; any if empty.
    pub methods: Vec<Method>,
    /// Methods that it does not match.
    pub except_methods: Vec<Method>,
    /// Query parameters and their values.
    pub query: Vec<(String, String)>,
    /// The networks of clients; any if empty.
    pub networks: Vec<IpNet>,
}

/// A pattern of paths.
#[derive(Debug, Clone)]
pub enum PathPattern {
    /// This path alone.
    Exact(String),
    /// This path and what is below it: `/pub` does not match `/public`. One that ends with `/` matches only what is below.
    Prefix(String),
    /// Paths that a regular expression matches as a whole.
    Regex(Regex),
    /// Paths that begin with this text, within a segment too: `/pub` matches `/public`. oCIS's proxy compares so.
    Starts(String),
    /// Paths of which a regular expression matches a part.
    Search(Regex),
}

impl PathPattern {
    /// A [`Prefix`](Self::Prefix), or the regular expression for the same that ignores case.
    ///
    /// # Errors
    /// If the expression would be too large.
    pub fn prefix(path: &str, ignore_case: bool) -> Result<Self, regex::Error> {
        if !ignore_case {
            return Ok(Self::Prefix(path.to_owned()));
        }
        let below = if path.ends_with('/') { ".*" } else { "(?:/.*)?" };
        Self::regex(&format!("{}{below}", regex::escape(path)), true)
    }

    /// Paths that an expression matches as a whole.
    ///
    /// # Errors
    /// If the expression is invalid.
    pub fn regex(expression: &str, ignore_case: bool) -> Result<Self, regex::Error> {
        let whole = format!("^(?:{expression})$");
        RegexBuilder::new(&whole).case_insensitive(ignore_case).build().map(Self::Regex)
    }

    /// Paths of which an expression matches a part.
    ///
    /// # Errors
    /// If the expression is invalid.
    pub fn search(expression: &str) -> Result<Self, regex::Error> {
        Regex::new(expression).map(Self::Search)
    }

    /// Whether it matches a decoded path.
    pub fn fits(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => is_within(path, prefix),
            Self::Starts(start) => path.starts_with(start.as_str()),
            Self::Regex(regex) | Self::Search(regex) => regex.is_match(path),
        }
    }
}

/// Whether a path has this prefix by whole segments. One that ends with `/` has only what is below.
pub(crate) fn is_within(path: &str, prefix: &str) -> bool {
    if prefix.ends_with('/') { path.starts_with(prefix) } else { below(path, prefix).is_some() }
}

/// Whether a pattern matches a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It does not.
    No,
    /// A query parameter has several values, one of them the pattern's: it depends on which one the backend reads.
    Ambiguous,
    /// It does.
    Yes,
}

impl Pattern {
    /// Whether it matches a request unambiguously.
    pub fn fits(&self, info: &RequestInfo<'_>) -> bool {
        self.fit(info) == Fit::Yes
    }

    /// Whether it matches a request.
    pub fn fit(&self, info: &RequestInfo<'_>) -> Fit {
        let in_network = |source| self.networks.iter().any(|network| network.contains(&source));
        let fits = self.path.as_ref().is_none_or(|path| path.fits(info.path.decoded()))
            && (self.within.is_empty() || self.within.iter().any(|prefix| is_within(info.path.decoded(), prefix)))
            && self.host.as_ref().is_none_or(|host| info.is_for(host))
            && (self.methods.is_empty() || self.methods.contains(info.method))
            && !self.except_methods.contains(info.method)
            && (self.networks.is_empty() || info.source.is_some_and(in_network));
        if !fits {
            return Fit::No;
        }
        let query = info.query.unwrap_or_default();
        self.query.iter().map(|(name, value)| parameter(query, name, value)).min().unwrap_or(Fit::Yes)
    }
}

/// Whether a query parameter has this value: alone, or as one of several. Some servers split a query at `;` too.
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
    fn path_may_have_to_be_within_others_too() {
        let (method, headers) = (Method::GET, http::HeaderMap::new());
        let path = Some(PathPattern::Starts("/dav".to_owned()));
        let pattern = Pattern { path, within: &["/dav/ocm/", "/ocs/a"], ..Pattern::default() };
        let fits = |path: &str| {
            let path = crate::path::Path::parse(path, crate::path::Leniency::default()).expect("a path");
            let (host, query, source) = ("cloud.example", None, None);
            let (method, headers, is_https) = (&method, &headers, true);
            pattern.fits(&RequestInfo { method, is_https, host, path: &path, query, headers, source })
        };
        assert!(fits("/dav/ocm/a") && !fits("/dav/ocm") && !fits("/dav/a") && !fits("/ocs/a"));
        assert!(is_within("/ocs/a", "/ocs/a") && is_within("/ocs/a/b", "/ocs/a") && !is_within("/ocs/ab", "/ocs/a"));
    }

    #[test]
    fn paths_compare_as_in_the_proxy_of_ocis() {
        let starts = PathPattern::Starts("/status".to_owned());
        assert!(starts.fits("/status") && starts.fits("/status.php") && !starts.fits("/a/status"));
        let search = PathPattern::search("/ocs/v[12].php/config").expect("an expression");
        assert!(search.fits("/ocs/v1.php/config/a") && search.fits("/a/ocs/v2.php/config"));
        assert!(!search.fits("/ocs/v3.php/config") && PathPattern::search("(").is_err());
    }

    #[test]
    fn an_exact_path_is_itself_alone() {
        let root = PathPattern::Exact("/".to_owned());
        assert!(root.fits("/") && !root.fits("/a") && !root.fits(""));
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
