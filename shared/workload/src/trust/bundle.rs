//! A trust bundle in the format of SPIFFE (SPIFFE Trust Domain and Bundle, 4): a JWK Set with the authorities of a trust domain.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oidc::jose::KeySet;
use runtime::SpiffeAuthorities;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spiffe::{JwtBundle, JwtBundleSet, TrustDomain};

use super::DomainKeys;

/// The largest document, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// The use of keys for JWT-SVIDs.
const JWT_SVID: &str = "jwt-svid";
/// The use of authorities for X.509-SVIDs.
const X509_SVID: &str = "x509-svid";

/// Why a trust bundle is refused; completes the sentence "the trust bundle of DOMAIN ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BundleError(String);

impl BundleError {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// A trust bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bundle {
    pub(super) keys: DomainKeys,
    /// Grows with each change of the bundle.
    pub(super) sequence: Option<u64>,
    /// How often its publisher wants it to be fetched.
    pub(super) refresh_hint: Option<Duration>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Map<String, Value>>,
    spiffe_sequence: Option<u64>,
    spiffe_refresh_hint: Option<u64>,
}

impl Bundle {
    /// Reads a document. A set of keys none of which states its use is a plain JWK Set, for JWT-SVIDs alone; otherwise keys without a use of
    /// SPIFFE are ignored.
    ///
    /// # Errors
    /// [`BundleError`], for a document that holds a private key too.
    pub(super) fn parse(domain: &TrustDomain, json: &[u8]) -> Result<Self, BundleError> {
        if json.len() > MAX_BYTES {
            return Err(BundleError(format!("is longer than {MAX_BYTES} bytes")));
        }
        // the number of keys, and that none is private
        KeySet::parse(json).map_err(|error| BundleError(format!("cannot be used: {error}")))?;
        let Document { keys, spiffe_sequence, spiffe_refresh_hint } =
            serde_json::from_slice(json).map_err(|error| BundleError(format!("is not a trust bundle: {error}")))?;
        let is_plain = !keys.iter().any(|key| key.contains_key("use"));
        let jwt: Vec<_> = keys.iter().filter(|key| is_plain || has_use(key, JWT_SVID)).collect();
        let x509 = keys.iter().filter(|key| has_use(key, X509_SVID)).map(authority).collect::<Result<Vec<_>, _>>()?;
        let jwt = std::iter::once(jwt_bundle(domain, &jwt)?).collect::<JwtBundleSet>();
        let keys = DomainKeys { jwt: Some(jwt), x509 };
        keys.check(domain.as_str())?;
        Ok(Self { keys, sequence: spiffe_sequence, refresh_hint: spiffe_refresh_hint.map(Duration::from_secs) })
    }

    /// Reads the document of a file.
    ///
    /// # Errors
    /// [`BundleError`] names the file.
    pub(super) fn read(domain: &TrustDomain, file: &Path) -> Result<Self, BundleError> {
        let text = std::fs::read(file)
            .map_err(|error| BundleError(format!("is the file {}, which cannot be read: {error}", file.display())))?;
        Self::parse(domain, &text)
            .map_err(|error| BundleError(format!("is the file {}, which {error}", file.display())))
    }

    /// Refuses a bundle that is older than one from before.
    ///
    /// # Errors
    /// [`BundleError`].
    pub(super) fn check_follows(&self, before: Option<u64>) -> Result<(), BundleError> {
        match (self.sequence, before) {
            (Some(sequence), Some(before)) if sequence < before => Err(BundleError(format!(
                "has the sequence number {sequence}, after {before}; if the trust domain was set up anew, restart the service"
            ))),
            _ => Ok(()),
        }
    }
}

impl DomainKeys {
    /// Whether listeners can verify certificates by the authorities for X.509-SVIDs.
    fn check(&self, domain: &str) -> Result<(), BundleError> {
        let checked = SpiffeAuthorities::default().replace(domain, self.x509.iter().cloned());
        checked.map_err(|error| BundleError(format!("has an authority for X.509-SVIDs that cannot be used: {error}")))
    }
}

fn has_use(key: &Map<String, Value>, wanted: &str) -> bool {
    key.get("use").is_some_and(|used| used == wanted)
}

/// The keys for JWT-SVIDs. Each has a name of its own, since a token names its key.
fn jwt_bundle(domain: &TrustDomain, keys: &[&Map<String, Value>]) -> Result<JwtBundle, BundleError> {
    let mut names: Vec<_> = keys.iter().filter_map(|key| key.get("kid").and_then(Value::as_str)).collect();
    if names.len() < keys.len() {
        return Err(BundleError::new("has a key for JWT-SVIDs without kid"));
    }
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [one, next] if one == next)) {
        return Err(BundleError::new("has two keys for JWT-SVIDs with the same kid"));
    }
    let set = json!({ "keys": keys }).to_string();
    JwtBundle::from_jwt_authorities(domain.clone(), set.as_bytes())
        .map_err(|error| BundleError(format!("has keys for JWT-SVIDs that cannot be used: {error}")))
}

/// The one certificate of an authority for X.509-SVIDs, in DER.
fn authority(key: &Map<String, Value>) -> Result<Vec<u8>, BundleError> {
    let problem = || BundleError::new("has an authority for X.509-SVIDs whose x5c is not one certificate");
    match key.get("x5c").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(der)]) => STANDARD.decode(der).map_err(|_| problem()),
        _ => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::SpiffeAuthority;

    fn domain() -> TrustDomain {
        TrustDomain::new("example.org").expect("a name")
    }

    fn parse(json: &str) -> Result<Bundle, BundleError> {
        Bundle::parse(&domain(), json.as_bytes())
    }

    fn names(bundle: &Bundle) -> Vec<String> {
        let set = bundle.keys.jwt.as_ref().and_then(|jwt| jwt.get(&domain())).expect("has keys");
        let mut names: Vec<_> = set.jwt_authorities().map(|key| key.key_id().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn keys_are_taken_by_their_use() {
        let mut authority = SpiffeAuthority::new("example.org");
        authority.add_key();
        let bundle = parse(&authority.bundle()).expect("is a bundle");
        assert_eq!(names(&bundle), ["example.org-1", "example.org-2"]);
        assert_eq!(bundle.keys.x509, authority.certificate_authorities());
        assert_eq!((bundle.sequence, bundle.refresh_hint), (Some(2), Some(Duration::from_secs(10))));

        let mut document: Value = serde_json::from_str(&authority.bundle()).expect("JSON");
        document["keys"][0].as_object_mut().expect("a key").remove("use");
        document["keys"][2]["use"] = "unknown".into();
        let bundle = parse(&document.to_string()).expect("is a bundle");
        assert_eq!((names(&bundle), bundle.keys.x509.len()), (vec!["example.org-2".to_owned()], 0));

        for key in document["keys"].as_array_mut().expect("keys") {
            key.as_object_mut().expect("a key").remove("use");
            key["kid"] = key.get("kid").cloned().unwrap_or_else(|| "of-a-certificate".into());
        }
        let plain = parse(&document.to_string()).expect("is a key set");
        assert_eq!((names(&plain).len(), plain.keys.x509.len()), (3, 0), "no key states its use");
    }

    /// Row [M16](../../../../docs/security-requirements.md#m16).
    #[test]
    fn invalid_bundle_is_refused_as_a_whole() {
        let authority = SpiffeAuthority::new("example.org");
        let whole = authority.bundle();
        for end in (0..whole.len()).step_by(7) {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        let parse_with = |change: fn(&mut Value)| {
            let mut document: Value = serde_json::from_str(&whole).expect("JSON");
            change(&mut document);
            parse(&document.to_string())
        };
        let changes: [fn(&mut Value); 10] = [
            |document| document["keys"][0]["d"] = "AAAA".into(),
            |document| drop(document["keys"][0].as_object_mut().expect("a key").remove("kid")),
            |document| {
                let first = document["keys"][0].clone();
                document["keys"].as_array_mut().expect("keys").push(first);
            },
            |document| document["keys"][1]["x5c"] = json!([]),
            |document| document["keys"][1]["x5c"] = json!(["AAAA"]),
            |document| document["keys"][1]["x5c"] = json!([document["keys"][1]["x5c"][0], "AAAA"]),
            |document| document["keys"] = vec![document["keys"][0].clone(); 101].into(),
            |document| document["spiffe_sequence"] = "7".into(),
            |document| document["spiffe_refresh_hint"] = json!(-1),
            |document| document["more"] = "x".repeat(MAX_BYTES).into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert!(parse_with(change).is_err(), "{index}");
        }
        assert!(parse_with(|document| document["more"] = 1.into()).is_ok());
        assert!(parse(r#"{"keys":[]}"#).is_ok_and(|bundle| names(&bundle).is_empty()));
    }

    /// Row [M16](../../../../docs/security-requirements.md#m16).
    #[test]
    fn older_bundle_is_refused() {
        let mut bundle = parse(r#"{"keys":[],"spiffe_sequence":7}"#).expect("is a bundle");
        for (before, is_newer) in [(None, true), (Some(6), true), (Some(7), true), (Some(8), false)] {
            assert_eq!(bundle.check_follows(before).is_ok(), is_newer, "{before:?}");
        }
        bundle.sequence = None;
        assert!(bundle.check_follows(Some(8)).is_ok(), "it has no number");
    }

    proptest! {
        #[test]
        fn never_panics(
            text in r#"\{"keys":\[(\{("use":"(jwt|x509)-svid",)?("kid":"[ab]",)?("x5c":(\["[A-D=]{0,8}"\]|1),)?"kty":"EC"\},?){0,3}\],?("spiffe_sequence":[0-9e]{1,9})?\}"#
        ) {
            let _ = parse(&text);
        }
    }
}
