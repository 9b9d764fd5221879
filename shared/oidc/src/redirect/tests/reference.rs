//! The rules once more, written without a look at the others: slow, and simple enough to be read as their definition.
//! It takes no URI apart where it can compare, and enumerates where it could calculate.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::redirect::AnyPort;

/// One client, in texts.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) registration: String,
    pub(super) any_port: AnyPort,
    pub(super) sites: Vec<String>,
    pub(super) insecure: Vec<String>,
}

/// Every port as it is written.
static PORTS: LazyLock<HashSet<String>> = LazyLock::new(|| (1..=65535).map(|port: u32| port.to_string()).collect());

/// Whether the client may be redirected to the presented URI; `None` if it could not be registered.
pub(super) fn verdict(client: &Client, presented: &str) -> Option<bool> {
    let mut allowed = false;
    for text in with_sites(&client.registration, &client.sites)? {
        for uri in with_ports(&text)? {
            if !can_be_registered(&uri) {
                return None;
            }
            if is_insecure(&uri) && !is_excepted(client, &text) {
                return None;
            }
            // a range says which ports
            let varies = uri == text;
            allowed |= presented == uri || (varies && matches_with_another_port(client.any_port, &uri, presented));
        }
    }
    Some(allowed && presented.len() <= 2048)
}

fn with_sites(registration: &str, sites: &[String]) -> Option<Vec<String>> {
    if !registration.starts_with('#') {
        return Some(vec![registration.to_owned()]);
    }
    for name in ["#default_bind#", "#binds...#", "#insecure_binds...#"] {
        let after = registration.replacen(name, "", 1);
        if registration.starts_with(name) && (after.is_empty() || after.starts_with(['/', ':', '?'])) {
            let mut uris = Vec::new();
            for (index, site) in sites.iter().enumerate() {
                let secure = !is_insecure(site);
                if (name == "#default_bind#" && index > 0) || (name == "#insecure_binds...#" && secure) {
                    continue;
                }
                uris.push(registration.replacen(name, site, 1));
            }
            return (!sites.is_empty()).then_some(uris);
        }
    }
    None
}

/// The text with each port of its range.
fn with_ports(text: &str) -> Option<Vec<String>> {
    let Some(at) = text.find(":[") else { return Some(vec![text.to_owned()]) };
    let lower = text.to_lowercase();
    let host = lower.strip_prefix("http://").or(lower.strip_prefix("https://"))?;
    let end = text[at..].find(']')? + at;
    let stands_for_the_port = !host[..host.find(":[")?].contains(['/', '?'])
        && (end + 1 == text.len() || text[end + 1..].starts_with(['/', '?']));
    if !stands_for_the_port {
        return None;
    }
    let (min, max) = text[at + 2..end].split_once('-')?;
    if !PORTS.contains(min) || !PORTS.contains(max) {
        return None;
    }
    let (min, max): (u32, u32) = (min.parse().ok()?, max.parse().ok()?);
    (min <= max).then(|| (min..=max).map(|port| format!("{}:{port}{}", &text[..at], &text[end + 1..])).collect())
}

fn can_be_registered(uri: &str) -> bool {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digits = "0123456789";
    if uri.len() > 2048 {
        return false;
    }
    for c in uri.chars() {
        if !letters.contains(c) && !digits.contains(c) && !"-._~:/?[]@!$&'()+,;=%".contains(c) {
            return false;
        }
    }
    for (at, _) in uri.match_indices('%') {
        let digits: Vec<char> = uri[at + 1..].chars().take(2).collect();
        if digits.len() < 2 || !digits.iter().all(char::is_ascii_hexdigit) {
            return false;
        }
    }
    let Some(colon) = uri.find(':') else { return false };
    let scheme = uri[..colon].to_lowercase();
    let begins_with_letter = scheme.chars().next().is_some_and(|c| letters.contains(c));
    if !begins_with_letter || !scheme.chars().all(|c| letters.contains(c) || digits.contains(c) || "+-.".contains(c)) {
        return false;
    }
    let forbidden = "about blob data file filesystem intent javascript urn vbscript view-source ws wss";
    if forbidden.split(' ').any(|word| word == scheme) {
        return false;
    }
    let web = scheme == "http" || scheme == "https";
    let after = &uri[colon + 1..];
    let Some(after) = after.strip_prefix("//") else { return !web && is_path(after) };
    let length = after.chars().take_while(|c| *c != '/' && *c != '?').count();
    let (authority, path) = after.split_at(length);
    let empty = authority.is_empty();
    is_path(path) && if empty { !web } else { is_authority(authority) }
}

fn is_authority(authority: &str) -> bool {
    // each place where a port could begin, and none
    let mut divisions: Vec<(&str, Option<&str>)> = vec![(authority, None)];
    divisions.extend(authority.match_indices(':').map(|(at, _)| (&authority[..at], Some(&authority[at + 1..]))));
    divisions.into_iter().any(|(host, port)| port.is_none_or(|port| PORTS.contains(port)) && is_host(host))
}

fn is_host(host: &str) -> bool {
    if host.starts_with('[') && host.ends_with(']') && host.len() > 2 {
        return host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
}

fn is_path(path: &str) -> bool {
    if path.contains('[') || path.contains(']') {
        return false;
    }
    let without_query: String = path.chars().take_while(|c| *c != '?').collect();
    let plain = without_query.replace("%2e", ".").replace("%2E", ".");
    // with a slash at both ends each segment has one
    let framed = format!("/{plain}/");
    !framed.contains("/./") && !framed.contains("/../")
}

/// Plain `http` to something that is not written as the loopback interface.
fn is_insecure(uri: &str) -> bool {
    let lower = uri.to_lowercase();
    let Some(after) = lower.strip_prefix("http://") else { return false };
    !["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| after.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', ':'])))
}

fn is_excepted(client: &Client, text: &str) -> bool {
    client
        .insecure
        .iter()
        .any(|one| with_sites(one, &client.sites).is_some_and(|uris| uris.iter().any(|uri| uri == text)))
}

/// Whether the presented URI is the registered one but for the port: cut at every place, and put together again.
fn matches_with_another_port(any_port: AnyPort, registered: &str, presented: &str) -> bool {
    let hosts: &[&str] = match any_port {
        AnyPort::Never => &[],
        AnyPort::Addresses => &["127.0.0.1", "[::1]"],
        AnyPort::AddressesAndLocalhost => &["127.0.0.1", "[::1]", "localhost"],
    };
    if !presented.is_ascii() || !registered.is_ascii() {
        return false;
    }
    let Some(without) = without_port(hosts, registered) else { return false };
    for start in 0..=presented.len() {
        for end in start..=presented.len() {
            let port = &presented[start..end];
            let is_port = port.is_empty() || (port.starts_with(':') && PORTS.contains(&port[1..]));
            let (before, after) = (&presented[..start], &presented[end..]);
            let same = before == without.0 && (after == without.1 || (without.1.is_empty() && after == "/"));
            if is_port && same {
                return true;
            }
        }
    }
    false
}

/// What is before and what is behind the port of a URI to one of these hosts.
fn without_port<'a>(hosts: &[&str], uri: &'a str) -> Option<(&'a str, &'a str)> {
    for host in hosts {
        let begin = format!("http://{host}");
        if uri.len() >= begin.len() && uri[..begin.len()].to_lowercase() == begin {
            let (before, mut after) = uri.split_at(begin.len());
            if after.starts_with(':') {
                let digits = after[1..].chars().take_while(char::is_ascii_digit).count();
                after = &after[1 + digits..];
            }
            if after.is_empty() || after.starts_with('/') || after.starts_with('?') {
                return Some((before, after));
            }
        }
    }
    None
}
