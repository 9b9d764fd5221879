//! Redirect URIs: what a client may register, and whether what it presents is registered.
//!
//! | registration | what it matches |
//! |---|---|
//! | `https://a.example/cb`, `oc://android.opencloud.eu`, `com.example.app:/cb` | the same bytes (RFC 9700 2.1) |
//! | `http://127.0.0.1/cb`, `http://[::1]/cb` | the same with any port or none, for a native client (RFC 8252 7.3) |
//! | `http://127.0.0.1` | the same, and with the path `/` instead of none |
//! | `http://localhost`, `http://localhost/cb` | as the two before, for a client that is registered so |
//! | `http://localhost:[3636-3666]/cb` | each port of the range, as Cells writes them |
//! | `#default_bind#/cb`, `#binds...#/cb`, `#insecure_binds...#/cb` | the same path at the server's own sites, as Cells writes them |
//!
//! A registration is judged once, when it is parsed; then a match compares bytes and reads a port, and nothing that
//! another program could read differently is ever interpreted.

mod answer;
mod loopback;
mod return_to;
mod rule;
mod sites;
pub(crate) mod uri;

#[cfg(test)]
mod tests;

pub use answer::Redirect;
pub use loopback::AnyPort;
pub use return_to::{MAX_RETURN_TO, same_origin_path};
pub use sites::Sites;

use rule::Rule;
use status::Kind;

use crate::error::ErrorCode;

/// The longest redirect URI, in bytes.
pub const MAX_BYTES: usize = 2048;
/// The most redirect URIs of one client, after macros are expanded; a range of ports counts as one.
pub const MAX_RULES: usize = 256;

/// On what terms a client's redirect URIs are registered.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Where the port of a loopback URI may differ from the registered one.
    pub any_port: AnyPort,
    /// What the macros stand for. A client that registers itself gets [`Sites::default`], none: the server's own sites
    /// are not for it to name.
    pub sites: &'a Sites,
    /// The registrations that may be plain `http` beyond the loopback interface, macros included: `insecureRedirects` of
    /// Cells, or the client's own redirect URIs where lico's `insecure` is set.
    pub insecure: &'a [String],
}

/// Why a registration, or a site, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{uri:?} is refused: {reason}")]
pub struct RedirectError {
    /// The beginning of its text.
    pub uri: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a registration, or a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More than [`MAX_BYTES`].
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_RULES`] in all.
    #[error("a client has at most {MAX_RULES} redirect URIs")]
    TooMany,
    /// A character that RFC 3986 does not have, or `%` without two hexadecimal digits.
    #[error("it has a character that a URI has not")]
    Character,
    /// A `*`: it would stand for itself, which is not what is meant.
    #[error("there are no wildcards")]
    Wildcard,
    /// A fragment (RFC 6749 3.1.2).
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// A name or password before the host.
    #[error("a redirect URI has no user information")]
    UserInfo,
    /// No scheme: it is not absolute.
    #[error("it does not begin with a scheme")]
    NoScheme,
    /// A scheme that runs code, opens a file, or cannot be redirected to.
    #[error("its scheme is not one to redirect to")]
    ForbiddenScheme,
    /// Plain `http` to another machine.
    #[error("http is for the loopback interface; elsewhere it is https")]
    Insecure,
    /// No host, or one that is not plain letters, digits, `.`, `-` and `_`, nor an IPv6 address in brackets.
    #[error("its host is not one")]
    Host,
    /// A port that is not a number from 1 to 65535, or is written with leading zeros.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// A range that does not go upwards within 1 to 65535.
    #[error("a range of ports is [min-max], with 1 <= min <= max <= 65535")]
    Range,
    /// A segment `.` or `..`, which browsers take out.
    #[error("its path has a dot segment")]
    DotSegment,
    /// A `#` in front that begins no macro, or a macro that does not end where the host does.
    #[error("the macros are #default_bind#, #binds...# and #insecure_binds...#, each followed by a path")]
    Macro,
    /// A site that is more, or less, than a scheme, a host and a port.
    #[error("a site is http or https, a host, and perhaps a port")]
    Site,
    /// A macro, and no site for it to stand for.
    #[error("there is no site that the macro could stand for")]
    NoSite,
}

impl RedirectError {
    fn new(uri: &str, reason: Reason) -> Self {
        Self { uri: uri.chars().take(64).collect(), reason }
    }

    /// The code that answers it where clients register (RFC 7591 3.2.2).
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidRedirectUri
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> Kind {
        self.code().kind()
    }
}

/// The redirect URIs of one client; also what it may name as `post_logout_redirect_uri`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedirectRules(Vec<Rule>);

impl RedirectRules {
    /// Reads the registrations of a client.
    ///
    /// # Errors
    /// [`RedirectError`] for the first that is refused: a client is registered as a whole or not at all.
    pub fn parse<'a>(
        registrations: impl IntoIterator<Item = &'a str>,
        terms: &Terms<'_>,
    ) -> Result<Self, RedirectError> {
        let mut rules: Vec<Rule> = Vec::new();
        for registration in registrations {
            let refused = |reason| RedirectError::new(registration, reason);
            let read = Rule::parse(registration, terms).map_err(refused)?;
            for rule in read {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
            if rules.len() > MAX_RULES {
                return Err(refused(Reason::TooMany));
            }
        }
        Ok(Self(rules))
    }

    /// The presented URI, if it is registered: only then may anything be sent to it.
    pub fn find(&self, presented: &str) -> Option<Redirect> {
        let registered = presented.len() <= MAX_BYTES && self.0.iter().any(|rule| rule.matches(presented));
        registered.then(|| Redirect::new(presented))
    }

    /// The URI of a client that has registered exactly one, in full: what an OAuth request without `redirect_uri` means
    /// (RFC 6749 3.1.2.3).
    pub fn sole(&self) -> Option<Redirect> {
        match self.0.as_slice() {
            [Rule::Exact(uri)] => Some(Redirect::new(uri)),
            _ => None,
        }
    }
}
