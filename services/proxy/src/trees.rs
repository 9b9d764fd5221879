//! Which paths are files, and which file each is: for credentials that reach a part of the tree only.

use authn::{Access, Permission, Scopes};
use http::Method;

use crate::asked::Asked;
use crate::destination::Destination;
use crate::identity::Identity;
use crate::path::Path;

/// Where the family's own app tokens are administered.
const APP_TOKENS: &str = "/auth-app/tokens";

/// A path with places: `/dav/spaces/{node}/{path}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The node, or `storage$space!node`, `space!node` or `storage$space` as CS3 systems write one.
    Node,
    /// The login of who asks: what belongs to others is no file of theirs.
    User,
    /// All that follows.
    Path,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no template of paths: it begins with /, a segment is a text or one of {{node}} and {{user}}, and {{path}} may be the last"
)]
pub struct NoTemplate;

impl std::str::FromStr for Template {
    type Err = NoTemplate;

    fn from_str(text: &str) -> Result<Self, NoTemplate> {
        let rest = text.strip_prefix('/').ok_or(NoTemplate)?;
        let parts: Vec<Part> = rest.split('/').map(part).collect::<Result<_, _>>()?;
        let ends_there = parts.iter().position(|part| *part == Part::Path).is_none_or(|at| at + 1 == parts.len());
        let nodes = parts.iter().filter(|part| **part == Part::Node).count();
        if ends_there && nodes <= 1 { Ok(Self(parts)) } else { Err(NoTemplate) }
    }
}

fn part(text: &str) -> Result<Part, NoTemplate> {
    match text {
        "{node}" => Ok(Part::Node),
        "{user}" => Ok(Part::User),
        "{path}" => Ok(Part::Path),
        "" | "." | ".." => Err(NoTemplate),
        literal if literal.contains(['{', '}', '%', '\\', '?', '#', ';']) => Err(NoTemplate),
        literal => Ok(Part::Literal(literal.to_owned())),
    }
}

/// Which file a path is.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    /// The node and what holds it.
    nodes: Vec<&'a str>,
    /// The path in the tree.
    path: Option<String>,
}

impl Template {
    fn place<'a>(&self, path: &'a str, login: &str) -> Option<Place<'a>> {
        let mut nodes = Vec::new();
        let mut rest = path.strip_prefix('/')?;
        for part in &self.0 {
            if *part == Part::Path {
                // below a node a path begins at that node, and says nothing of where it is in the tree
                let path = nodes.is_empty().then(|| format!("/{}", rest.trim_end_matches('/')));
                return Some(Place { nodes, path });
            }
            let (segment, behind) = rest.split_once('/').unwrap_or((rest, ""));
            match part {
                Part::Literal(literal) if literal == segment => {}
                Part::User if !login.is_empty() && login == segment => {}
                Part::Node => nodes = nodes_of(segment)?,
                _ => return None,
            }
            rest = behind;
        }
        rest.is_empty().then_some(Place { nodes, path: None })
    }
}

/// The node that a segment names, and the space that holds it. A storage holds spaces and is no node, so that a grant for a node
/// never counts there.
fn nodes_of(segment: &str) -> Option<Vec<&str>> {
    let (space, node) = match segment.split_once('!') {
        Some((space, node)) => (space, Some(node)),
        None => (segment, None),
    };
    let (storage, space) = match space.split_once('$') {
        Some((storage, space)) => (Some(storage), space),
        None => (None, space),
    };
    let is_name = |name: &str| !name.is_empty() && !name.contains(['!', '$']);
    let are_names = [storage, Some(space), node].into_iter().flatten().all(is_name);
    are_names.then(|| node.into_iter().chain([space]).collect())
}

/// All templates.
#[derive(Debug, Clone)]
pub struct Trees(Vec<Template>);

/// Where the systems whose place the edge takes have files.
const USUAL: [&str; 6] = [
    "/dav/spaces/{node}/{path}",
    "/remote.php/dav/spaces/{node}/{path}",
    "/dav/files/{user}/{path}",
    "/remote.php/dav/files/{user}/{path}",
    "/webdav/{path}",
    "/remote.php/webdav/{path}",
];

impl Default for Trees {
    fn default() -> Self {
        Self(USUAL.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

impl Trees {
    /// These templates.
    pub fn new(templates: Vec<Template>) -> Self {
        Self(templates)
    }

    /// Whether a credential reaches as far as what is asked: its scopes, the method, and the path; for a copy or a move also where
    /// that goes.
    pub fn are_reached_by(&self, identity: &Identity, asked: &Asked<'_>) -> bool {
        let scopes = &identity.claims.scopes;
        if scopes.is_full_user() {
            return true;
        }
        let (login, method) = (identity.claims.user.username.as_str(), asked.method.as_str());
        let allowed = self.allow(scopes, login, asked.path.decoded(), Permission::of_method(method));
        allowed
            && Destination::of(asked).is_ok_and(|destination| {
                destination.is_none_or(|to| {
                    let is_allowed = |path: &Path<'_>| self.allow(scopes, login, path.decoded(), Permission::Write);
                    to.is_on(asked.host) && to.readings().all(is_allowed)
                })
            })
    }

    fn allow(&self, scopes: &Scopes, login: &str, path: &str, permission: Permission) -> bool {
        if path.strip_prefix(APP_TOKENS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let wanted = if permission == Permission::Read { permission } else { Permission::ReadWrite };
            return scopes.allow(&Access::Tokens(wanted));
        }
        let Some(place) = self.0.iter().find_map(|template| template.place(path, login)) else {
            return scopes.allow(&Access::Other);
        };
        let (node, ancestors) = match place.nodes.split_first() {
            Some((node, ancestors)) => (Some(*node), ancestors),
            None => (None, &[][..]),
        };
        scopes.allow(&Access::Tree { permission, node, ancestors, path: place.path.as_deref() })
    }
}

/// Whether a method is one by which a browser asks what it may ask.
pub fn is_preflight(asked: &Asked<'_>) -> bool {
    *asked.method == Method::OPTIONS
        && asked.headers.contains_key("access-control-request-method")
        && asked.headers.contains_key("origin")
}

#[cfg(test)]
mod tests;
