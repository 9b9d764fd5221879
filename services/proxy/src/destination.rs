//! The destination of a COPY or MOVE (RFC 4918 10.3), where the user needs permission to write.

use http::{HeaderName, Method};

use crate::path::{Path, Paths};
use crate::request_info::{RequestInfo, canonical_host, is_host};
use crate::routes::is_file;

const DESTINATION: HeaderName = HeaderName::from_static("destination");
/// The method that stands for what a COPY or MOVE does at its destination.
static WRITES: Method = Method::PUT;

/// The `Destination` of a request.
#[derive(Debug)]
pub struct Destination<'a> {
    paths: Paths<'a>,
    /// The host, where the reference names one.
    host: Option<&'a str>,
}

/// The `Destination` is not an absolute path or an HTTP URL, or there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidDestination;

impl<'a> Destination<'a> {
    /// The destination of a request; `None` if it has none, or its method gives the header no meaning (RFC 9110, RFC 5789).
    ///
    /// # Errors
    /// [`InvalidDestination`].
    pub fn of(info: &RequestInfo<'a>) -> Result<Option<Self>, InvalidDestination> {
        const WITHOUT: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE"];
        if WITHOUT.contains(&info.method.as_str()) {
            return Ok(None);
        }
        let mut values = info.headers.get_all(DESTINATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| InvalidDestination)?;
        let (host, path) = split_reference(text).filter(|_| values.next().is_none()).ok_or(InvalidDestination)?;
        let paths = Paths::parse(path, info.path.leniency()).map_err(|_| InvalidDestination)?;
        if paths.is_opaque() && !paths.readings().all(|path| is_file(path.decoded())) {
            return Err(InvalidDestination);
        }
        Ok(Some(Self { paths, host }))
    }

    /// The readings of the path by different servers. Only the path of a file may have several.
    pub fn readings(&self) -> impl Iterator<Item = &Path<'a>> {
        self.paths.readings()
    }

    /// Whether it is on this host.
    pub fn is_on(&self, host: &str) -> bool {
        self.host.is_none_or(|own| canonical_host(own) == canonical_host(host))
    }

    /// The requests by which the client would write there itself: by its own method and by PUT, since rules may name either; on the
    /// host of the request and on that of the destination, since many servers ignore the latter.
    pub fn requests<'b>(&'b self, info: &RequestInfo<'b>) -> Vec<RequestInfo<'b>> {
        let elsewhere = self.host.filter(|_| !self.is_on(info.host));
        let mut requests = Vec::new();
        for path in self.readings() {
            for host in std::iter::once(info.host).chain(elsewhere) {
                for method in [info.method, &WRITES] {
                    requests.push(RequestInfo { method, host, path, query: None, ..*info });
                }
            }
        }
        requests
    }
}

/// The host and the path of an absolute path or a URL.
fn split_reference(reference: &str) -> Option<(Option<&str>, &str)> {
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
    fn read(method: &str, values: &[&str]) -> Result<Option<(Option<String>, String)>, InvalidDestination> {
        let value = |value: &&str| (DESTINATION, HeaderValue::from_bytes(value.as_bytes()).expect("a header"));
        let headers: HeaderMap = values.iter().map(value).collect();
        let (path, method) =
            (Path::parse("/a", Leniency::default()).expect("a path"), method.parse().expect("a method"));
        let (is_https, host, query, source) = (true, "cloud.example", None, None);
        let info = RequestInfo { method: &method, is_https, host, path: &path, query, headers: &headers, source };
        let destination = Destination::of(&info)?;
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
        assert_eq!(read("PUT", &["nowhere"]), Ok(None), "PUT has no destination");
        for odd in
            ["", "b", "//cloud.example/b", "ftp://a/b", "https://a", "https:///b", "/a/../b", "/a?b", "https://a b/c"]
        {
            assert_eq!(read("COPY", &[odd]), Err(InvalidDestination), "{odd}");
        }
        assert_eq!(read("COPY", &["/a", "/b"]), Err(InvalidDestination), "two headers");
        assert_eq!(read("BREW", &["b"]), Err(InvalidDestination), "an unknown method may have one");
    }
}
