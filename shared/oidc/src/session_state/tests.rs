use proptest::prelude::*;

use super::*;

#[test]
fn the_state_is_the_hash_of_the_four_and_the_salt() {
    // printf 'app https://app.example state salt' | sha256sum
    let expected = "4ca2b64cfe67e32414996d650625a011af070db696c62b72e0061ed618dabbbf.salt";
    assert_eq!(compute("app", "https://app.example", "state", "salt"), expected);
    assert_ne!(compute("app", "https://app.example", "other", "salt"), expected);
}

#[test]
fn the_origin_is_what_a_browser_says() {
    for (uri, origin) in [
        ("https://app.example/cb", "https://app.example"),
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example:443/cb?a=b", "https://app.example"),
        ("http://127.0.0.1:8080/cb", "http://127.0.0.1:8080"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://[::1]/", "http://[::1]"),
        ("http://[::1]:8080#x", "http://[::1]:8080"),
    ] {
        assert_eq!(origin_of(uri).as_deref(), Some(origin), "{uri}");
    }
    for uri in [
        "oc://android.opencloud.eu",
        "com.example.app:/cb",
        "urn:ietf:wg:oauth:2.0:oob",
        "",
        "https://",
        "https://a b/",
        "https://u@a/",
        "https://a:0/",
        "https://a:99999/",
        "https://a:/",
    ] {
        assert_eq!(origin_of(uri), None, "{uri}");
    }
}

proptest! {
    #[test]
    fn no_uri_breaks_the_origin(uri in ".{0,80}", rest in "[a-z:/?#@\\[\\]0-9.]{0,40}") {
        for uri in [uri, format!("https://{rest}")] {
            if let Some(origin) = origin_of(&uri) {
                prop_assert_eq!(origin_of(&origin), Some(origin.clone()), "it is its own origin");
            }
        }
    }
}
