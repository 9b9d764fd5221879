use std::fmt::Write;

/// A redirect URI that is registered: an answer may be sent to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redirect(String);

impl Redirect {
    pub(super) fn new(uri: &str) -> Self {
        Self(uri.to_owned())
    }

    /// The URI as it was presented. It is where a form is posted to (`form_post`), and what the token endpoint compares
    /// its `redirect_uri` with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is at a host that TLS proves, so that no other program than its owner's receives the answer (RFC 8252 8.6).
    pub fn is_https(&self) -> bool {
        self.0.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// The URI with these parameters in its query, behind those that it has (RFC 6749 3.1.2).
    pub fn in_query<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let first = match self.0.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        self.with(first, parameters)
    }

    /// The URI with these parameters as its fragment; a registered URI has none of its own.
    pub fn in_fragment<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        self.with("#", parameters)
    }

    fn with<'a>(&self, first: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut uri = self.0.clone();
        let mut gap = first;
        for (name, value) in parameters {
            uri.push_str(gap);
            encode(&mut uri, name);
            uri.push('=');
            encode(&mut uri, value);
            gap = "&";
        }
        uri
    }
}

/// Everything but the unreserved characters of RFC 3986 in percent form. A space is `%20` and not `+`: readers of forms
/// and scripts that decode a fragment both understand it.
fn encode(uri: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            // writing to a String does not fail
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}
