use proptest::prelude::*;

use crate::redirect::{MAX_RETURN_TO, same_origin_path};

#[test]
fn i4_only_a_path_of_the_own_origin_is_returned_to() {
    for good in [
        "/",
        "/account",
        "/a/b/",
        "/a?next=//evil",
        "/a?u=https%3A%2F%2Fa%2Fb&x=%09",
        "/%C3%BC%20b",
        "/a:b@c",
        "/100%25",
    ] {
        assert_eq!(same_origin_path(good), Some(good));
    }
    for wrong in [
        "//evil",
        "/\\evil",
        "https:evil",
        "%09//evil",
        "\t//evil",
        "/\t/evil",
        "/\n/evil",
        "/\r/evil",
        "/%09/evil",
        "/%2fevil",
        "/%2Fevil",
        "/%5cevil",
        "/%5Cevil",
        "/a/..//evil",
        "/..//evil",
        "/.//evil",
        "///evil",
        "\\\\evil",
        "\\/evil",
        "https://evil",
        "http:/evil",
        "javascript:alert(1)",
        "evil",
        "evil.example/x",
        ".",
        "../x",
        "?x",
        "#x",
        "/#x",
        "/a b",
        "/a\0",
        "/%00",
        "/%7f",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/%é1",
        "/ü",
        "/a?x\\y",
        "/a?x\ty",
        "",
        " /",
        "/\u{2028}/evil",
    ] {
        assert_eq!(same_origin_path(wrong), None, "{wrong:?}");
    }
    let longest = format!("/{}", "x".repeat(MAX_RETURN_TO - 1));
    assert!(same_origin_path(&longest).is_some() && same_origin_path(&format!("{longest}x")).is_none());
}

/// Whose a path is for a browser, which reads `\` as `/` and takes out tabs and line breaks (WHATWG URL 4.4).
fn origin_in_a_browser(path: &str) -> &'static str {
    let stripped: String = path.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let mut first = stripped.trim_matches(|c: char| c <= ' ').chars().map(|c| if c == '\\' { '/' } else { c });
    match (first.next(), first.next()) {
        (Some('/'), Some('/')) => "another",
        (Some('/'), _) => "own",
        _ => "unclear",
    }
}

proptest! {
    #[test]
    fn a_path_to_return_to_stays_at_the_own_origin(text in "[/\\\\\t\n a.%025cfF?#:@-]{0,12}|.{0,20}") {
        if let Some(path) = same_origin_path(&text) {
            prop_assert_eq!(path, &text);
            prop_assert_eq!(origin_in_a_browser(path), "own");
            let decoded = path.split('?').next().unwrap_or_default().replace("%2f", "/").replace("%2F", "/");
            prop_assert_eq!(origin_in_a_browser(&decoded.replace("%5c", "/").replace("%5C", "/")), "own");
        }
    }
}
