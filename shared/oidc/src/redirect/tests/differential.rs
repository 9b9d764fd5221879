//! The rules against the slow reference, on inputs that almost match.
//!
//! A million inputs: `PROPTEST_CASES=1000000 cargo test -p oidc the_rules_and_the_slow_reference_agree`.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::reference::{Client, verdict};
use crate::redirect::{AnyPort, RedirectRules, Sites, Terms};

/// Fewer than this proves little; the variable `PROPTEST_CASES` asks for more.
const CASES: u32 = 20_000;

/// A change to a URI that a careless comparison would not see.
#[derive(Debug, Clone)]
enum Change {
    /// Something put in at a place.
    Insert(prop::sample::Index, &'static str),
    /// Something put at the end.
    Append(&'static str),
    /// Something put in behind the scheme.
    AfterScheme(&'static str),
    /// Something put in behind the host.
    AfterHost(&'static str),
    /// One character taken out.
    Remove(prop::sample::Index),
    /// The case of one character changed.
    Case(prop::sample::Index),
    /// One character in percent form.
    Encode(prop::sample::Index),
    /// Something in place of something else.
    Replace(&'static str, &'static str),
    /// Another port, or one where there is none.
    Port(String),
    /// Another path and query.
    Rest(&'static str),
}

impl Change {
    fn apply(&self, uri: &str) -> String {
        let at = |index: &prop::sample::Index| index.index(uri.chars().count().max(1));
        let cut = |place: usize| uri.char_indices().nth(place).map_or(uri.len(), |(byte, _)| byte);
        let authority = uri.find("://").map_or(0, |at| at + 3);
        let end_of_host = uri[authority..].find(['/', '?', '#']).map_or(uri.len(), |at| authority + at);
        let at_byte = |byte: usize, text: &str| format!("{}{text}{}", &uri[..byte], &uri[byte..]);
        let changed = |index: &prop::sample::Index, change: &dyn Fn(char) -> String| {
            let place = at(index);
            uri.chars().enumerate().map(|(here, c)| if here == place { change(c) } else { c.to_string() }).collect()
        };
        match self {
            Self::Insert(index, text) => at_byte(cut(at(index)), text),
            Self::Append(text) => format!("{uri}{text}"),
            Self::AfterScheme(text) => at_byte(authority, text),
            Self::AfterHost(text) => at_byte(end_of_host, text),
            Self::Remove(index) => changed(index, &|_| String::new()),
            Self::Case(index) => changed(index, &|c| {
                let other = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                other.to_string()
            }),
            Self::Encode(index) => {
                changed(index, &|c| if c.is_ascii() { format!("%{:02x}", u32::from(c)) } else { String::new() })
            }
            Self::Replace(from, to) => uri.replacen(from, to, 1),
            Self::Rest(rest) => format!("{}{rest}", &uri[..end_of_host]),
            Self::Port(port) => {
                let host = &uri[authority..end_of_host];
                let bare = if host.starts_with('[') { host.find(']').map_or(host.len(), |at| at + 1) } else { 0 };
                let old = host[bare..].find(':').map_or(end_of_host, |at| authority + bare + at);
                format!("{}{port}{}", &uri[..old], &uri[end_of_host..])
            }
        }
    }
}

const PIECES: &[&str] = &[
    "/",
    "//",
    "\\",
    ".",
    "..",
    "/..",
    "/.",
    "?",
    "?x=1",
    "&x=1",
    "#",
    "#x",
    "@",
    "@evil.example",
    ":80",
    ":",
    "%2f",
    "%2e",
    "%00",
    "%",
    "*",
    " ",
    "\t",
    "\n",
    "\0",
    "ü",
    ".evil.example",
    "[",
    "]",
    "0",
];

const REPLACEMENTS: &[(&str, &str)] = &[
    ("http:", "https:"),
    ("https:", "http:"),
    ("localhost", "127.0.0.1"),
    ("127.0.0.1", "localhost"),
    ("127.0.0.1", "[::1]"),
    ("127.0.0.1", "127.0.0.2"),
    ("[::1]", "127.0.0.1"),
    ("[::1]", "[0:0:0:0:0:0:0:1]"),
    ("://", ":/"),
    ("://", ":\\\\"),
    ("/cb", "/cb/"),
    ("a.example", "a.example.evil.example"),
];

fn port() -> impl Strategy<Value = String> {
    let edges: &[&str] = &[
        "",
        ":",
        ":0",
        ":1",
        ":80",
        ":080",
        ":443",
        ":3635",
        ":3636",
        ":3650",
        ":3666",
        ":3667",
        ":03636",
        ":51004",
        ":65534",
        ":65535",
        ":65536",
        ":99999",
        ":+80",
        ":-1",
        ":8o",
        ":1:2",
        ":1e3",
        ":00",
        ":80 ",
        ":[3636-3666]",
    ];
    prop_oneof![4 => select(edges).prop_map(str::to_owned), 1 => any::<u16>().prop_map(|port| format!(":{port}"))]
}

fn change() -> impl Strategy<Value = Change> {
    let piece = || select(PIECES);
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => (index(), piece()).prop_map(|(index, text)| Change::Insert(index, text)),
        2 => piece().prop_map(Change::Append),
        1 => select(vec!["user@", "user:pass@", "@", "evil.example/", "evil.example@", "%6c"]).prop_map(Change::AfterScheme),
        2 => piece().prop_map(Change::AfterHost),
        1 => index().prop_map(Change::Remove),
        1 => index().prop_map(Change::Case),
        1 => index().prop_map(Change::Encode),
        2 => select(REPLACEMENTS).prop_map(|(from, to)| Change::Replace(from, to)),
        5 => port().prop_map(Change::Port),
        3 => select(RESTS).prop_map(Change::Rest),
    ]
}

fn changed(uri: &str, changes: &[Change]) -> String {
    changes.iter().fold(uri.to_owned(), |uri, change| change.apply(&uri))
}

/// Valid paths and queries; none and a common one more often.
const RESTS: &[&str] = &["", "", "/", "/cb", "/cb", "/cb/", "/servers/callback", "/cb?x=1", "?x=1"];

const ANY_START: &[&str] = &[
    "http://127.0.0.1",
    "http://[::1]",
    "http://localhost",
    "HTTP://LocalHost",
    "https://a.example",
    "https://127.0.0.1",
    "http://a.example",
    "http://127.0.0.2",
    "http://127.0.0.1.evil.example",
    "http://[0:0:0:0:0:0:0:1]",
    "oc://android.opencloud.eu",
    "cellsauth://callback",
    "com.example.app:",
    "com.example.app://",
    "javascript:",
    "Data://a",
    "#default_bind#",
    "#binds...#",
    "#insecure_binds...#",
    "#other#",
    "https://",
];

const ANY_PORT: &[&str] = &[
    "",
    ":80",
    ":3000",
    ":65535",
    ":0",
    ":080",
    ":65536",
    ":[3636-3666]",
    ":[1-3]",
    ":[65530-65535]",
    ":[65530-65536]",
    ":[0-2]",
    ":[5-4]",
    ":[7-7]",
    ":[1-]",
    ":[08-9]",
    ":[1-2]3",
    ":8080",
];

const ANY_REST: &[&str] = &[
    "",
    "/",
    "/cb",
    "/cb/",
    "/servers/callback",
    "/cb?x=1",
    "?x=1",
    "?",
    "/cb?x=[1-2]",
    "/a/../b",
    "/%2e/b",
    "/%zz",
    "/*",
    "/cb#f",
    "/a b",
    "/a:[1-2]",
    ".evil.example/cb",
    "@evil.example/cb",
];

/// Registrations of each kind: most of them valid, some random, some valid ones with mistakes.
fn registration() -> impl Strategy<Value = String> {
    let slips = prop::collection::vec(change(), 1..3);
    prop_oneof![
        6 => good_registration(),
        1 => of_parts(ANY_START, ANY_PORT, ANY_REST),
        1 => (good_registration(), slips).prop_map(|(uri, slips)| changed(&uri, &slips)),
    ]
}

fn good_registration() -> impl Strategy<Value = String> {
    let loopback: &[&str] =
        &["http://127.0.0.1", "http://[::1]", "http://localhost", "http://localhost", "HTTP://LocalHost"];
    let ranges: &[&str] = &[":[3636-3666]", ":[1-3]", ":[65530-65535]", ":[7-7]"];
    let schemes: &[&str] =
        &["oc://android.opencloud.eu", "cellsauth://callback", "com.example.app:", "x.y://", "x://a:80"];
    let macros: &[&str] = &["#default_bind#", "#binds...#", "#insecure_binds...#"];
    prop_oneof![
        4 => of_parts(loopback, &["", "", ":80", ":3000", ":65535"], RESTS),
        2 => of_parts(&["http://localhost", "http://localhost", "http://127.0.0.1", "https://a.example"], ranges, RESTS),
        2 => of_parts(&["https://a.example", "https://127.0.0.1", "https://[::1]"], &["", "", ":8443"], RESTS),
        2 => of_parts(schemes, &[""], RESTS),
        2 => of_parts(macros, &["", "", "", ":[1-3]"], RESTS),
        1 => of_parts(&["http://a.example", "http://127.0.0.2"], &["", ":[3636-3666]"], &["", "/cb"]),
    ]
}

fn of_parts(
    starts: &'static [&'static str],
    ports: &'static [&'static str],
    rests: &'static [&'static str],
) -> impl Strategy<Value = String> {
    (select(starts), select(ports), select(rests)).prop_map(|(start, port, rest)| format!("{start}{port}{rest}"))
}

fn client() -> impl Strategy<Value = Client> {
    let sites: [&[&str]; 4] = [
        &[],
        &["https://a.example"],
        &["https://a.example", "http://a.lan:8080"],
        &["http://localhost:8080", "http://b.lan"],
    ];
    let insecure: [&[&str]; 4] = [
        &[],
        &["#insecure_binds...#/cb", "#insecure_binds...#"],
        &["http://a.example/cb", "http://127.0.0.2", "http://a.example:[3636-3666]"],
        &["#binds...#/cb", "http://a.example"],
    ];
    let any_port = select(vec![AnyPort::Never, AnyPort::Addresses, AnyPort::AddressesAndLocalhost]);
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    (registration(), any_port, select(sites.to_vec()), select(insecure.to_vec())).prop_map(
        move |(registration, any_port, sites, insecure)| Client {
            registration,
            any_port,
            sites: owned(sites),
            insecure: owned(insecure),
        },
    )
}

/// A client and the redirect URI of a request: a registered one, an example of it, or one with changes.
fn case() -> impl Strategy<Value = (Client, String)> {
    let changes = prop_oneof![2 => Just(0..1), 3 => Just(1..2), 1 => Just(2..4)]
        .prop_flat_map(|count| prop::collection::vec(change(), count));
    let stray = prop_oneof![30 => Just(None), 1 => ".{0,30}".prop_map(Some)];
    (client(), any::<prop::sample::Index>(), 0..10_u32, changes, stray).prop_map(
        |(client, index, offset, changes, stray)| {
            let example = stray.unwrap_or_else(|| changed(&example(&client, index, offset), &changes));
            (client, example)
        },
    )
}

/// The registration with a site for its macro and a port, mostly one of its range, for that.
fn example(client: &Client, index: prop::sample::Index, offset: u32) -> String {
    let site =
        if client.sites.is_empty() { "https://a.example" } else { &client.sites[index.index(client.sites.len())] };
    let mut uri = client.registration.clone();
    for name in ["#default_bind#", "#binds...#", "#insecure_binds...#"] {
        uri = uri.replacen(name, site, 1);
    }
    let range = uri.find(":[").and_then(|at| uri[at..].find(']').map(|end| (at, at + end)));
    if let Some((at, end)) = range {
        let min: u32 = uri[at + 2..end].split('-').next().and_then(|min| min.parse().ok()).unwrap_or(1);
        uri = format!("{}:{}{}", &uri[..at], min + offset, &uri[end + 1..]);
    }
    uri
}

/// What the rules say, in the words of the reference.
fn found(client: &Client, presented: &str) -> Option<bool> {
    let sites = Sites::parse(client.sites.iter().map(String::as_str)).expect("sites");
    let terms = Terms { any_port: client.any_port, sites: &sites, insecure: &client.insecure };
    let redirect = RedirectRules::parse([client.registration.as_str()], &terms).ok()?.find(presented);
    assert!(redirect.as_ref().is_none_or(|redirect| redirect.as_str() == presented));
    Some(redirect.is_some())
}

#[test]
fn the_rules_and_the_slow_reference_agree() {
    let cases = Config::default().cases.max(CASES);
    let (registered, matched) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&case(), |(client, presented)| {
        let found = found(&client, &presented);
        prop_assert_eq!(found, verdict(&client, &presented));
        registered.set(registered.get() + u32::from(found.is_some()));
        matched.set(matched.get() + u32::from(found == Some(true)));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // an input that is refused anyway, or matches anyway, says little
    let share = |count: &Cell<u32>| f64::from(count.get()) / f64::from(cases);
    assert!((0.5..0.9).contains(&share(&registered)), "registered: {}", share(&registered));
    assert!((0.1..0.5).contains(&share(&matched)), "matched: {}", share(&matched));
}
