//! The response to a request with the session of a guest that is not accepted, as the web client of an OpenCloud reads it
//! (`docs/security-requirements.md#e50`). It has no challenge: there is no password that would help.

use std::borrow::Cow;

use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{DAV_ERROR, Refusal, XML};
use crate::verdict::GuestRefusal;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The response, for a client of `WebDAV` or of another interface.
pub(super) fn refusal(guest: &GuestRefusal, is_dav: bool) -> Refusal {
    let mut refusal = Refusal::new(StatusCode::UNAUTHORIZED, "");
    let (kind, body) = match (&guest.expired, is_dav) {
        (Some(share), true) => (Some(XML), Cow::Owned(expired_in_xml(share))),
        (Some(share), false) => {
            (Some(JSON), Cow::Owned(json!({ "error_type": "session_expired", "permissionId": share }).to_string()))
        }
        (None, true) => (Some(XML), Cow::Borrowed(DAV_ERROR)),
        (None, false) => (None, Cow::Borrowed("")),
    };
    refusal.body = body;
    match kind {
        Some(kind) => refusal.headers.insert(CONTENT_TYPE, kind),
        None => refusal.headers.remove(CONTENT_TYPE),
    };
    if let Ok(cookie) = HeaderValue::try_from(format!(
        "{}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
        guest.cookie
    )) {
        refusal.headers.insert(SET_COOKIE, cookie);
    }
    refusal
}

fn expired_in_xml(share: &str) -> String {
    let share = escaped(share);
    format!(
        "<d:error xmlns:d=\"DAV\" xmlns:s=\"http://sabredav.org/ns\">\
         <s:Exception>Sabre\\DAV\\Exception\\NotAuthenticated</s:Exception><s:Message>Guest session has expired.</s:Message>\
         <opencloud:details xmlns:opencloud=\"http://opencloud.org/ns\"><opencloud:error_type>session_expired</opencloud:error_type>\
         <opencloud:share_id>{share}</opencloud:share_id></opencloud:details></d:error>"
    )
}

/// A text as the content of an XML element.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};

    use super::*;

    fn refused(expired: Option<&str>, is_dav: bool) -> Refusal {
        let guest = GuestRefusal { cookie: "__Host-oc_guest_session".into(), expired: expired.map(str::to_owned) };
        refusal(&guest, is_dav)
    }

    /// Row [E50](../../../../docs/security-requirements.md#e50).
    #[test]
    fn expired_session_names_its_share_escaped() {
        let json = refused(Some("a\"<&>"), false);
        assert_eq!(json.body, "{\"error_type\":\"session_expired\",\"permissionId\":\"a\\\"<&>\"}");
        assert_eq!(json.headers[CONTENT_TYPE], "application/json");
        let xml = refused(Some("a\"<&>"), true);
        assert!(xml.body.contains("<opencloud:share_id>a&quot;&lt;&amp;&gt;</opencloud:share_id>"), "{}", xml.body);
        assert!(xml.body.starts_with("<d:error xmlns:d=\"DAV\" ") && xml.body.ends_with("</d:error>"), "{}", xml.body);
        assert_eq!(xml.headers[CONTENT_TYPE], "application/xml; charset=utf-8");
    }

    #[test]
    fn refused_session_is_forgotten_by_the_browser_and_not_challenged() {
        for (expired, is_dav) in [(Some("a"), true), (Some("a"), false), (None, true), (None, false)] {
            let refusal = refused(expired, is_dav);
            assert_eq!(
                (refusal.status, &refusal.headers[CACHE_CONTROL]),
                (StatusCode::UNAUTHORIZED, &HeaderValue::from_static("no-store"))
            );
            assert!(!refusal.headers.contains_key(WWW_AUTHENTICATE) && !refusal.is_plain_error());
            let cookie = refusal.headers[SET_COOKIE].to_str().expect("text");
            assert!(
                cookie.starts_with("__Host-oc_guest_session=; Path=/; ") && cookie.contains("; Max-Age=0;"),
                "{cookie}"
            );
        }
        assert_eq!(
            (refused(None, false).body, refused(None, true).body),
            (Cow::Borrowed(""), Cow::Borrowed(DAV_ERROR))
        );
    }
}
