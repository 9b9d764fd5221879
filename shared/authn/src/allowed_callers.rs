//! Which callers may authenticate, by the names in their client certificates.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{AuthError, Authenticated, Authenticator, Caller, Credentials, Reason};

/// What the last part of a name stands for that is a URI: all URIs that begin with what precedes it.
const ANY_BELOW: &str = "/*";

/// The callers that may authenticate: those whose client certificate has one of these names. Without a name every caller may.
#[derive(Debug, Clone, Default)]
pub struct AllowedCallers(Arc<[CallerName]>);

/// A name of callers, as settings write it: a DNS name, a URI, or a URI that ends in `/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerName(Name);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// In lower case.
    Dns(String),
    Uri(String),
    /// What a URI begins with, up to and with a slash.
    UriBelow(String),
}

impl AllowedCallers {
    /// Reads names: DNS names, and URIs like `spiffe://example.org/gateway`, as they are in certificates. A URI that ends in `/*` stands for all
    /// that begin with what precedes the `*`.
    ///
    /// # Errors
    /// What is wrong with the first name that is none.
    pub fn parse(names: &[String]) -> Result<Self, String> {
        names.iter().map(|name| CallerName::parse(name.trim())).collect::<Result<_, _>>().map(Self)
    }

    /// Checks that a caller may authenticate. A caller without a verified certificate has no name.
    ///
    /// # Errors
    /// [`AuthError::NotPermitted`].
    pub fn check(&self, caller: &Caller) -> Result<(), AuthError> {
        let has_name = |allowed: &CallerName| caller.names.iter().any(|name| allowed.fits(name));
        if self.0.is_empty() || self.0.iter().any(has_name) {
            Ok(())
        } else {
            Err(AuthError::NotPermitted(Reason::Caller))
        }
    }

    /// The first name in the certificate of a caller that is one of these names; `None` also if there are none.
    pub fn name_of<'a>(&self, caller: &'a Caller) -> Option<&'a str> {
        let is_allowed = |name: &&String| self.0.iter().any(|allowed| allowed.fits(name));
        caller.names.iter().find(is_allowed).map(String::as_str)
    }

    /// The same authenticator for these callers only. `setting` names them, for the log.
    pub fn restrict(self, authenticator: Arc<dyn Authenticator>, setting: &'static str) -> Arc<dyn Authenticator> {
        if self.0.is_empty() {
            return authenticator;
        }
        Arc::new(Restricted { callers: self, setting, authenticator })
    }
}

impl CallerName {
    /// Reads a name as a setting has it. A URI that ends in `/*` stands for all that begin with what precedes the `*`.
    ///
    /// # Errors
    /// Why no certificate has such a name; completes the sentence "the setting ...".
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem =
            || format!("must hold DNS names and URIs (a URI may end in /*), as they are in certificates; not {text:?}");
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b',');
        let has_authority = |uri: &str| {
            uri.split_once("://")
                .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.starts_with(['/', '*']) && !rest.is_empty())
        };
        let name = match (text.strip_suffix('*'), has_authority(text)) {
            (Some(start), true) if text.ends_with(ANY_BELOW) && is_plain(start) => Name::UriBelow(start.to_owned()),
            (None, true) if is_plain(text) => Name::Uri(text.to_owned()),
            (None, false) if is_dns_name(text) => Name::Dns(text.to_ascii_lowercase()),
            _ => return Err(problem()),
        };
        Ok(Self(name))
    }

    /// Whether a name from a certificate is this one, or one of those that it stands for.
    pub fn fits(&self, name: &str) -> bool {
        match &self.0 {
            Name::Dns(allowed) => name.eq_ignore_ascii_case(allowed),
            Name::Uri(allowed) => name == allowed,
            Name::UriBelow(start) => {
                let rest = name.strip_prefix(start.as_str());
                // other readers may resolve such parts, and escapes of them, before they compare
                let is_odd =
                    |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(['%', '?', '#']);
                rest.is_some_and(|rest| !rest.split('/').any(is_odd))
            }
        }
    }
}

fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.split('.').all(is_label)
}

/// An authenticator for some callers.
struct Restricted {
    callers: AllowedCallers,
    setting: &'static str,
    authenticator: Arc<dyn Authenticator>,
}

#[async_trait]
impl Authenticator for Restricted {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        // before the secret is compared: another caller learns nothing about it
        self.callers.check(&credentials.caller).inspect_err(|_| {
            let (peer, setting) = (&credentials.caller.names, self.setting);
            tracing::warn!(?peer, "a caller is refused: no name in its certificate is in {setting}");
        })?;
        self.authenticator.authenticate(credentials).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(names: &[&str]) -> AllowedCallers {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        AllowedCallers::parse(&names).expect("names")
    }

    fn is_allowed(callers: &AllowedCallers, names: &[&str]) -> bool {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        // what the caller forwards, and what it is called, do not count
        let gateway = Some("spiffe://example.org/gateway".to_owned());
        callers.check(&Caller { names, identity: gateway.clone(), forwarded: gateway, ..Caller::default() }).is_ok()
    }

    /// Row [M11](../../../docs/security-requirements.md#m11).
    #[test]
    fn caller_is_allowed_by_any_name_of_its_certificate_and_none_without() {
        let callers = allowed(&["spiffe://example.org/gateway", "Proxy.example.org", " spiffe://example.org/ns/a/* "]);
        for names in [
            &["spiffe://example.org/gateway"][..],
            &["spiffe://example.org/other", "proxy.EXAMPLE.org"],
            &["spiffe://example.org/ns/a/b"],
            &["spiffe://example.org/ns/a/b/c"],
        ] {
            assert!(is_allowed(&callers, names), "{names:?}");
        }
        for names in [
            &[][..],
            &[""],
            &["spiffe://example.org/gateway2"],
            &["spiffe://example.org/Gateway"],
            &["spiffe://example.org/gateway/"],
            &["a.proxy.example.org"],
            &["*"],
            &["*.example.org"],
            &["spiffe://example.org/ns/a"],
            &["spiffe://example.org/ns/a/"],
            &["spiffe://example.org/ns/ab/c"],
            &["spiffe://example.org/ns/a/../b"],
            &["spiffe://example.org/ns/a/%2e%2e/b"],
        ] {
            assert!(!is_allowed(&callers, names), "{names:?}");
        }
        assert!(is_allowed(&AllowedCallers::default(), &[]), "without a list every caller may authenticate");
    }

    #[test]
    fn first_name_that_is_listed_is_the_caller_s() {
        let callers = allowed(&["spiffe://example.org/ns/*", "files.example.org"]);
        let of = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            callers.name_of(&Caller { names, ..Caller::default() }).map(str::to_owned)
        };
        let both = ["other.example.org", "FILES.example.org", "spiffe://example.org/ns/a"];
        assert_eq!(of(&both).as_deref(), Some("FILES.example.org"));
        assert_eq!((of(&["other.example.org"]), of(&[])), (None, None));
        assert_eq!(AllowedCallers::default().name_of(&Caller::default()), None, "without a list none is named");
    }

    #[test]
    fn names_that_no_certificate_has_are_refused() {
        for name in [
            "",
            "*",
            "*.example.org",
            "spiffe://*",
            "spiffe:///a",
            "spiffe://example.org/a*",
            "a b",
            "spiffe://",
            "://a",
            "a..b",
            "x/y",
        ] {
            assert!(AllowedCallers::parse(&[name.to_owned()]).is_err(), "{name:?}");
        }
    }
}
