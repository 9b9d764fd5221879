//! Which workload may request which transaction tokens: `GATEWAY_TRANSACTION_POLICY_FILE`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use authn::{AllowedCallers, Caller};
use config::read_yaml_file;
use oidc::scope::Scopes;
use runtime::{Context, FileSetting, FileValue, Reading};
use serde::Deserialize;
use token::transaction::{MAX_LIFETIME, WorkloadPolicy};

use crate::Gateway;

/// The setting that names the file.
const SETTING: &str = "GATEWAY_TRANSACTION_POLICY_FILE";
/// The identity of the edge in the same process, which shows no certificate.
pub(crate) const EDGE: &str = "proxy";

/// The file of the policy is refused.
#[derive(Debug, thiserror::Error)]
#[error("{SETTING}: {}: {problem}", file.display())]
pub(crate) struct PolicyError {
    file: PathBuf,
    problem: String,
}

/// What workloads may request. The first entry that names a workload counts; one that is not named may request nothing.
#[derive(Debug, Default)]
pub(crate) struct Policies(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    identity: String,
    callers: AllowedCallers,
    policy: WorkloadPolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    workloads: Vec<WrittenEntry>,
}

/// An entry as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    /// A DNS name or URI in the certificate of the workload; a URI may end in `/*`.
    identity: String,
    scopes: Vec<String>,
    #[serde(default)]
    details: Vec<String>,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    replace: bool,
    lifetime: Option<String>,
}

impl Policies {
    /// Reads the file; tokens are valid for `lifetime` where an entry names no other.
    ///
    /// # Errors
    /// [`PolicyError`], with the problem.
    pub(crate) fn read(file: &Path, lifetime: Duration) -> Result<Self, PolicyError> {
        let error = |problem: String| PolicyError { file: file.to_owned(), problem };
        let text = read_yaml_file(file).map_err(|problem| error(format!("it cannot be read: {problem}")))?;
        Self::parse(&text, lifetime).map_err(error)
    }

    fn parse(text: &str, lifetime: Duration) -> Result<Self, String> {
        let document: Document = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
        let entries = document.workloads.into_iter().map(|entry| {
            let identity = entry.identity.clone();
            entry.read(lifetime).map_err(|problem| format!("workload {identity:?}: {problem}"))
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// The name of a caller in its certificate, and what it may request.
    pub(crate) fn of_caller<'a>(&self, caller: &'a Caller) -> Option<(&'a str, &WorkloadPolicy)> {
        self.0.iter().find_map(|entry| Some((entry.callers.name_of(caller)?, &entry.policy)))
    }

    /// What the edge in the same process may request.
    pub(crate) fn of_edge(&self) -> Option<&WorkloadPolicy> {
        self.0.iter().find(|entry| entry.identity == EDGE).map(|entry| &entry.policy)
    }
}

impl WrittenEntry {
    fn read(self, lifetime: Duration) -> Result<Entry, String> {
        let lifetime = match &self.lifetime {
            None => lifetime,
            Some(text) => config::duration::parse(text)
                .filter(|lifetime| (Duration::from_secs(1)..=MAX_LIFETIME).contains(lifetime))
                .ok_or_else(|| format!("lifetime must be from 1s to 5m, not {text:?}"))?,
        };
        let callers = AllowedCallers::parse(std::slice::from_ref(&self.identity))
            .map_err(|problem| format!("identity {problem}"))?;
        if self.scopes.is_empty() {
            return Err("scopes must have a scope: a token for nothing is not issued".to_owned());
        }
        for scope in &self.scopes {
            Scopes::of([scope.as_str()]).map_err(|problem| format!("scope {scope:?}: {problem}"))?;
        }
        let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
        let policy = WorkloadPolicy {
            scopes: set(self.scopes),
            details: set(self.details),
            context: set(self.context),
            may_replace: self.replace,
            lifetime,
        };
        Ok(Entry { identity: self.identity, callers, policy })
    }
}

/// The policy of a file, which is read again when it changes and at SIGHUP; `None` without a file.
///
/// # Errors
/// [`PolicyError`], with the problem.
pub(super) fn follow(
    file: Option<&Path>,
    lifetime: Duration,
    context: &Context,
) -> Result<Option<Arc<FileValue<Policies>>>, PolicyError> {
    let Some(file) = file.map(Path::to_owned) else { return Ok(None) };
    let service = <Gateway as runtime::Service>::IDENTITY.name;
    let setting = FileSetting { service, name: SETTING, files: vec![file.clone()] };
    let read = move |_: Option<&Policies>| {
        let value = Policies::read(&file, lifetime)?;
        Ok::<_, PolicyError>(Reading { value, files: vec![file.clone()] })
    };
    let changes =
        |before: &Policies, after: &Policies| format!("{} workloads, {} before", after.0.len(), before.0.len());
    FileValue::open(setting, read, changes, context).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_mins(1);

    fn caller(name: &str) -> Caller {
        Caller { names: [name.to_owned()].into(), ..Caller::default() }
    }

    /// `docs/security-requirements.md#x7`
    #[test]
    fn first_entry_that_names_a_workload_counts_and_nothing_else_is_allowed() {
        let text = "workloads:
- { identity: spiffe://example.org/files, scopes: [files.read, files.write], details: [file], replace: true, lifetime: 2m }
- { identity: 'spiffe://example.org/*', scopes: [search], context: [req_ip] }
- { identity: proxy, scopes: [edge] }
";
        let policies = Policies::parse(text, LIFETIME).expect("is a policy");
        let [files, other] = ["files", "other"].map(|name| caller(&format!("spiffe://example.org/{name}")));
        let (name, files) = policies.of_caller(&files).expect("is named");
        assert_eq!(name, "spiffe://example.org/files");
        assert!(files.may_replace && files.scopes.contains("files.write") && files.details.contains("file"));
        assert_eq!(files.lifetime, Duration::from_mins(2));
        let (_, other) = policies.of_caller(&other).expect("is named");
        assert!(!other.may_replace && other.scopes.len() == 1 && other.context.contains("req_ip"));
        assert_eq!(other.lifetime, LIFETIME);
        assert!(policies.of_edge().is_some_and(|edge| edge.scopes.contains("edge")));
        for stranger in [caller("spiffe://example.com/files"), Caller::default()] {
            assert!(policies.of_caller(&stranger).is_none(), "{stranger:?}");
        }
        assert!(Policies::default().of_edge().is_none());
    }

    #[test]
    fn entry_that_cannot_be_meant_is_refused_by_name() {
        for (entry, expected) in [
            ("identity: 'a b', scopes: [a]", "identity"),
            ("identity: files, scopes: []", "scopes"),
            ("identity: files, scopes: ['a b']", "scope"),
            ("identity: files, scopes: [a], lifetime: 6m", "lifetime"),
            ("identity: files, scopes: [a], lifetime: 0s", "lifetime"),
            ("identity: files, scopes: [a], scope: b", "scope"),
            ("identity: files", "scopes"),
        ] {
            let problem = Policies::parse(&format!("workloads: [{{ {entry} }}]"), LIFETIME).expect_err(entry);
            assert!(problem.contains(expected), "{entry}: {problem}");
        }
    }
}
