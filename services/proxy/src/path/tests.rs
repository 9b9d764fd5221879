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

fn readings(raw: &str) -> Vec<String> {
    let paths = Paths::parse(raw, Leniency::default()).unwrap_or_else(|error| panic!("{raw}: {error}"));
    paths.readings().map(|path| path.decoded().to_owned()).collect()
}

#[test]
fn names_that_servers_read_differently_have_every_reading() {
    for (raw, expected) in [
        ("/a b", &["/a b"][..]),
        ("/./a:b.txt", &["/a:b.txt"]),
        ("/dav/./a:b.txt", &["/dav/a:b.txt"]),
        ("/a;b.txt", &["/a;b.txt", "/a"]),
        ("/x/a\\b", &["/x/a\\b", "/x/a/b"]),
        ("/x/a%5Cb", &["/x/a\\b", "/x/a/b"]),
        ("/group%2Fproject/x", &["/group%2Fproject/x", "/group/project/x"]),
        ("/100%25.txt", &["/100%.txt"]),
        ("/a%2541", &["/a%41"]),
        ("/a%252Fb", &["/a%2Fb", "/a/b"]),
        ("/a%25252Fb/", &["/a%252Fb/", "/a%2Fb/", "/a/b/"]),
        ("/a;x%2Fb", &["/a;x%2Fb", "/a;x/b", "/a", "/a/b"]),
    ] {
        assert_eq!(readings(raw), expected, "{raw}");
        assert_eq!(Paths::parse(raw, Leniency::default()).expect("a path").literal().raw(), raw);
    }
}

#[test]
fn paths_that_lead_upwards_for_some_server_are_refused_on_opaque_routes_too() {
    for raw in [
        "",
        "*",
        "pub",
        "//pub",
        "/pub//admin",
        "/pub/../admin",
        "/pub/..",
        "/pub/..%2fadmin",
        "/pub/%2e%2e/admin",
        "/pub/a%2f%2e%2e%2fadmin",
        "/pub/..%5cadmin",
        "/pub\\..\\admin",
        "/pub/..;/admin",
        "/pub/..;x%2fadmin",
        "/pub/..%3b/admin",
        "/pub/%252e%252e/admin",
        "/pub/..%252fadmin",
        "/pub/..%255cadmin",
        "/pub/%25252e%25252e/admin",
        "/pub/..%20/admin",
        "/pub/%20..%2fadmin",
        "/pub/%00",
        "/pub/%2500",
        "/pub/%0d%0a",
        "/a%",
        "/a%zz",
        "/%ff",
        "/%2525252525252525",
        "/a?b",
        "/a#b",
    ] {
        assert_eq!(Paths::parse(raw, Leniency::default()), Err(PathError::Ambiguous), "{raw}");
    }
}

proptest! {
    #[test]
    fn no_reading_of_an_accepted_path_leads_upwards(raw in "/[/a%2fFeE5cC0.;\\\\ ]{0,24}") {
        if let Ok(paths) = Paths::parse(&raw, Leniency::default()) {
            for path in paths.readings() {
                let decoded = path.decoded();
                prop_assert!(decoded.starts_with('/') && path.raw() == raw);
                prop_assert!(decoded.split(['/', '\\']).all(|segment| segment != ".."), "{}", decoded);
            }
        }
    }
}
