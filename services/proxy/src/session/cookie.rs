//! Writes and reads the cookies of the edge, and hides them from backends.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

/// The start of all names, after the prefix that browsers interpret.
const NAME: &str = "doorward";
/// The prefixes (RFC 6265bis 4.1.3).
const PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];

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
        let prefix = match (self.is_https, &self.domain) {
            (false, _) => "",
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
        };
        format!("{prefix}{NAME}")
    }

    /// The start of the names of sign-in cookies; several sign-ins may be in progress.
    pub fn logins(&self) -> String {
        format!("{}{NAME}-login-", if self.is_https { "__Host-" } else { "" })
    }

    /// `Set-Cookie` for the session; deletes the cookie if `seconds` is 0.
    pub fn set_session(&self, value: &str, seconds: u64) -> HeaderValue {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        self.set(&self.session(), value, seconds, &domain)
    }

    /// `Set-Cookie` for a sign-in; deletes the cookie if `seconds` is 0.
    pub fn set_login(&self, name: &str, value: &str, seconds: u64) -> HeaderValue {
        self.set(name, value, seconds, "")
    }

    fn set(&self, name: &str, value: &str, seconds: u64, more: &str) -> HeaderValue {
        let secure = if self.is_https { "; Secure" } else { "" };
        let line = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}{more}");
        HeaderValue::try_from(line).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// The cookies of a request, in order.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The value of the cookie with this name; `None` unless there is exactly one.
pub fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = all(headers).filter(|(other, _)| *other == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// Whether a backend must not see the cookie with this name, whatever the settings are at present: the cookies of the edge, and,
/// for backends other than Doorward's services, those of idp too, whose pages may be on the same host.
fn is_ours(name: &[u8], of_family: bool) -> bool {
    let name = name.trim_ascii();
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix.as_bytes())).unwrap_or(name);
    let others: &[u8] = if of_family { b"doorward-login-" } else { b"doorward-" };
    bare == NAME.as_bytes() || bare.starts_with(others)
}

/// Removes Doorward's cookies from a request to a backend; idp, one of Doorward's services, gets its own.
pub fn strip(headers: &mut HeaderMap, of_family: bool) {
    let is_ours = |pair: &[u8]| is_ours(pair.split(|byte| *byte == b'=').next().unwrap_or_default(), of_family);
    let has_ours = |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b';').any(is_ours);
    if !headers.get_all(COOKIE).iter().any(has_ours) {
        return;
    }
    let lines: Vec<_> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for line in lines {
        let pairs = line.as_bytes().split(|byte| *byte == b';').filter(|pair| !is_ours(pair));
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
    let is_ours = |value: &HeaderValue| {
        let pair = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        is_ours(pair.split(|byte| *byte == b'=').next().unwrap_or_default(), of_family)
    };
    if !headers.get_all(SET_COOKIE).iter().any(is_ours) {
        return;
    }
    let lines: Vec<_> = headers.get_all(SET_COOKIE).iter().filter(|value| !is_ours(value)).cloned().collect();
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
        let expected = "__Host-doorward=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(text(own.set_session("v", 9)), expected);
        let shared = Cookies::new(true, Some("example.org"));
        let expected = "__Secure-doorward=v; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure; Domain=example.org";
        assert_eq!(text(shared.set_session("v", 9)), expected);
        assert_eq!(shared.logins(), "__Host-doorward-login-", "a sign-in is always the own host's");
        let plain = Cookies::new(false, None);
        assert_eq!(text(plain.set_session("v", 0)), "doorward=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn two_cookies_of_a_name_are_none() {
        let twice = headers(&COOKIE, &["doorward=a; b=c", "doorward=d"]);
        assert_eq!((one(&twice, "doorward"), one(&twice, "b"), one(&twice, "x")), (None, Some("c"), None));
    }
}
