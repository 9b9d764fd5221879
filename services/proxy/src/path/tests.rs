use proptest::prelude::*;

use super::*;

fn parse(raw: &str) -> Result<Path<'_>, PathError> {
    Path::parse(raw, Leniency::default())
}

#[test]
fn ordinary_paths_are_passed_on_as_they_came() {
    for (raw, decoded) in [
        ("/", "/"),
        ("/dav/spaces/1$2/Photos/", "/dav/spaces/1$2/Photos/"),
        ("/a%20b/%C3%A4", "/a b/ä"),
        ("/100%25.txt", "/100%.txt"),
        ("/.well-known/openid-configuration", "/.well-known/openid-configuration"),
        ("/...", "/..."),
        ("/a%3Bb", "/a;b"),
    ] {
        let path = parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!((path.raw(), path.decoded()), (raw, decoded));
    }
}

#[test]
fn e5_paths_with_two_readings_are_refused() {
    for raw in [
        "",
        "*",
        "pub",
        "//",
        "//pub",
        "/pub//admin",
        "/pub/../admin",
        "/pub/..",
        "/./pub",
        "/pub/.",
        "/pub/..%2fadmin",
        "/pub/..%2Fadmin",
        "/pub/%2e%2e/admin",
        "/pub/.%2e/admin",
        "/pub%5cadmin",
        "/pub\\..\\admin",
        "/pub/..;/admin",
        "/pub;x=1/admin",
        "/pub/..%3b/admin",
        "/pub/%00",
        "/pub/%0d%0a",
        "/pub/\u{7f}",
        "/a%",
        "/a%2",
        "/a%zz",
        "/%ff",
        "/%252e%252e/admin",
        "/%252fadmin",
        "/%25252f",
        "/%c0%af",
        "/pub/..%20/admin",
        "/a?b",
        "/a#b",
        "/pub/..%2fadmin//x/../y",
    ] {
        assert_eq!(parse(raw), Err(PathError::Ambiguous), "{raw}");
    }
}

#[test]
fn e9_a_long_path_is_refused() {
    assert_eq!(parse(&format!("/{}", "a".repeat(MAX_TARGET))), Err(PathError::TooLong));
}

#[test]
fn semicolons_are_accepted_where_that_is_asked_for_but_not_behind_dots() {
    let lenient = Leniency { semicolons: true };
    assert!(Path::parse("/files;v=1/a", lenient).is_ok());
    assert_eq!(Path::parse("/pub/..;/admin", lenient), Err(PathError::Ambiguous));
}

proptest! {
    #[test]
    fn whatever_is_accepted_has_the_segments_it_shows(raw in "[/a%2fFeE5cC0.;\\\\?# \\x00-\\x1f]{0,24}") {
        if let Ok(path) = parse(&raw) {
            prop_assert!(path.decoded().starts_with('/'));
            prop_assert!(!path.decoded().contains("//") || path.decoded() == "/");
            prop_assert!(path.decoded().split('/').all(|segment| segment != ".." && segment != "."));
            prop_assert_eq!(path.raw().matches('/').count(), path.decoded().matches('/').count());
        }
    }

    #[test]
    fn no_input_is_too_odd(raw in any::<String>()) {
        let _ = parse(&raw);
    }
}
