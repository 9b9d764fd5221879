mod differential;
mod reference;
mod return_to;

use proptest::prelude::*;

use super::*;

fn sites(urls: &[&str]) -> Sites {
    Sites::parse(urls.iter().copied()).expect("sites")
}

/// The rules of a client with these registrations, without sites and exceptions.
fn rules(any_port: AnyPort, registrations: &[&str]) -> Result<RedirectRules, Reason> {
    let terms = Terms { any_port, sites: &Sites::default(), insecure: &[] };
    RedirectRules::parse(registrations.iter().copied(), &terms).map_err(|error| error.reason)
}

fn client(any_port: AnyPort, registrations: &[&str]) -> RedirectRules {
    rules(any_port, registrations).expect("registrations")
}

#[track_caller]
fn accepts(rules: &RedirectRules, uris: &[&str]) {
    for uri in uris {
        assert_eq!(rules.find(uri).as_ref().map(Redirect::as_str), Some(*uri), "{uri}");
    }
}

#[track_caller]
fn refuses(rules: &RedirectRules, uris: &[&str]) {
    for uri in uris {
        assert_eq!(rules.find(uri), None, "{uri}");
    }
}

#[test]
fn i1_the_redirect_uri_is_compared_byte_for_byte() {
    let rules = client(AnyPort::AddressesAndLocalhost, &["https://a/cb"]);
    accepts(&rules, &["https://a/cb"]);
    refuses(
        &rules,
        &[
            "https://a/cb/",
            "https://a/cb?x=1",
            "https://a/cb/../x",
            "HTTPS://A/cb",
            "https://A/cb",
            "https://a%2fcb",
            "https://a@evil/cb",
            "https://a:443/cb",
            "https://a:1/cb",
            "https://a./cb",
            "https://a/CB",
            "https://a/c%62",
            "https://a//cb",
            "https://a\\cb",
            "https://a/cb#",
            "https://a/cb#x",
            "https://a/cb ",
            " https://a/cb",
            "https://a/cb\n",
            "https://a/cb\0",
            "https://a/cb%00",
            "https://a.evil/cb",
            "https://evil/https://a/cb",
            "https:/a/cb",
            "//a/cb",
            "/cb",
            "http://a/cb",
            "https://a/c",
            "https://a",
            "https://а/cb",
            "",
        ],
    );
}

#[test]
fn i1_conformance_a_registered_query_is_part_of_the_uri() {
    let rules = client(AnyPort::Never, &["https://a.example/cb?foo=bar"]);
    accepts(&rules, &["https://a.example/cb?foo=bar"]);
    refuses(
        &rules,
        &[
            "https://a.example/cb",
            "https://a.example/cb?foo=baz",
            "https://a.example/cb?foo=bar&x=1",
            "https://a.example/cb?x=1&foo=bar",
        ],
    );
    assert_eq!(super::tests::rules(AnyPort::Never, &["https://a.example/cb#foobar"]), Err(Reason::Fragment));
}

#[test]
fn i2_only_the_port_of_a_loopback_address_varies() {
    let rules = client(AnyPort::Addresses, &["http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1"]);
    accepts(&rules, &["http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb"]);
    accepts(&rules, &["http://127.0.0.1:65535/cb", "http://[::1]:8080/cb?x=1", "http://[::1]:9/cb?x=1"]);
    accepts(&rules, &["http://[::1]/cb?x=1"]);
    refuses(
        &rules,
        &[
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.2/cb",
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:51004/",
            "http://127.0.0.1:51004",
            "http://127.0.0.1",
            "http://127.0.0.1/",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:8o/cb",
            "http://127.0.0.1:1:2/cb",
            "http://127.0.0.1:1@evil/cb",
            "http://127.0.0.1@evil/cb",
            "http://user@127.0.0.1/cb",
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/cb?x=1",
            "http://127.0.0.1:1//cb",
            "http://127.0.0.1:1/x/../cb",
            "http://127.0.0.1:1/evil/cb",
            "http://127.0.0.1:1\\@evil/cb",
            "http://127.1/cb",
            "http://2130706433/cb",
            "http://localhost/cb",
            "http://[::1]/cb",
            "http://[0:0:0:0:0:0:0:1]/cb?x=1",
            "http://[::1%25eth0]/cb?x=1",
            "http://[::1]8080/cb?x=1",
            "HTTP://127.0.0.1/cb",
        ],
    );
}

#[test]
fn i2_no_other_client_gets_another_port() {
    let exact = client(AnyPort::Never, &["http://127.0.0.1:8080/cb", "http://localhost/cb"]);
    accepts(&exact, &["http://127.0.0.1:8080/cb", "http://localhost/cb"]);
    refuses(&exact, &["http://127.0.0.1/cb", "http://127.0.0.1:8081/cb", "http://localhost:80/cb"]);
    let https = client(AnyPort::AddressesAndLocalhost, &["https://127.0.0.1/cb", "https://localhost/cb"]);
    refuses(&https, &["https://127.0.0.1:1/cb", "https://localhost:1/cb", "http://127.0.0.1/cb"]);
}

#[test]
fn i2_localhost_only_if_registered_literally_and_for_a_client_that_was_built_so() {
    let native = client(AnyPort::Addresses, &["http://localhost/cb", "http://127.0.0.1/cb"]);
    accepts(&native, &["http://localhost/cb", "http://127.0.0.1:1/cb"]);
    refuses(&native, &["http://localhost:1/cb"]);
    let compatible = client(AnyPort::AddressesAndLocalhost, &["http://127.0.0.1/cb"]);
    refuses(&compatible, &["http://localhost/cb", "http://localhost:1/cb"]);
    let compatible = client(AnyPort::AddressesAndLocalhost, &["http://localhost/cb"]);
    accepts(&compatible, &["http://localhost/cb", "http://localhost:1/cb"]);
    refuses(&compatible, &["http://localhost.evil:1/cb", "http://LOCALHOST:1/cb", "http://a.localhost:1/cb"]);
}

#[test]
fn opencloud_clients_are_served_as_documented() {
    let desktop = client(AnyPort::AddressesAndLocalhost, &["http://127.0.0.1", "http://localhost"]);
    // what the desktop sends: a port and no path
    accepts(&desktop, &["http://127.0.0.1:49152", "http://localhost:49152", "http://127.0.0.1", "http://localhost"]);
    accepts(&desktop, &["http://127.0.0.1:49152/", "http://localhost/"]);
    refuses(
        &desktop,
        &["http://127.0.0.1:1/cb", "http://127.0.0.1:1//", "http://127.0.0.1:1?", "http://localhost:1/?x"],
    );
    refuses(&desktop, &["http://127.0.0.1:1/.", "http://[::1]:1", "http://127.0.0.1:/", "http://localhost.evil"]);
    let mobile = client(
        AnyPort::Addresses,
        &["oc://android.opencloud.eu", "oc://ios.opencloud.eu", "oc.ios://ios.owncloud.com"],
    );
    accepts(&mobile, &["oc://android.opencloud.eu", "oc://ios.opencloud.eu", "oc.ios://ios.owncloud.com"]);
    refuses(&mobile, &["oc://android.opencloud.eu/", "oc://android.opencloud.eu.evil", "OC://android.opencloud.eu"]);
    let schemes = client(AnyPort::Addresses, &["x-app-action:oauth", "com.example.app:/cb", "com.example.app://"]);
    accepts(&schemes, &["x-app-action:oauth", "com.example.app:/cb", "com.example.app://"]);
    refuses(&schemes, &["x-app-action:", "com.example.app:/cb/", "com.example.app:///cb", "com.example.app:"]);
}

#[test]
fn cells_clients_are_served_as_documented() {
    let sync =
        ["http://localhost:[3636-3666]", "http://localhost:[3636-3666]/servers/callback", "http://localhost:3000"];
    let sync = client(AnyPort::Never, &sync);
    for port in 3636..=3666 {
        accepts(&sync, &[&format!("http://localhost:{port}"), &format!("http://localhost:{port}/servers/callback")]);
    }
    accepts(&sync, &["http://localhost:3000"]);
    refuses(
        &sync,
        &[
            "http://localhost:3635",
            "http://localhost:3667",
            "http://localhost:03636",
            "http://localhost",
            "http://localhost:3636/",
            "http://localhost:3636/servers/callback/",
            "http://localhost:[3636-3666]",
            "http://127.0.0.1:3636",
            "https://localhost:3636",
            "http://localhost:3636.evil",
            "http://localhost:3636@evil",
        ],
    );
    let mobile = client(AnyPort::Never, &["cellsauth://callback", "cellsauth://serverName"]);
    accepts(&mobile, &["cellsauth://callback", "cellsauth://serverName"]);
    refuses(&mobile, &["cellsauth://servername", "cellsauth://callback?", "cellsauth:callback"]);
    let wide = client(AnyPort::Addresses, &["http://127.0.0.1:[8000-8001]/cb"]);
    accepts(&wide, &["http://127.0.0.1:8000/cb"]);
    refuses(&wide, &["http://127.0.0.1:7999/cb", "http://127.0.0.1/cb"]);
}

#[test]
fn macros_stand_for_the_servers_own_sites() {
    let sites = sites(&["https://cells.example/", "http://cells.lan:8080", "http://localhost:8080"]);
    let insecure = ["#insecure_binds...#/oauth2/oob".to_owned(), "http://cells.lan:8080/auth/callback".to_owned()];
    let terms = Terms { any_port: AnyPort::Never, sites: &sites, insecure: &insecure };
    let of = |registration| RedirectRules::parse([registration], &terms).map_err(|error| error.reason);
    let default = of("#default_bind#/auth/callback").expect("it is https");
    accepts(&default, &["https://cells.example/auth/callback"]);
    refuses(&default, &["http://cells.lan:8080/auth/callback", "#default_bind#/auth/callback"]);
    let all = of("#binds...#/oauth2/oob").expect("they are excepted");
    accepts(&all, &["https://cells.example/oauth2/oob", "http://cells.lan:8080/oauth2/oob"]);
    accepts(&all, &["http://localhost:8080/oauth2/oob"]);
    refuses(
        &all,
        &["http://cells.lan/oauth2/oob", "https://cells.lan:8080/oauth2/oob", "https://cells.example/oauth2/"],
    );
    let insecure = of("#insecure_binds...#/auth/callback").expect("it is excepted");
    accepts(&insecure, &["http://cells.lan:8080/auth/callback"]);
    refuses(&insecure, &["https://cells.example/auth/callback", "http://localhost:8080/auth/callback"]);
    let ranged = of("#default_bind#:[8000-8001]/cb").expect("a range at a site");
    accepts(&ranged, &["https://cells.example:8000/cb", "https://cells.example:8001/cb"]);
    refuses(&ranged, &["https://cells.example/cb", "https://cells.example:8002/cb"]);
    assert_eq!(of("#binds...#/other"), Err(Reason::Insecure), "one of three is not excepted");
    assert_eq!(of("#binds...#:[1-2]/oauth2/oob"), Err(Reason::Port), "a site with a port has no place for a range");
    for wrong in ["#", "##", "#default_bind", "#defaultbind#/cb", "#default_bind#.evil/cb", "#default_bind#@evil/cb"] {
        assert_eq!(of(wrong), Err(Reason::Macro), "{wrong}");
    }
    assert_eq!(of("https://x.example/#default_bind#"), Err(Reason::Fragment));
    for name in ["#default_bind#/cb", "#binds...#/cb", "#insecure_binds...#/cb"] {
        assert_eq!(rules(AnyPort::Never, &[name]), Err(Reason::NoSite), "{name}");
    }
}

#[test]
fn insecure_binds_stand_for_nothing_where_all_is_secure() {
    let sites = sites(&["https://cells.example"]);
    let terms = Terms { any_port: AnyPort::Never, sites: &sites, insecure: &[] };
    assert_eq!(RedirectRules::parse(["#insecure_binds...#/auth/callback"], &terms), Ok(RedirectRules::default()));
}

#[test]
fn a_site_is_a_scheme_a_host_and_a_port() {
    for wrong in ["https://a/b", "https://a?b", "oc://a", "https://a:[1-2]"] {
        assert_eq!(Sites::parse([wrong]).map_err(|error| error.reason), Err(Reason::Site), "{wrong}");
    }
    for wrong in ["a", "https://", "https://u@a", "https://a:0", "https://a#b", "#default_bind#", ""] {
        assert!(Sites::parse([wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn http_is_for_the_loopback_interface() {
    for wrong in
        ["http://a.example/cb", "HTTP://a.example/cb", "http://127.0.0.2/cb", "http://[::2]/cb", "http://127.1/cb"]
    {
        assert_eq!(rules(AnyPort::AddressesAndLocalhost, &[wrong]), Err(Reason::Insecure), "{wrong}");
    }
    let insecure = ["http://a.example/cb".to_owned(), "http://a.example:[1-2]/cb".to_owned()];
    let terms = Terms { any_port: AnyPort::AddressesAndLocalhost, sites: &Sites::default(), insecure: &insecure };
    let of = |registration| RedirectRules::parse([registration], &terms).map_err(|error| error.reason);
    let excepted = of("http://a.example/cb").expect("it is excepted");
    accepts(&excepted, &["http://a.example/cb"]);
    refuses(&excepted, &["http://a.example:80/cb"]);
    accepts(&of("http://a.example:[1-2]/cb").expect("it is excepted"), &["http://a.example:2/cb"]);
    assert_eq!(of("http://a.example/cb/"), Err(Reason::Insecure));
}

#[test]
fn a_registration_that_can_be_read_in_two_ways_is_refused() {
    let cases: &[(Reason, &[&str])] = &[
        (
            Reason::Wildcard,
            &["https://*.a.example/cb", "https://a.example/*", "http://localhost:*", "*", "https://a/?x=*"],
        ),
        (Reason::Fragment, &["https://a/#", "https://a/cb#x", "com.example:/cb#"]),
        (Reason::UserInfo, &["https://u@a/cb", "https://u:p@a/cb", "https://a@b@c/", "oc://u@android", "https://@a/"]),
        (Reason::NoScheme, &["", "a", "/cb", "//a/cb", "127.0.0.1:80", "1a:/cb", ":/cb", "a_b:/cb", "a/b:c"]),
        (
            Reason::Character,
            &[" https://a", "https://a/ b", "https://a\\b", "https://a/\n", "https://a/\0", "https://ä"],
        ),
        (
            Reason::Character,
            &["https://a/%", "https://a/%2", "https://a/%zz", "https://a/[x]", "https://a/<b>", "https://a/\""],
        ),
        (
            Reason::Host,
            &["https://", "https:///cb", "https:a", "https:/a/cb", "http://:80/", "oc://:80", "https://a%2fb/cb"],
        ),
        (
            Reason::Host,
            &["https://[::1/cb", "https://[::g]/cb", "https://[::1]x/cb", "https://a~b/", "https://[]/", "oc://%61"],
        ),
        (
            Reason::Port,
            &["https://a:/", "https://a:0/", "https://a:65536/", "https://a:080/", "https://a:+1/", "https://a:1:2/"],
        ),
        (
            Reason::Range,
            &["http://localhost:[2-1]", "http://localhost:[0-1]", "http://localhost:[1-65536]", "oc://a:[1-2]"],
        ),
        (
            Reason::Range,
            &["http://localhost:[1-]", "http://localhost:[-1]", "http://localhost:[1]", "http://localhost:[1-2"],
        ),
        (
            Reason::Range,
            &[
                "http://localhost:[01-2]",
                "http://localhost:[1-2]3",
                "http://localhost:[1-2-3]",
                "http://localhost:[a-b]",
            ],
        ),
        (
            Reason::DotSegment,
            &["https://a/..", "https://a/./cb", "https://a/x/../cb", "https://a/%2e%2E/cb", "https://a/.%2e?x", "x:.."],
        ),
    ];
    for (reason, registrations) in cases {
        for registration in *registrations {
            assert_eq!(rules(AnyPort::AddressesAndLocalhost, &[registration]), Err(*reason), "{registration:?}");
        }
    }
    for scheme in
        ["javascript", "JavaScript", "data", "file", "vbscript", "blob", "about", "ws", "WSS", "view-source", "urn"]
    {
        let registration = format!("{scheme}://a/cb");
        assert_eq!(rules(AnyPort::Never, &[&registration]), Err(Reason::ForbiddenScheme), "{registration}");
        assert_eq!(rules(AnyPort::Never, &[&format!("{scheme}:x")]), Err(Reason::ForbiddenScheme), "{scheme}");
    }
}

#[test]
fn registrations_are_bounded() {
    let long = |length: usize| format!("https://a/{}", "x".repeat(length - "https://a/".len()));
    let longest = long(MAX_BYTES);
    accepts(&client(AnyPort::Never, &[&longest]), &[&longest]);
    assert_eq!(rules(AnyPort::Never, &[&long(MAX_BYTES + 1)]), Err(Reason::TooLong));
    let loopback = format!("http://127.0.0.1/{}", "x".repeat(MAX_BYTES - "http://127.0.0.1/".len()));
    let native = client(AnyPort::Addresses, &[&loopback]);
    refuses(&native, &[&loopback.replace("127.0.0.1", "127.0.0.1:80")]);
    let many: Vec<String> = (0..=MAX_RULES).map(|number| format!("https://a/{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(rules(AnyPort::Never, &many), Err(Reason::TooMany));
    accepts(&client(AnyPort::Never, &many[1..]), &many[1..]);
    let same = client(AnyPort::Never, &["https://a/cb"; MAX_RULES + 1]);
    assert_eq!(same.sole().expect("duplicates are one").as_str(), "https://a/cb");
}

#[test]
fn a_client_without_redirect_uris_is_redirected_nowhere() {
    let none = client(AnyPort::AddressesAndLocalhost, &[]);
    refuses(&none, &["", "https://a/cb", "http://127.0.0.1"]);
    assert_eq!(none.sole(), None);
}

#[test]
fn only_one_complete_registration_may_be_left_out_of_a_request() {
    let sole = |registrations: &[&str]| client(AnyPort::Addresses, registrations).sole();
    assert_eq!(sole(&["https://a/cb"]).as_ref().map(Redirect::as_str), Some("https://a/cb"));
    assert_eq!(sole(&["https://a/cb", "https://b/cb"]), None);
    assert_eq!(sole(&["http://127.0.0.1/cb"]), None);
    assert_eq!(sole(&["http://localhost:[1-1]/cb"]), None);
}

#[test]
fn an_error_names_the_registration_in_one_line() {
    let terms = Terms { any_port: AnyPort::Never, sites: &Sites::default(), insecure: &[] };
    let error = RedirectRules::parse(["https://a/cb", "https://b/\n*"], &terms).expect_err("a line break");
    assert_eq!(error.to_string(), r#""https://b/\n*" is refused: it has a character that a URI has not"#);
    assert_eq!((error.code(), error.kind()), (ErrorCode::InvalidRedirectUri, Kind::InvalidArgument));
    let error = RedirectRules::parse(["x".repeat(5000).as_str()], &terms).expect_err("too long");
    assert!(error.to_string().len() < 150);
}

#[test]
fn an_answer_is_added_to_what_is_there() {
    let answer = [("code", "a b+c&d=e/f"), ("state", "ü\"<>'#%")];
    let encoded = "code=a%20b%2Bc%26d%3De%2Ff&state=%C3%BC%22%3C%3E%27%23%25";
    for (uri, gap) in [
        ("https://a/cb", "?"),
        ("https://a/cb?x=1", "&"),
        ("https://a/cb?x=1&", ""),
        ("https://a/cb?", ""),
        ("http://127.0.0.1", "?"),
        ("oc://android.opencloud.eu", "?"),
        ("x-app-action:oauth", "?"),
        ("x-app-action:oauth?x", "&"),
    ] {
        let redirect = client(AnyPort::Addresses, &[uri]).find(uri).expect("registered");
        assert_eq!(redirect.in_query(answer), format!("{uri}{gap}{encoded}"));
        assert_eq!(redirect.in_fragment(answer), format!("{uri}#{encoded}"));
        assert_eq!((redirect.in_query([]), redirect.in_fragment([])), (uri.to_owned(), uri.to_owned()));
    }
}

#[test]
fn i4_a_post_logout_uri_is_held_to_the_same_rules() {
    let rules = client(AnyPort::Never, &["https://a.example/"]);
    accepts(&rules, &["https://a.example/"]);
    refuses(&rules, &["https://a.example", "https://a.example/?foo=bar", "https://evil.example/", "//evil.example/"]);
}

proptest! {
    #[test]
    fn any_registration_is_judged_and_what_is_accepted_is_found(text in "(https?|oc|[a-z]{1,3})?:?/{0,2}[a-z\\[\\]:@.0-9#%*?/\\\\-]{0,12}|.{0,40}") {
        let terms = Terms { any_port: AnyPort::AddressesAndLocalhost, sites: &sites(&["https://a"]), insecure: &[] };
        if let Ok(rules) = RedirectRules::parse([text.as_str()], &terms) {
            let literal = !text.starts_with('#') && !text.contains(":[") ;
            prop_assert!(!literal || rules.find(&text).is_some());
        }
    }

    #[test]
    fn what_is_found_stands_unchanged_in_the_answer(presented in "https://a/(cb|x)?|.{0,30}", state in ".{0,20}") {
        let rules = client(AnyPort::Addresses, &["https://a/cb", "http://127.0.0.1", "https://a/x"]);
        if let Some(redirect) = rules.find(&presented) {
            let answer = redirect.in_query([("state", state.as_str())]);
            prop_assert!(answer.strip_prefix(&presented).is_some_and(|rest| rest.starts_with("?state=")));
            prop_assert!(answer.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
