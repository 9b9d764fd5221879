//! The claims of the token of a Kubernetes service account.

use serde_json::{Map, Value};

use crate::workload::WorkloadError;

/// The claim in which an API server names the account that it has issued a token to.
const CLAIM: &str = "kubernetes.io";

/// A Kubernetes service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServiceAccount<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> ServiceAccount<'a> {
    /// The account that a token names; `None` for the token of another issuer. `sub` has to name the same one.
    ///
    /// # Errors
    /// [`WorkloadError::Malformed`].
    pub(crate) fn of(claims: &'a Map<String, Value>, subject: &str) -> Result<Option<Self>, WorkloadError> {
        let Some(of_cluster) = claims.get(CLAIM) else { return Ok(None) };
        let text = |path: &str| of_cluster.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (namespace, name) = text("/namespace").zip(text("/serviceaccount/name")).ok_or(WorkloadError::Malformed)?;
        if subject != format!("system:serviceaccount:{namespace}:{name}") {
            return Err(WorkloadError::Malformed);
        }
        Ok(Some(Self { namespace, name }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(of_cluster: &Value, subject: &str) -> Result<Option<(String, String)>, WorkloadError> {
        let claims = json!({ "kubernetes.io": of_cluster });
        let claims = claims.as_object().expect("claims");
        let account = ServiceAccount::of(claims, subject)?;
        Ok(account.map(|account| (account.namespace.to_owned(), account.name.to_owned())))
    }

    /// Row [M14](../../../docs/security-requirements.md#m14).
    #[test]
    fn account_is_the_one_that_claim_and_subject_name() {
        let reporter = json!({ "namespace": "batch", "serviceaccount": { "name": "reporter", "uid": "1" } });
        let found = account(&reporter, "system:serviceaccount:batch:reporter");
        assert_eq!(found, Ok(Some(("batch".to_owned(), "reporter".to_owned()))));
        for subject in ["system:serviceaccount:batch:other", "system:serviceaccount:other:reporter", "reporter", ""] {
            assert_eq!(account(&reporter, subject), Err(WorkloadError::Malformed), "{subject}");
        }
        for odd in [
            json!({}),
            json!("batch"),
            json!({ "namespace": "batch" }),
            json!({ "namespace": "", "serviceaccount": { "name": "reporter" } }),
            json!({ "namespace": ["batch"], "serviceaccount": { "name": "reporter" } }),
            json!({ "namespace": "batch", "serviceaccount": "reporter" }),
        ] {
            assert_eq!(account(&odd, "system:serviceaccount:batch:reporter"), Err(WorkloadError::Malformed), "{odd}");
        }
        assert_eq!(ServiceAccount::of(&Map::new(), "system:serviceaccount:batch:reporter"), Ok(None));
    }
}
