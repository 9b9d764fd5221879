//! The two rules, as a function from crates to violations.

use super::graph::{Crate, Kind};

/// Where a crate stands; imports point down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// The contracts, the statuses, cryptography, the rules of OIDC, and caches of values from all layers.
    Words,
    /// The domain and its token.
    Domain,
    /// How services are configured.
    Configuration,
    /// What a service stands on.
    Ground,
    /// The services, side by side.
    Service,
    /// The family in one process.
    Family,
    /// What tests the family.
    Tests,
    /// What judges the family from outside, and therefore shares nothing with it.
    Judge,
    /// The project's own commands, outside of it all.
    Tool,
}

/// A new crate in `services/` is a service; one elsewhere has to be given its layer here.
fn layer(one: &Crate) -> Option<Layer> {
    Some(match one.name.as_str() {
        "proto" | "status" | "crypto" | "oidc" | "bounded-cache" => Layer::Words,
        "authn" | "token" => Layer::Domain,
        "config" => Layer::Configuration,
        "store" | "runtime" | "ldap" | "outbound" | "web" | "mail" | "workload" => Layer::Ground,
        "doorward" => Layer::Family,
        "testkit" | "family" => Layer::Tests,
        "conformance" => Layer::Judge,
        "xtask" => Layer::Tool,
        _ if one.folder.starts_with("services/") => Layer::Service,
        _ => return None,
    })
}

/// Everything that breaks a rule, each in one line.
pub(crate) fn violations(crates: &[Crate]) -> Vec<String> {
    let homeless = crates.iter().filter(|one| layer(one).is_none());
    let mut found: Vec<String> = homeless.map(|one| format!("{} in {} has no layer", one.name, one.folder)).collect();
    for from in crates {
        for (name, kind) in &from.imports {
            let to = crates.iter().find(|one| one.name == *name);
            found.extend(to.and_then(|to| violation(from, to, *kind)));
        }
    }
    found.extend(circle(crates));
    found
}

fn violation(from: &Crate, to: &Crate, kind: Kind) -> Option<String> {
    let (upper, lower) = (layer(from)?, layer(to)?);
    let line = |why: &str| Some(format!("{} imports {}{why}", from.name, to.name));
    if upper == Layer::Tool || lower == Layer::Tool {
        return line(": it stands alone");
    }
    if upper == Layer::Judge {
        return line(": it judges the family, and shares nothing with it");
    }
    if kind == Kind::Dev {
        let tests_a_service = matches!(upper, Layer::Service | Layer::Family) || from.name == "family";
        return if matches!(lower, Layer::Tests | Layer::Judge) && !tests_a_service {
            line(": it is for the tests of services")
        } else {
            None
        };
    }
    if lower > upper {
        return line(", which is above it");
    }
    if lower == Layer::Service && upper == Layer::Service {
        return line(": services meet through authn's traits");
    }
    None
}

/// The first circle of imports, if there is one. Those that only tests need may go round: cargo builds them apart.
fn circle(crates: &[Crate]) -> Option<String> {
    let mut finished = Vec::new();
    crates.iter().find_map(|one| circle_from(one, crates, &mut Vec::new(), &mut finished))
}

fn circle_from<'a>(
    one: &'a Crate,
    crates: &'a [Crate],
    way: &mut Vec<&'a str>,
    finished: &mut Vec<&'a str>,
) -> Option<String> {
    if let Some(start) = way.iter().position(|name| *name == one.name) {
        return is_level(&way[start..], crates)
            .then(|| format!("a circle: {} -> {}", way[start..].join(" -> "), one.name));
    }
    if finished.contains(&one.name.as_str()) {
        return None;
    }
    way.push(&one.name);
    let needed = one.imports.iter().filter(|(_, kind)| *kind != Kind::Dev);
    let mut next = needed.filter_map(|(name, _)| crates.iter().find(|other| other.name == *name));
    let found = next.find_map(|to| circle_from(to, crates, way, finished));
    way.pop();
    finished.push(&one.name);
    found
}

/// Whether all are of one layer: a circle through several has an import upwards, which is reported as that.
fn is_level(names: &[&str], crates: &[Crate]) -> bool {
    let mut layers = names.iter().map(|name| crates.iter().find(|one| one.name == *name).and_then(layer));
    let first = layers.next().flatten();
    layers.all(|other| other == first)
}
