//! Cookies of one host, as a browser keeps and sends them (RFC 6265bis 5).

use reqwest::header::{HeaderMap, SET_COOKIE};
use url::Url;

/// Where a request comes from, which decides which cookies go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// A page of the provider.
    Provider,
    /// A page of the relying party, which the person leaves for it.
    Relying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Strict,
    Lax,
    None,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
}

/// The cookies of the provider's host. `Domain` is not looked at: there is one host.
#[derive(Debug, Default)]
pub(crate) struct Jar(Vec<Cookie>);

impl Jar {
    /// Takes up what an answer sets and forgets what it ends.
    pub(crate) fn take(&mut self, url: &Url, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((cookie, ended)) = parse(line, url) else { continue };
            self.0.retain(|known| known.name != cookie.name || known.path != cookie.path);
            if !ended {
                self.0.push(cookie);
            }
        }
    }

    /// The value of the header `Cookie`, if any goes along.
    pub(crate) fn header(&self, url: &Url, is_post: bool, from: Site) -> Option<String> {
        let goes = |cookie: &&Cookie| {
            let crosses = match cookie.same_site {
                SameSite::None => true,
                SameSite::Lax => from == Site::Provider || !is_post,
                SameSite::Strict => from == Site::Provider,
            };
            crosses && (!cookie.secure || url.scheme() == "https") && is_below(url.path(), &cookie.path)
        };
        let sent: Vec<_> =
            self.0.iter().filter(goes).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }

    /// The cookies that a script in a page of this URL reads, as `document.cookie` has them.
    pub(crate) fn seen_by_scripts(&self, url: &Url) -> String {
        let seen = self.0.iter().filter(|cookie| !cookie.http_only && is_below(url.path(), &cookie.path));
        seen.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }
}

/// RFC 6265 5.1.4
fn is_below(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.ends_with('/'))
}

/// The cookie, and whether it is set to end it.
fn parse(line: &str, url: &Url) -> Option<(Cookie, bool)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let default_path =
        url.path().rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        path: default_path.to_owned(),
        secure: false,
        http_only: false,
        same_site: SameSite::Lax,
    };
    let mut ended = cookie.value.is_empty();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "samesite" => cookie.same_site = same_site(value),
            "max-age" => ended |= value.parse::<i64>().is_ok_and(|seconds| seconds <= 0),
            // A date that is not in the past is that of a cookie which outlives this walk.
            "expires" => ended |= value.contains(" 1970 ") || value.contains("-1970 "),
            _ => {}
        }
    }
    Some((cookie, ended))
}

fn same_site(value: &str) -> SameSite {
    match value.to_ascii_lowercase().as_str() {
        "none" => SameSite::None,
        "strict" => SameSite::Strict,
        _ => SameSite::Lax,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(lines: &[&str]) -> (Jar, Url) {
        let url = Url::parse("https://op.test/signin/v1/page").expect("a URL");
        let mut jar = Jar::default();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, line.parse().expect("a header"));
        }
        jar.take(&url, &headers);
        (jar, url)
    }

    #[test]
    fn a_strict_cookie_stays_at_home_and_a_lax_one_does_not_go_with_a_post() {
        let (jar, url) = jar(&["a=1; SameSite=Strict; Path=/", "b=2; Path=/", "c=3; SameSite=None; Secure; Path=/"]);
        assert_eq!(jar.header(&url, false, Site::Provider).as_deref(), Some("a=1; b=2; c=3"));
        assert_eq!(jar.header(&url, false, Site::Relying).as_deref(), Some("b=2; c=3"));
        assert_eq!(jar.header(&url, true, Site::Relying).as_deref(), Some("c=3"));
    }

    #[test]
    fn cookie_is_sent_below_its_path_until_it_is_deleted() {
        let (mut jar, url) = jar(&["a=1", "b=2; Path=/signin"]);
        let other = Url::parse("https://op.test/signing").expect("a URL");
        assert_eq!(jar.header(&url, false, Site::Provider).as_deref(), Some("a=1; b=2"));
        assert_eq!(jar.header(&other, false, Site::Provider), None);
        let mut headers = HeaderMap::new();
        headers
            .append(SET_COOKIE, "b=; Path=/signin; Expires=Thu, 01 Jan 1970 00:00:00 GMT".parse().expect("a header"));
        jar.take(&url, &headers);
        assert_eq!(jar.header(&url, false, Site::Provider).as_deref(), Some("a=1"));
    }
}
