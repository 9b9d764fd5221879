//! What the browser may do with a page (Content Security Policy Level 3).

use std::fmt::Write;
use std::net::Ipv6Addr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// What a page needs beyond its own text.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    /// Whether it has the stylesheet, and images.
    pub has_style: bool,
    /// The targets of its forms.
    pub forms: Forms,
    /// The addresses that it loads in frames.
    pub frames: &'a [String],
    /// The hash of its script.
    pub script: Option<&'a str>,
    /// What scripts of the own site may do there.
    pub own_script: OwnScript,
    /// Whether other sites may show it in a frame.
    pub framed: bool,
}

/// The targets of the forms of a page (`form-action`).
///
/// Chromium and Safari apply the policy to every redirect after a form, across sites and schemes; Firefox does not (the
/// specification leaves it open). A client's redirect URI is often not the final page: it opens an app, redirects to another of
/// its hosts, or to another provider. Only the client knows these URLs, so a policy with a list of targets would break some
/// clients. The directive would stop a form that an attacker injects, which requires a page that does not escape its content;
/// nothing else runs or loads there.
#[derive(Clone, Copy)]
pub enum Forms {
    /// The own site.
    Here,
    /// Any target, as the client may redirect to any.
    Anywhere,
}

/// What scripts of the own site may do on a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OwnScript {
    /// The page loads none.
    Nothing,
    /// They are loaded, and send no requests.
    Load,
    /// They are loaded, and send requests to the own site.
    LoadAndRequest,
}

impl Policy<'_> {
    /// Of a page whose forms are sent to the own site.
    pub const fn here() -> Self {
        let own_script = OwnScript::Nothing;
        Self { has_style: true, forms: Forms::Here, frames: &[], script: None, own_script, framed: false }
    }

    /// Of a page whose form is answered by a redirect to a client, if there is one.
    pub const fn redirecting(address: Option<&str>) -> Self {
        let forms = if address.is_some() { Forms::Anywhere } else { Forms::Here };
        Self { forms, ..Self::here() }
    }

    /// The same for a page that loads scripts of the own site.
    #[must_use]
    pub const fn with_own_script(self) -> Self {
        Self { own_script: OwnScript::Load, ..self }
    }

    /// The same for a page whose script of the own site sends requests there.
    #[must_use]
    pub const fn with_own_requests(self) -> Self {
        Self { own_script: OwnScript::LoadAndRequest, ..self }
    }

    /// The header's value.
    pub fn header(&self) -> HeaderValue {
        // No source expression has a character that a header may not have. If one did, nothing would be allowed.
        let strictest = || HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        HeaderValue::from_str(&self.text()).unwrap_or_else(|_| strictest())
    }

    fn text(&self) -> String {
        let mut text = "default-src 'none'".to_owned();
        if self.has_style {
            text.push_str("; style-src 'self'; img-src 'self' https: data:");
        }
        text.push_str("; base-uri 'none'");
        match self.forms {
            Forms::Here => text.push_str("; form-action 'self'"),
            Forms::Anywhere => (),
        }
        if !self.framed {
            text.push_str("; frame-ancestors 'none'");
        }
        let has_own_script = self.own_script != OwnScript::Nothing;
        if has_own_script || self.script.is_some() {
            text.push_str("; script-src");
        }
        if has_own_script {
            text.push_str(" 'self'");
        }
        if let Some(hash) = self.script {
            // writing to a String does not fail
            let _ = write!(text, " '{hash}'");
        }
        if self.own_script == OwnScript::LoadAndRequest {
            text.push_str("; connect-src 'self'");
        }
        let mut frames: Vec<_> = self.frames.iter().filter_map(|address| source(address)).collect();
        frames.sort_unstable();
        frames.dedup();
        if !frames.is_empty() {
            text.push_str("; frame-src ");
            text.push_str(&frames.join(" "));
        }
        text
    }
}

/// The hash of a script, as [`Policy::script`] names it.
pub fn script_hash(script: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, script.as_bytes())))
}

/// The source expression for an address: its origin if it is a web address, else its scheme. Neither can hold a character
/// that means something in a policy. An origin that a source expression cannot name (an IPv6 address) becomes its scheme.
fn source(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme || ["javascript", "data", "blob", "filesystem"].contains(&&*scheme) {
        return None;
    }
    let host = Some(rest).filter(|_| ["http", "https"].contains(&&*scheme)).and_then(host_and_port);
    Some(host.map_or_else(|| format!("{scheme}:"), |host| format!("{scheme}://{host}")))
}

/// Host and port of what follows the scheme of a web address, in lower case.
fn authority(rest: &str) -> Option<String> {
    let authority = rest.strip_prefix("//")?.split(['/', '?', '#', '\\']).next()?;
    Some(authority.rsplit('@').next()?.to_ascii_lowercase())
}

/// The same, if a source expression can name them.
fn host_and_port(rest: &str) -> Option<String> {
    let host = authority(rest)?;
    let (name, port) = host.split_once(':').unwrap_or((&host, "443"));
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_name && is_port).then_some(host)
}

/// Whether a browser opens an address, rather than running it as a script.
pub fn is_destination(address: &str) -> bool {
    source(address).is_some()
}

/// The host that a browser opens, with its port if it has one, also where a source expression cannot name it (an IPv6 address, a name with
/// `_`); `None` for an address of another scheme than the web's, and for a host with other characters.
pub fn destination(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once(':')?;
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let host = authority(rest).filter(|_| is_web)?;
    let end = host.find(']').map_or_else(|| host.find(':').unwrap_or(host.len()), |end| end + 1);
    let (name, port) = host.split_at(end);
    let is_name = match name.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
    (is_name && is_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_origin_or_a_scheme_and_nothing_else() {
        let sources = [
            ("https://app.example/cb?x=1", Some("https://app.example")),
            ("https://App.Example:8443", Some("https://app.example:8443")),
            ("http://127.0.0.1:49152/", Some("http://127.0.0.1:49152")),
            ("http://localhost:1#f", Some("http://localhost:1")),
            ("https://user:word@app.example/", Some("https://app.example")),
            ("http://[::1]:49152/", Some("http:")),
            ("https://app.example; script-src *", Some("https:")),
            ("https://*/", Some("https:")),
            ("oc://android.opencloud.eu", Some("oc:")),
            ("cellsauth://callback", Some("cellsauth:")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("urn:ietf:wg:oauth:2.0:oob", Some("urn:")),
            ("javascript:alert(1)", None),
            ("'unsafe-inline' x:y", None),
            ("*", None),
            ("", None),
        ];
        for (address, expected) in sources {
            assert_eq!(source(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn destination_is_the_host_of_a_web_address() {
        for (address, expected) in [
            ("https://app.example/cb", Some("app.example")),
            ("HTTPS://user@App.Example:8443?x", Some("app.example:8443")),
            ("http://127.0.0.1:49152/", Some("127.0.0.1:49152")),
            ("http://[::1]:49152/", Some("[::1]:49152")),
            ("https://[2606:4700::1]", Some("[2606:4700::1]")),
            ("https://a_b.evil.example/cb", Some("a_b.evil.example")),
            ("oc://android.opencloud.eu", None),
            ("javascript://app.example/%0aalert(1)", None),
            ("https:app.example", None),
            ("https://", None),
            ("https://app.example; script-src *", None),
            ("https://*/", None),
            ("https://[::1", None),
            ("https://a]b", None),
            ("https://[app.example]", None),
            ("https://app.example:", None),
            ("https://app.example:8443:1", None),
        ] {
            assert_eq!(destination(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn frames_are_allowed_from_exactly_the_origins_they_come_from() {
        let frames = ["https://b.example/out?sid=1", "https://a.example/x", "https://b.example/y"].map(str::to_owned);
        let policy = Policy { frames: &frames, ..Policy::here() }.text();
        assert!(policy.ends_with("; frame-src https://a.example https://b.example"), "{policy}");
        assert!(!Policy::here().text().contains("frame-src"));
    }

    #[test]
    fn scripts_are_permitted_only_where_a_page_has_them() {
        assert!(!Policy::here().text().contains("script-src"));
        assert!(Policy::here().with_own_script().text().ends_with("; script-src 'self'"));
        let inline = Policy { script: Some("sha256-x"), ..Policy::here() };
        assert!(inline.text().ends_with("; script-src 'sha256-x'"));
        assert!(inline.with_own_script().text().ends_with("; script-src 'self' 'sha256-x'"));
    }

    #[test]
    fn requests_are_permitted_only_where_a_script_sends_them() {
        assert!(!Policy::here().with_own_script().text().contains("connect-src"));
        let policy = Policy::here().with_own_requests().text();
        assert!(policy.ends_with("; script-src 'self'; connect-src 'self'"), "{policy}");
    }

    #[test]
    fn page_without_a_stylesheet_loads_nothing() {
        let policy = Policy { has_style: false, forms: Forms::Anywhere, ..Policy::here() }.text();
        assert_eq!(policy, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
    }
}
