//! The fields of a route about headers, in the routes file and in `proxy.yaml`.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use crate::headers::{is_reserved, is_same_name};
use crate::request_info::is_host;
use crate::routes::HeaderRules;

/// Changes to headers.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderEntry {
    /// Headers and their values.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
    /// Names of headers.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

/// The changes to the request's headers by `request_headers`, and by `additional_headers`, which oCIS's `proxy.yaml` has.
///
/// # Errors
/// The problem, which begins with the name of the field.
pub(crate) fn request_rules(
    entry: &HeaderEntry,
    additional: BTreeMap<String, String>,
    http2: bool,
) -> Result<HeaderRules, String> {
    let mut rules = checked("request_headers", entry, http2)?;
    let more = checked("additional_headers", &HeaderEntry { set: additional, remove: Vec::new() }, http2)?;
    if let Some((name, _)) = more.set.iter().find(|(name, _)| is_changed(&rules, name)) {
        return Err(format!("additional_headers: {name} is in request_headers too; write it once"));
    }
    rules.set.extend(more.set);
    Ok(rules)
}

/// The changes to the response's headers.
///
/// # Errors
/// The problem, which begins with the name of the field.
pub(crate) fn response_rules(entry: &HeaderEntry) -> Result<HeaderRules, String> {
    header_rules(entry).map_err(|problem| format!("response_headers: {problem}"))
}

/// The header in which the backend reads the user, `remote_user_header`: one that nothing else sets.
///
/// # Errors
/// The problem, which begins with the name of the field.
pub(crate) fn user_header(text: &str, rules: &HeaderRules) -> Result<HeaderName, String> {
    let invalid = || format!("remote_user_header: {text:?} is not a header name");
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| invalid())?;
    let is_taken = [HOST, AUTHORIZATION, COOKIE].iter().any(|other| is_same_name(name.as_str(), other.as_str()));
    if is_taken || is_reserved(name.as_str()) {
        return Err(format!("remote_user_header: {name} has another meaning; choose one like x-remote-user"));
    }
    // only letters and digits count, so that a name without any would be the same as every other such name
    if !name.as_str().bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return Err(invalid());
    }
    if is_changed(rules, &name) {
        return Err(format!("remote_user_header: {name} is set or removed by the route too; write it once"));
    }
    Ok(name)
}

/// Whether these rules set or remove a header, in any spelling.
fn is_changed(rules: &HeaderRules, name: &HeaderName) -> bool {
    let mut changed = rules.set.iter().map(|(name, _)| name).chain(&rules.remove);
    changed.any(|other| is_same_name(other.as_str(), name.as_str()))
}

fn checked(field: &str, entry: &HeaderEntry, http2: bool) -> Result<HeaderRules, String> {
    let rules = header_rules(entry).map_err(|problem| format!("{field}: {problem}"))?;
    let mut names = rules.set.iter().map(|(name, _)| name).chain(&rules.remove);
    if let Some(name) = names.find(|name| is_reserved(name.as_str())) {
        return Err(format!("{field}: {name} is set by the edge alone"));
    }
    if rules.remove.contains(&HOST) {
        return Err(format!("{field}: Host cannot be removed, as every request has one; set it instead"));
    }
    match rules.set.iter().find(|(name, _)| *name == HOST) {
        Some(_) if http2 => Err(format!(
            "{field}: Host cannot be set where http2 is: HTTP/2 has the host in its target, that of the backend"
        )),
        Some((_, host)) if !host.to_str().is_ok_and(is_host) => {
            Err(format!("{field}: Host must be a name or an address, and perhaps a port; {host:?} is not"))
        }
        _ => Ok(rules),
    }
}

fn header_rules(entry: &HeaderEntry) -> Result<HeaderRules, String> {
    let name =
        |text: &str| HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("{text:?} is not a header name"));
    let set = |(key, value): (&String, &String)| {
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of {key} is not valid in a header"))?;
        Ok::<_, String>((name(key)?, value))
    };
    Ok(HeaderRules {
        set: entry.set.iter().map(set).collect::<Result<_, _>>()?,
        remove: entry.remove.iter().map(|text| name(text)).collect::<Result<_, _>>()?,
    })
}
