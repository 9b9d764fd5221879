//! `policy_selector` of `proxy.yaml`.

use regex::Regex;

use super::Selection;
use super::defaults;
use super::document::{ClaimsEntry, MatchEntry, RegexEntry, SelectorEntry};
use crate::config::Product;
use crate::policy_selector::{Criterion, PolicySelector, Property, PropertyMatch};

/// Which of these policies applies.
///
/// # Errors
/// The problem: there is not one selector, or a policy does not exist.
pub(super) fn selection(entry: Option<SelectorEntry>, names: &[&str], product: Product) -> Result<Selection, String> {
    let known = |key: &str, name: String| {
        if names.contains(&name.as_str()) {
            Ok(name)
        } else {
            Err(format!(
                "policy_selector: {key} names the policy {name:?}, which does not exist; there are: {}",
                names.join(", ")
            ))
        }
    };
    let Some(SelectorEntry { fixed, claims, regex }) = entry else {
        let name = if let [only] = names { *only } else { defaults::policy_name(product) };
        return known("the default", name.to_owned()).map(Selection::Always);
    };
    let selector = match (fixed, claims, regex) {
        (Some(fixed), None, None) => return known("static", fixed.policy).map(Selection::Always),
        (None, Some(claims), None) => {
            let ClaimsEntry { default_policy, unauthenticated_policy, selector_cookie_name } = claims;
            PolicySelector {
                unauthenticated: known("unauthenticated_policy", unauthenticated_policy)?,
                default: known("default_policy", default_policy)?,
                cookie: cookie(selector_cookie_name, product)?,
                criterion: Criterion::Claim,
            }
        }
        (None, None, Some(regex)) => {
            let RegexEntry { default_policy, unauthenticated_policy, selector_cookie_name, mut matches_policies } =
                regex;
            // stable: those of one priority in the order of the file
            matches_policies.sort_by_key(|entry| entry.priority);
            let property_match = |entry: MatchEntry| {
                let (property, regex) = (property(&entry.property)?, expression(&entry.expression)?);
                Ok::<_, String>(PropertyMatch { property, regex, policy: known("matches_policies", entry.policy)? })
            };
            let matches = matches_policies.into_iter().map(property_match).collect::<Result<_, String>>()?;
            PolicySelector {
                unauthenticated: known("unauthenticated_policy", unauthenticated_policy)?,
                default: known("default_policy", default_policy)?,
                cookie: cookie(selector_cookie_name, product)?,
                criterion: Criterion::Properties(matches),
            }
        }
        _ => return Err("policy_selector needs exactly one of static, claims and regex".to_owned()),
    };
    // they are the values of a cookie
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if let Some(name) = names.iter().find(|name| !is_plain(name)) {
        return Err(format!(
            "the policy {name:?} has another name than letters, digits, -, _ and ., which a cookie can hold"
        ));
    }
    Ok(Selection::OfUser(selector))
}

fn property(name: &str) -> Result<Property, String> {
    match name {
        "mail" => Ok(Property::Mail),
        "username" => Ok(Property::Username),
        "id" => Ok(Property::Id),
        _ => Err(format!("policy_selector: property {name:?} is not mail, username or id")),
    }
}

fn expression(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|problem| format!("policy_selector: match {text:?}: {problem}"))
}

/// The name of the cookie, which is removed from requests to backends: it must be a token (RFC 6265 4.1.1), and none of Doorward's.
fn cookie(name: String, product: Product) -> Result<String, String> {
    let name = if name.is_empty() { defaults::cookie_name(product).to_owned() } else { name };
    let is_token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if is_token && !name.contains("doorward") {
        Ok(name)
    } else {
        Err(format!("policy_selector: selector_cookie_name {name:?} is not the name of a cookie, or one of Doorward's"))
    }
}
