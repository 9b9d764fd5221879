//! The cookies of the edge, which are hidden from backends.

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use web::cookie::{Lifetime, SameSite, SetCookie, prefixed, without_prefix};

/// The name of the session cookie, after the prefix that browsers interpret.
const NAME: &str = "doorward";
/// The start of the names of sign-in cookies, after that prefix.
const LOGIN: &str = "doorward-login-";

/// The names and attributes of the cookies.
pub struct Cookies {
    is_https: bool,
    domain: Option<String>,
}

impl Cookies {
    /// Cookies for an edge with or without https. The session cookie is sent to this domain, or only to the host that set it.
    pub fn new(is_https: bool, domain: Option<&str>) -> Self {
        Self { is_https, domain: domain.map(str::to_owned) }
    }

    /// The name of the session cookie.
    pub fn session(&self) -> String {
        prefixed(NAME, self.is_https, self.domain.as_deref())
    }

    /// The start of the names of sign-in cookies; several sign-ins may be in progress.
    pub fn logins(&self) -> String {
        prefixed(LOGIN, self.is_https, None)
    }

    /// `Set-Cookie` for the session; deletes the cookie if `seconds` is 0.
    pub fn set_session(&self, value: &str, seconds: u64) -> HeaderValue {
        self.set(&self.session(), value, seconds).domain(self.domain.as_deref()).into_header()
    }

    /// `Set-Cookie` for a sign-in; deletes the cookie if `seconds` is 0.
    pub fn set_login(&self, name: &str, value: &str, seconds: u64) -> HeaderValue {
        self.set(name, value, seconds).into_header()
    }

    fn set(&self, name: &str, value: &str, seconds: u64) -> SetCookie {
        let lifetime = Lifetime::For(Duration::from_secs(seconds));
        SetCookie::new(name, value, lifetime).http_only().same_site(SameSite::Lax).secure(self.is_https)
    }
}

/// Whether a backend must not see the cookie with this name, whatever the settings are at present: the cookies of the edge, and,
/// for backends other than Doorward's services, those of idp too, whose pages may be on the same host.
fn is_ours(name: &[u8], of_family: bool) -> bool {
    let name = without_prefix(name.trim_ascii());
    let others = if of_family { LOGIN } else { "doorward-" };
    name == NAME.as_bytes() || name.starts_with(others.as_bytes())
}

/// Removes Doorward's cookies from a request to a backend; idp, one of Doorward's services, gets its own.
pub fn strip(headers: &mut HeaderMap, of_family: bool) {
    remove_where(headers, |name| is_ours(name, of_family));
}

/// Removes the cookie with this name from a request to a backend.
pub fn remove(headers: &mut HeaderMap, name: &str) {
    remove_where(headers, |other| other.trim_ascii() == name.as_bytes());
}

/// Removes cookies from a request by their names.
fn remove_where(headers: &mut HeaderMap, is_removed: impl Fn(&[u8]) -> bool) {
    let is_removed = |pair: &[u8]| is_removed(pair.split(|byte| *byte == b'=').next().unwrap_or_default());
    let has_one = |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b';').any(is_removed);
    if !headers.get_all(COOKIE).iter().any(has_one) {
        return;
    }
    let lines: Vec<_> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let pairs = line.as_bytes().split(|byte| *byte == b';').filter(|pair| !is_removed(pair));
        let kept: Vec<_> = pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect();
        if !kept.is_empty()
            && let Ok(line) = HeaderValue::from_bytes(&kept.join(&b"; "[..]))
        {
            headers.append(COOKIE, line);
        }
    }
}

/// Removes Doorward's cookies from a backend's response: it could fix the session of a user.
pub fn strip_set(headers: &mut HeaderMap, of_family: bool) {
    remove_set_where(headers, |name| is_ours(name, of_family));
}

/// Removes the cookie with this name from a backend's response.
pub fn remove_set(headers: &mut HeaderMap, name: &str) {
    remove_set_where(headers, |other| other.trim_ascii() == name.as_bytes());
}

/// Removes cookies from a response by their names.
fn remove_set_where(headers: &mut HeaderMap, is_removed: impl Fn(&[u8]) -> bool) {
    let is_removed = |value: &HeaderValue| {
        let pair = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        is_removed(pair.split(|byte| *byte == b'=').next().unwrap_or_default())
    };
    if !headers.get_all(SET_COOKIE).iter().any(is_removed) {
        return;
    }
    let lines: Vec<_> = headers.get_all(SET_COOKIE).iter().filter(|value| !is_removed(value)).cloned().collect();
    headers.remove(SET_COOKIE);
    for line in lines {
        headers.append(SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &http::HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    fn after(lines: &[&'static str], change: fn(&mut HeaderMap, bool), name: &http::HeaderName) -> Vec<String> {
        let mut headers = headers(name, lines);
        change(&mut headers, false);
        headers.get_all(name).iter().map(|value| value.to_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn only_idp_gets_its_own_cookies() {
        let line = "__Host-doorward-session=a; doorward-browser=b; __Host-doorward=c; doorward-login-x=d; e=f";
        assert_eq!(after(&[line], strip, &COOKIE), ["e=f"]);
        let mut idp = headers(&COOKIE, &[line]);
        strip(&mut idp, true);
        assert_eq!(idp[COOKIE], "__Host-doorward-session=a; doorward-browser=b; e=f");
        assert!(after(&["__Host-doorward-session=a; Path=/"], strip_set, &SET_COOKIE).is_empty());
    }

    #[test]
    fn one_cookie_is_removed_by_its_name() {
        let mut sent = headers(&COOKIE, &["a=1; selector=b ; selectors=c", "selector=d", " selector=e"]);
        remove(&mut sent, "selector");
        assert_eq!(sent.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; selectors=c"]);
        let mut received = headers(&SET_COOKIE, &["selector=a; Path=/", " selector =b", "selectors=c"]);
        remove_set(&mut received, "selector");
        assert_eq!(received.get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["selectors=c"]);
    }

    #[test]
    fn backends_see_only_their_own_cookies() {
        assert_eq!(after(&["a=1; __Host-doorward=x; b=2"], strip, &COOKIE), ["a=1; b=2"]);
        assert_eq!(after(&["doorward=x", "c=3"], strip, &COOKIE), ["c=3"]);
        assert!(after(&["doorward=x;__Host-doorward-login-ab=y ; __Secure-doorward=z"], strip, &COOKIE).is_empty());
        assert_eq!(after(&["doorwardx=1; a==; b"], strip, &COOKIE), ["doorwardx=1; a==; b"]);
        let set = after(&["a=1; Path=/", "__Host-doorward=x; Path=/", " doorward =y"], strip_set, &SET_COOKIE);
        assert_eq!(set, ["a=1; Path=/"]);
    }

    #[test]
    fn cookies_are_written_as_browsers_want_them() {
        let text = |value: HeaderValue| value.to_str().expect("text").to_owned();
        let own = Cookies::new(true, None);
        let expected = "__Host-doorward=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=9";
        assert_eq!(text(own.set_session("v", 9)), expected);
        let shared = Cookies::new(true, Some("example.org"));
        let expected = "__Secure-doorward=v; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.org; Max-Age=9";
        assert_eq!(text(shared.set_session("v", 9)), expected);
        assert_eq!(shared.logins(), "__Host-doorward-login-", "a sign-in is always the own host's");
        let plain = Cookies::new(false, None);
        assert_eq!(text(plain.set_session("v", 0)), "doorward=v; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    }
}
