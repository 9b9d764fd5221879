//! Where a COPY or MOVE goes (RFC 4918 10.3): whoever may not write there may not have it written by the backend.

use http::{HeaderName, Method};

use crate::asked::{Asked, canonical_host, is_host};
use crate::path::{Path, Paths};
use crate::routes::is_file;

const DESTINATION: HeaderName = HeaderName::from_static("destination");
/// What a COPY or MOVE does where it goes.
static WRITES: Method = Method::PUT;

/// The place that a request names in `Destination`.
#[derive(Debug)]
pub struct Destination<'a> {
    paths: Paths<'a>,
    /// The host, where the reference names one.
    host: Option<&'a str>,
}

/// A `Destination` that is no reference to a path of an HTTP server, or one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl<'a> Destination<'a> {
    /// The destination of a request; `None` if it has none, or is of a method to which it means nothing (RFC 9110, RFC 5789).
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of(asked: &Asked<'a>) -> Result<Option<Self>, Unreadable> {
        const WITHOUT: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"];
        if WITHOUT.contains(&asked.method.as_str()) {
            return Ok(None);
        }
        let mut values = asked.headers.get_all(DESTINATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Unreadable)?;
        let (host, path) = divided(text).filter(|_| values.next().is_none()).ok_or(Unreadable)?;
        let paths = Paths::parse(path, asked.path.leniency()).map_err(|_| Unreadable)?;
        if paths.is_opaque() && !paths.readings().all(|path| is_file(path.decoded())) {
            return Err(Unreadable);
        }
        Ok(Some(Self { paths, host }))
    }

    /// What a server could take the path for. Only a file's may be several.
    pub fn readings(&self) -> impl Iterator<Item = &Path<'a>> {
        self.paths.readings()
    }

    /// Whether it is on this host.
    pub fn is_on(&self, host: &str) -> bool {
        self.host.is_none_or(|own| canonical_host(own) == canonical_host(host))
    }

    /// The requests by which a client would write there itself: by the method that it uses and by PUT, as rules may name either,
    /// on the host that it asks and on the one that it names, as many servers read the path only.
    pub fn requests<'b>(&'b self, asked: &Asked<'b>) -> Vec<Asked<'b>> {
        let elsewhere = self.host.filter(|_| !self.is_on(asked.host));
        let mut requests = Vec::new();
        for path in self.readings() {
            for host in std::iter::once(asked.host).chain(elsewhere) {
                for method in [asked.method, &WRITES] {
                    requests.push(Asked { method, host, path, query: None, ..*asked });
                }
            }
        }
        requests
    }
}

/// The host and the path of an absolute path or a URL.
fn divided(reference: &str) -> Option<(Option<&str>, &str)> {
    if reference.starts_with('/') {
        return (!reference.starts_with("//")).then_some((None, reference));
    }
    let (scheme, rest) = reference.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let (authority, path) = rest.split_at(rest.find('/')?);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (is_web && is_host(host)).then_some((Some(host), path))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::path::Leniency;

    /// The host and path that are read.
    fn read(method: &str, values: &[&str]) -> Result<Option<(Option<String>, String)>, Unreadable> {
        let value = |value: &&str| (DESTINATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        let headers: HeaderMap = values.iter().map(value).collect();
        let (path, method) =
            (Path::parse("/a", Leniency::default()).expect("a path"), method.parse().expect("a method"));
        let (is_https, host, query, source) = (true, "cloud.example", None, None);
        let asked = Asked { method: &method, is_https, host, path: &path, query, headers: &headers, source };
        let destination = Destination::of(&asked)?;
        Ok(destination
            .map(|destination| (destination.host.map(str::to_owned), destination.paths.literal().decoded().to_owned())))
    }

    #[test]
    fn a_destination_is_a_url_or_an_absolute_path() {
        let at = |host: Option<&str>, path: &str| Ok(Some((host.map(str::to_owned), path.to_owned())));
        assert_eq!(read("COPY", &["/a%20b"]), at(None, "/a b"));
        assert_eq!(read("MOVE", &["https://cloud.example:9200/b/"]), at(Some("cloud.example:9200"), "/b/"));
        assert_eq!(read("MOVE", &["HTTP://u:p@cloud.example/b"]), at(Some("cloud.example"), "/b"));
        assert_eq!(read("COPY", &["/ä"]), at(None, "/ä"));
        assert_eq!(read("COPY", &[]), Ok(None));
        assert_eq!(read("PUT", &["nowhere"]), Ok(None), "it means nothing there");
        for odd in
            ["", "b", "//cloud.example/b", "ftp://a/b", "https://a", "https:///b", "/a/../b", "/a?b", "https://a b/c"]
        {
            assert_eq!(read("COPY", &[odd]), Err(Unreadable), "{odd}");
        }
        assert_eq!(read("COPY", &["/a", "/b"]), Err(Unreadable), "two are none");
        assert_eq!(read("BREW", &["b"]), Err(Unreadable), "a method that is not known may have one");
    }
}
