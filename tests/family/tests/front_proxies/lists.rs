//! The one list of headers that clients may not send, as each proxy's configuration has it. What stands between two marks in a page is made
//! of the list in the code.

use std::fs;
use std::path::{Path, PathBuf};

use config::Environment;
use proxy::headers::LISTED;
use regex::Regex;

use crate::front_proxies::page;

/// The lines with these words enclose what is made.
const BEGIN: &str = "headers:begin";
const END: &str = "headers:end";
/// How long a line of a configuration is at most.
const WIDTH: usize = 140;
/// The same for Envoy Gateway: Envoy takes no long regular expressions.
const NARROW: usize = 110;

/// The file with which nginx takes every listed name out.
pub(crate) fn nginx_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/proxies/nginx/doorward-headers.conf")
}

/// A name, or the beginning of those of a family, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Name(&'static str),
    Family(&'static str),
}

/// The list without what a family of it has anyway.
fn items() -> Vec<Item> {
    let item = |name: &'static str| name.strip_suffix('*').map_or(Item::Name(name), Item::Family);
    let families: Vec<&str> = LISTED.iter().filter_map(|name| name.strip_suffix('*')).collect();
    let is_wider =
        |one: &str, other: &str| one.len() < other.len() && other.to_lowercase().starts_with(&one.to_lowercase());
    let is_covered = |item: &Item| match item {
        Item::Name(name) => families.iter().any(|family| name.to_lowercase().starts_with(&family.to_lowercase())),
        Item::Family(name) => families.iter().any(|family| is_wider(family, name)),
    };
    LISTED.into_iter().map(item).filter(|item| !is_covered(item)).collect()
}

/// The family that gRPC-web's `X-User-Agent` is exempt from.
const USER: &str = "X-User-";

/// What follows `X-User-` but for `agent`, for regular expressions that cannot look ahead; `end` is that of the name.
fn not_agent(end: &str) -> String {
    let shorter = ["", "a", "ag", "age", "agen"].map(|begin| format!("{begin}{end}"));
    let other = ["[^a]", "a[^g]", "ag[^e]", "age[^n]", "agen[^t]", "agent."];
    let other = other.map(|begin| if end.is_empty() { format!("{begin}.*") } else { begin.to_owned() });
    shorter.into_iter().chain(other).collect::<Vec<_>>().join("|")
}

fn caddy() -> Vec<String> {
    // a name has letters, digits and these (RFC 9110 5.6.2)
    let odd = "!#$%&'*+.^_`|~".chars().map(|odd| format!("request_header \"-*{odd}*\""));
    let keep = ["vars grpc_web_client {header.X-User-Agent}".to_owned()];
    let listed = items().into_iter().map(|item| match item {
        Item::Name(name) => format!("request_header -{name}"),
        Item::Family(family) => format!("request_header -{family}*"),
    });
    let restore = [
        "@grpc_web expression `{vars.grpc_web_client} != \"\"`".to_owned(),
        "request_header @grpc_web X-User-Agent {vars.grpc_web_client}".to_owned(),
    ];
    odd.chain(keep).chain(listed).chain(restore).collect()
}

fn haproxy() -> Vec<String> {
    let part = |item: Item| match item {
        Item::Name(name) => format!("{}$", name.to_lowercase()),
        Item::Family(USER) => "x-user-(?!agent$)".to_owned(),
        Item::Family(family) => family.to_lowercase(),
    };
    let line = |parts: &[String]| format!("http-request del-header (?i)^({}) -m reg", parts.join("|"));
    wrapped(items().into_iter().map(part), WIDTH, line)
}

fn envoy() -> Vec<String> {
    let matched = |matcher: String| format!("- remove_on_match: {{ key_matcher: {{ {matcher} }} }}");
    // but for Envoy's own, which begin with a colon
    let odd = matched("safe_regex: { regex: '[^a-z0-9:-].*|[^:].*[^a-z0-9-].*' }".to_owned());
    let listed = items().into_iter().flat_map(|item| match item {
        Item::Name(name) => vec![format!("- remove: {}", name.to_lowercase())],
        Item::Family(USER) => not_agent("")
            .split('|')
            .map(|rest| {
                matched(if rest.contains('.') {
                    format!("safe_regex: {{ regex: 'x-user-{rest}' }}")
                } else {
                    format!("exact: x-user-{rest}")
                })
            })
            .collect(),
        Item::Family(family) => vec![matched(format!("prefix: {}", family.to_lowercase()))],
    });
    [odd].into_iter().chain(listed).collect()
}

fn envoy_gateway() -> Vec<String> {
    let line = |parts: &[String]| format!("- {{ type: RegularExpression, value: '{}' }}", parts.join("|"));
    let odd = line(&["[^a-z0-9:-].*|[^:].*[^a-z0-9-].*".to_owned()]);
    let parts = items().into_iter().flat_map(|item| match item {
        Item::Name(name) => vec![name.to_lowercase()],
        Item::Family(USER) => not_agent("").split('|').map(|rest| format!("x-user-{rest}")).collect(),
        Item::Family(family) => vec![format!("{}.*", family.to_lowercase())],
    });
    [odd].into_iter().chain(wrapped(parts, NARROW, line)).collect()
}

fn traefik() -> Vec<String> {
    let separated = |name: &str| name.to_lowercase().replace('-', "[\\W_]");
    let part = |item: Item| match item {
        Item::Name(name) => format!("{}$", separated(name)),
        Item::Family(USER) => format!("{}(?:{})", separated(USER), not_agent("$")),
        Item::Family(family) => separated(family),
    };
    let all = items().into_iter().map(part).collect::<Vec<_>>().join("|");
    vec![format!("authResponseHeadersRegex: '(?i)^(?:forwarded$|{all})'")]
}

fn nginx() -> Vec<String> {
    let names = LISTED.iter().filter(|name| !name.ends_with('*'));
    names.map(|name| format!("proxy_set_header {name} \"\";")).collect()
}

fn book() -> Vec<String> {
    let (families, names): (Vec<&str>, Vec<&str>) = LISTED.into_iter().partition(|name| name.ends_with('*'));
    let listed = |names: &[&str]| {
        let line = |parts: &[String]| format!("{},", parts.join(", "));
        wrapped(names.iter().map(|name| format!("`{name}`")), WIDTH, line)
    };
    let (mut families, mut names) = (listed(&families), listed(&names));
    for list in [&mut families, &mut names] {
        if let Some(last) = list.last_mut() {
            *last = format!("{}.", last.trim_end_matches(','));
        }
    }
    let (families_are, names_are) = ("Families:".to_owned(), "Names:".to_owned());
    [vec![families_are], families, vec![String::new(), names_are], names].concat()
}

/// Parts in as few lines as are not too long.
fn wrapped(parts: impl Iterator<Item = String>, width: usize, line: impl Fn(&[String]) -> String) -> Vec<String> {
    let (mut lines, mut current) = (Vec::new(), Vec::<String>::new());
    for part in parts {
        current.push(part);
        if line(&current).len() > width && current.len() > 1 {
            let next = current.pop();
            lines.push(line(&current));
            current = next.into_iter().collect();
        }
    }
    if !current.is_empty() {
        lines.push(line(&current));
    }
    lines
}

/// A text with other lines between its marks, as far in as the first mark; for each pair of marks there are lines.
fn with(text: &str, place: &str, made: &[Vec<String>]) -> String {
    let (mut all, mut made) = (Vec::new(), made.iter());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        all.push(line.to_owned());
        if line.contains(BEGIN) {
            let made = made.next().unwrap_or_else(|| panic!("{place} has too many lines with {BEGIN}"));
            let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
            all.extend(made.iter().map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") }));
            let end = lines.find(|line| line.contains(END));
            all.push(end.unwrap_or_else(|| panic!("{place} has no line with {END}")).to_owned());
        }
    }
    assert!(made.next().is_none(), "{place} has too few lines with {BEGIN}");
    all.join("\n") + "\n"
}

/// Envoy compares the whole name.
#[test]
fn expressions_for_envoy_gateway_fit_the_names_of_the_list_and_no_others() {
    let lines = envoy_gateway();
    let value = |line: &String| line.split('\'').nth(1).expect("a value").to_owned();
    let expressions: Vec<_> =
        lines.iter().map(|line| Regex::new(&format!("^(?:{})$", value(line))).expect("an expression")).collect();
    assert!(lines.len() < 64 && lines.iter().all(|line| line.len() <= NARROW), "{lines:?}");
    let fits = |name: &str| expressions.iter().any(|expression| expression.is_match(name));
    for name in LISTED {
        let name = name.to_lowercase().replace('*', "abc");
        assert!(fits(&name), "{name}");
        assert!(fits(&name.replace('-', "_")) || !name.contains('-'), "{name}");
    }
    for name in [":path", "host", "content-type", "x-user-agent", "x-csrf-token", "upload-offset", "x-requested-with"] {
        assert!(!fits(name), "{name}");
    }
}

#[test]
fn every_configuration_has_the_headers_of_the_list() {
    let page = |name: &str| PathBuf::from(page::path(name));
    for (path, made) in [
        (page("caddy"), vec![caddy()]),
        (page("haproxy"), vec![haproxy()]),
        // Envoy's own configuration, Istio's, and Envoy Gateway's
        (page("envoy"), vec![envoy(), envoy(), envoy_gateway()]),
        (page("traefik"), vec![traefik()]),
        (page("other-proxies"), vec![book()]),
        (nginx_file(), vec![nginx()]),
    ] {
        let place = path.display().to_string();
        let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{place}: {error}"));
        let new = with(&kept, &place, &made);
        if Environment::of_process().get("DOORWARD_TEST_WRITE_DOORS") == Some("1") {
            fs::write(&path, &new).unwrap_or_else(|error| panic!("{place}: {error}"));
            continue;
        }
        assert!(
            kept == new,
            "{place} has other headers than services/proxy/src/headers/names.rs: set DOORWARD_TEST_WRITE_DOORS=1"
        );
    }
}
