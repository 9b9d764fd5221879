//! Pages of other sites.

use std::net::Ipv6Addr;

use ::http::{HeaderName, Method};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Section};

/// What stands for every origin, method or header.
pub const ANY: &str = "*";

/// `http.cors`: which pages of other sites may call the HTTP server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Cors {
    /// A list of allowed CORS origins. See following chapter for more details: Access-Control-Allow-Origin at
    /// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Access-Control-Allow-Origin>. See the Environment
    /// Variable Types description for more details.
    #[schemars(extend("x-env" = ["OCIS_CORS_ALLOW_ORIGINS", "<P>_CORS_ALLOW_ORIGINS"], "default" = ["*"]))]
    pub allow_origins: Vec<String>,
    /// A list of allowed CORS methods. See following chapter for more details: Access-Control-Request-Method at
    /// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Access-Control-Request-Method>. See the Environment
    /// Variable Types description for more details.
    #[schemars(extend("x-env" = ["OCIS_CORS_ALLOW_METHODS", "<P>_CORS_ALLOW_METHODS"]))]
    #[schemars(extend("default" = ["GET", "POST", "DELETE"]))]
    pub allow_methods: Vec<String>,
    /// A list of allowed CORS headers. See following chapter for more details: Access-Control-Request-Headers at
    /// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Access-Control-Request-Headers>. See the Environment
    /// Variable Types description for more details.
    #[schemars(extend(
        "x-env" = ["OCIS_CORS_ALLOW_HEADERS", "<P>_CORS_ALLOW_HEADERS"],
        "default" = ["Authorization", "Origin", "Content-Type", "Accept", "X-Requested-With", "X-Request-Id", "Ocs-Apirequest"],
    ))]
    pub allow_headers: Vec<String>,
    /// Allow credentials for CORS.See following chapter for more details: Access-Control-Allow-Credentials at
    /// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Access-Control-Allow-Credentials>.
    #[schemars(extend("x-env" = ["OCIS_CORS_ALLOW_CREDENTIALS", "<P>_CORS_ALLOW_CREDENTIALS"], "default" = true))]
    pub allow_credentials: bool,
}

crate::impl_default!(Cors);

impl Section for Cors {
    fn validate(&self) -> Result<(), Invalid> {
        let check = |key: &str, items: &[String], is_good: fn(&str) -> bool, expected: &str| {
            let odd = items.iter().find(|item| *item != ANY && !is_good(item));
            let refuse = |odd: &String| Err(Invalid::new(key, format!("must be {expected} or *; {odd:?} is none")));
            odd.map_or(Ok(()), refuse)
        };
        let is_method = |text: &str| Method::from_bytes(text.as_bytes()).is_ok();
        let is_header = |text: &str| HeaderName::from_bytes(text.as_bytes()).is_ok();
        check("allow_origins", &self.allow_origins, is_origin, ORIGINS)?;
        check("allow_methods", &self.allow_methods, is_method, "names of methods")?;
        check("allow_headers", &self.allow_headers, is_header, "names of headers")
    }
}

/// What [`is_origin`] accepts, for a message.
const ORIGINS: &str = "origins as browsers send them (like https://cloud.example.org or http://localhost:3000, in lower case, without path and default port)";

/// Whether a browser could say that a page comes from here. What it never says would be a setting without effect: a path,
/// capital letters, the port that the scheme has anyway, a pattern. `null` is the origin of any sandboxed page.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let end_of_host =
        if authority.starts_with('[') { authority.find(']').map(|end| end + 1) } else { authority.find(':') };
    let (host, port) = authority.split_at(end_of_host.unwrap_or(authority.len()));
    is_scheme(scheme) && is_host(host) && (port.is_empty() || is_port(port, scheme))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok() && !address.contains(|letter: char| letter.is_ascii_uppercase());
    }
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        !label.is_empty() && label.bytes().all(is_allowed)
    };
    text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}

/// A colon and a number, which is not the scheme's own.
fn is_port(text: &str, scheme: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else { return false };
    let is_default = matches!((scheme, digits), ("http", "80") | ("https", "443"));
    !is_default && digits.parse::<u16>().is_ok_and(|port| port.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn origins_are_what_browsers_send() {
        for origin in [
            "https://good.example",
            "http://localhost:3000",
            "https://good.example:8443",
            "http://192.0.2.1",
            "http://[2001:db8::1]:8080",
            "http://[::1]",
            "https://xn--bcher-kva.example",
            "https://host_with_line.example.",
            "moz-extension://4f3c1a52-0001",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for odd in [
            "",
            "null",
            "good.example",
            "//good.example",
            "://good.example",
            "https://",
            "https://good.example/",
            "https://good.example/app",
            "https://good.example?x",
            "https://good.example#x",
            "https://user@good.example",
            "https://Good.example",
            "HTTPS://good.example",
            "https://bücher.example",
            "https://*.good.example",
            "https://good.example:",
            "https://good.example:*",
            "https://good.example:443",
            "http://good.example:80",
            "https://good.example:08443",
            "https://good.example:65536",
            "https://good..example",
            "https://.good.example",
            "https://good.example https://other.example",
            "http://[::1",
            "http://::1",
            "http://[::1]8080",
            "http://[2001:DB8::1]",
        ] {
            assert!(!is_origin(odd), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_origin_or_none(text: String, like in "[a-z]{0,5}(://)?[a-zA-Z0-9.:/@\\[\\]*-]{0,20}") {
            for text in [text, like] {
                if is_origin(&text) {
                    let uri: ::http::Uri = text.parse().expect("an origin is a URI");
                    let parts = (uri.scheme_str(), uri.authority().map(::http::uri::Authority::as_str));
                    prop_assert_eq!(parts, text.split_once("://").map(|(scheme, host)| (Some(scheme), Some(host))).expect("both"));
                }
            }
        }
    }
}
