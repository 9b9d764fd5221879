//! The paths of files, for credentials whose scope is a part of the tree.

use authn::{Access, Permission, Scopes};

use crate::destination::Destination;
use crate::identity::Identity;
use crate::path::{Path, below};
use crate::request_info::RequestInfo;

/// The API for app tokens of auth-app.
const APP_TOKENS: &str = "/auth-app/tokens";

/// A path with placeholders: `/dav/spaces/{node}/{path}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// The node, or `storage$space!node`, `space!node` or `storage$space` as CS3 systems write one.
    Node,
    /// The login of the user; the files of others do not match.
    User,
    /// The rest of the path.
    Path,
}

/// The text is not a template of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a template of paths: it begins with /, a segment is a text or one of {{node}} and {{user}}, and {{path}} may be the last"
)]
pub struct InvalidTemplate;

impl std::str::FromStr for PathTemplate {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let rest = text.strip_prefix('/').ok_or(InvalidTemplate)?;
        let segments: Vec<Segment> = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        let path_at = segments.iter().position(|segment| *segment == Segment::Path);
        let is_path_last = path_at.is_none_or(|at| at + 1 == segments.len());
        let nodes = segments.iter().filter(|segment| **segment == Segment::Node).count();
        if is_path_last && nodes <= 1 { Ok(Self(segments)) } else { Err(InvalidTemplate) }
    }
}

fn segment(text: &str) -> Result<Segment, InvalidTemplate> {
    match text {
        "{node}" => Ok(Segment::Node),
        "{user}" => Ok(Segment::User),
        "{path}" => Ok(Segment::Path),
        "" | "." | ".." => Err(InvalidTemplate),
        literal if literal.contains(['{', '}', '%', '\\', '?', '#', ';']) => Err(InvalidTemplate),
        literal => Ok(Segment::Literal(literal.to_owned())),
    }
}

/// The file that a path names.
#[derive(Debug, PartialEq, Eq)]
struct FileLocation<'a> {
    /// The node and its ancestors.
    nodes: Vec<&'a str>,
    /// The path in the tree.
    path: Option<String>,
}

impl PathTemplate {
    fn locate<'a>(&self, path: &'a str, login: &str) -> Option<FileLocation<'a>> {
        let mut nodes = Vec::new();
        let mut rest = path.strip_prefix('/')?;
        for segment in &self.0 {
            if *segment == Segment::Path {
                // Below a node, a path is relative to the node: its place in the tree is unknown.
                let path = nodes.is_empty().then(|| format!("/{}", rest.trim_end_matches('/')));
                return Some(FileLocation { nodes, path });
            }
            let (name, remaining) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Literal(literal) if literal == name => {}
                Segment::User if !login.is_empty() && login == name => {}
                Segment::Node => nodes = nodes_of(name)?,
                _ => return None,
            }
            rest = remaining;
        }
        rest.is_empty().then_some(FileLocation { nodes, path: None })
    }
}

/// The node that a segment names, and its space. The storage is not a node, so that a grant for a node never applies to it.
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

/// The templates of all paths that are files.
#[derive(Debug, Clone)]
pub struct PathScopes(Vec<PathTemplate>);

/// The paths of files in oCIS and OpenCloud.
const DEFAULT: [&str; 6] = [
    "/dav/spaces/{node}/{path}",
    "/remote.php/dav/spaces/{node}/{path}",
    "/dav/files/{user}/{path}",
    "/remote.php/dav/files/{user}/{path}",
    "/webdav/{path}",
    "/remote.php/webdav/{path}",
];

impl Default for PathScopes {
    fn default() -> Self {
        Self(DEFAULT.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

impl PathScopes {
    /// These templates.
    pub fn new(templates: Vec<PathTemplate>) -> Self {
        Self(templates)
    }

    /// Whether the scopes of a credential permit a request, by its method and path, and by the destination of a copy or move.
    pub fn permit(&self, identity: &Identity, info: &RequestInfo<'_>) -> bool {
        let scopes = &identity.claims.scopes;
        if scopes.is_full_user() {
            return true;
        }
        let (login, method) = (identity.claims.user.username.as_str(), info.method.as_str());
        let allowed = self.allow(scopes, login, info.path.decoded(), Permission::of_method(method));
        allowed
            && Destination::of(info).is_ok_and(|destination| {
                destination.is_none_or(|to| {
                    let is_allowed = |path: &Path<'_>| self.allow(scopes, login, path.decoded(), Permission::Write);
                    to.is_on(info.host) && to.readings().all(is_allowed)
                })
            })
    }

    fn allow(&self, scopes: &Scopes, login: &str, path: &str, permission: Permission) -> bool {
        if below(path, APP_TOKENS).is_some() {
            let wanted = if permission == Permission::Read { permission } else { Permission::ReadWrite };
            return scopes.allow(&Access::Tokens(wanted));
        }
        let Some(location) = self.0.iter().find_map(|template| template.locate(path, login)) else {
            return scopes.allow(&Access::Other);
        };
        let (node, ancestors) = match location.nodes.split_first() {
            Some((node, ancestors)) => (Some(*node), ancestors),
            None => (None, &[][..]),
        };
        scopes.allow(&Access::Tree { permission, node, ancestors, path: location.path.as_deref() })
    }
}

#[cfg(test)]
mod tests;
