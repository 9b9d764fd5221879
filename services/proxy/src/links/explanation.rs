//! Why an OpenCloud has refused the session of a guest.

use authn::Explanation;
use serde::Deserialize;

/// The longest identifier of a share, in bytes.
const LONGEST: usize = 512;

/// What the gateway states.
#[derive(Deserialize)]
struct GuestLinkError {
    r#type: String,
    reason: String,
    share_id: String,
}

/// The share for whose session this is, if the session has expired, so that the web client can offer to open the link again
/// (`docs/security-requirements.md#e50`).
pub(super) fn expired_share(explanation: &Explanation) -> Option<String> {
    if explanation.decoder != "json" {
        return None;
    }
    let GuestLinkError { r#type, reason, share_id } = serde_json::from_slice(&explanation.value).ok()?;
    let is_expired = r#type == "opencloud_guest_link_error" && reason == "session_expired";
    // XML has no way to write control characters
    let is_id = (1..=LONGEST).contains(&share_id.len()) && !share_id.chars().any(char::is_control);
    (is_expired && is_id).then_some(share_id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn share(decoder: &str, value: &str) -> Option<String> {
        expired_share(&Explanation { decoder: decoder.to_owned(), value: value.as_bytes().to_vec() })
    }

    /// Row [E50](../../../../docs/security-requirements.md#e50).
    #[test]
    fn share_is_read_only_from_the_error_of_an_expired_session() {
        let error = |kind: &str, reason: &str, id: &str| {
            json!({ "type": kind, "reason": reason, "share_id": id, "more": 1 }).to_string()
        };
        let (kind, reason, longest) = ("opencloud_guest_link_error", "session_expired", "a".repeat(512));
        assert_eq!(share("json", &error(kind, reason, "a:b:c")).as_deref(), Some("a:b:c"));
        assert_eq!(share("json", &error(kind, reason, &longest)), Some(longest));
        for (decoder, text) in [
            ("plain", error(kind, reason, "a")),
            ("json", error("other", reason, "a")),
            ("json", error(kind, "revoked", "a")),
            ("json", error(kind, reason, "")),
            ("json", error(kind, reason, &"a".repeat(513))),
            ("json", error(kind, reason, "a\nb")),
            ("json", error(kind, reason, "a\u{0}")),
            ("json", "{}".to_owned()),
            ("json", "\u{feff}".to_owned()),
        ] {
            assert_eq!(share(decoder, &text), None, "{decoder} {text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = expired_share(&Explanation { decoder: "json".to_owned(), value });
        }
    }
}
