use authn::app_token;
use oidc::scope::Scopes;
use serde_json::{Map, Value};

use super::TransactionError;
use super::names::SUBJECT_TYPE;

/// The longest details of a transaction, in bytes.
const MAX_DETAILS: usize = 4 * 1024;
/// The longest environment of a request, in bytes.
const MAX_CONTEXT: usize = 2 * 1024;
/// How each JWT begins: `{"` in base64url.
const JWT: &str = "eyJ";

/// What a workload requests a transaction token for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRequest {
    scope: Scopes,
    details: Map<String, Value>,
    context: Map<String, Value>,
}

impl TransactionRequest {
    /// Reads a request: the scope (RFC 6749 3.3), and the details of the transaction and the environment of the request as JSON
    /// objects, each of which may be an empty text.
    ///
    /// # Errors
    /// [`TransactionError::Scope`] if there is none; [`TransactionError::Malformed`] for what is too long or no object, for
    /// what looks like a token, as a transaction token goes to services that must not see other credentials (section 13.4), and for
    /// numbers that are not whole or exceed 64 bits, as these would not stay the same on the way.
    pub fn new(scope: &str, details: &str, context: &str) -> Result<Self, TransactionError> {
        let scope = scope_of(scope)?.ok_or(TransactionError::Scope)?;
        let details = object(details, MAX_DETAILS).ok_or(TransactionError::Malformed(
            "request_details is no JSON object of at most 4096 bytes, with whole numbers only and without tokens",
        ))?;
        let context = object(context, MAX_CONTEXT).ok_or(TransactionError::Malformed(
            "request_context is no JSON object of at most 2048 bytes, with whole numbers only and without tokens",
        ))?;
        // the member that says what the subject is would be there twice, and a reader might take this one
        if details.contains_key(SUBJECT_TYPE) {
            return Err(TransactionError::Malformed(
                "request_details has the member sub_type, which is not the workload's to choose",
            ));
        }
        Ok(Self { scope, details, context })
    }

    /// What the token is to be for; never empty.
    pub fn scope(&self) -> &Scopes {
        &self.scope
    }

    /// The details of the transaction.
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }

    /// The environment of the request.
    pub fn context(&self) -> &Map<String, Value> {
        &self.context
    }
}

/// What a workload requests a replacement for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacementRequest {
    /// The scope, if it is to be narrower; never empty.
    scope: Option<Scopes>,
}

impl ReplacementRequest {
    /// Reads a request; an empty scope means that of the token that is replaced.
    ///
    /// # Errors
    /// [`TransactionError::Scope`] for a text that is no scope; [`TransactionError::Malformed`] where there are details or an
    /// environment, which are those of the transaction and do not change.
    pub fn new(scope: &str, details: &str, context: &str) -> Result<Self, TransactionError> {
        if !details.is_empty() || !context.is_empty() {
            return Err(TransactionError::Malformed(
                "a replacement has the details and the context of the token that it replaces",
            ));
        }
        Ok(Self { scope: scope_of(scope)? })
    }

    /// The scope, if it is to be narrower.
    pub fn scope(&self) -> Option<&Scopes> {
        self.scope.as_ref()
    }
}

/// `None` if there is no token in it.
fn scope_of(text: &str) -> Result<Option<Scopes>, TransactionError> {
    let scope: Scopes = text.parse().map_err(|_| TransactionError::Scope)?;
    Ok((!scope.is_empty()).then_some(scope))
}

fn object(text: &str, limit: usize) -> Option<Map<String, Value>> {
    if text.is_empty() {
        return Some(Map::new());
    }
    let object: Map<String, Value> = (text.len() <= limit).then(|| serde_json::from_str(text).ok())??;
    (!object.iter().any(|(name, value)| is_token(name) || is_refused(value))).then_some(object)
}

/// Whether a value holds a token, or a number that another program could read as another one: each that verifies the token, or replaces it,
/// reads and writes it again.
fn is_refused(value: &Value) -> bool {
    match value {
        Value::String(text) => is_token(text),
        Value::Number(number) => !(number.is_i64() || number.is_u64()),
        Value::Array(items) => items.iter().any(is_refused),
        Value::Object(members) => members.iter().any(|(name, value)| is_token(name) || is_refused(value)),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Whether a JWT or an app token is part of a text.
fn is_token(text: &str) -> bool {
    let mut words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && !"-_.".contains(sign));
    let has_app_token = || {
        let mut starts = text.match_indices(app_token::PREFIX).map(|(at, _)| at);
        starts.any(|at| {
            text.get(at..at + app_token::LENGTH).is_some_and(|part| app_token::WellFormed::parse(part).is_some())
        })
    };
    words.any(|word| word.starts_with(JWT) && word.contains('.')) || has_app_token()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(details: &str) -> bool {
        matches!(TransactionRequest::new("files.read", details, ""), Err(TransactionError::Malformed(_)))
    }

    #[test]
    fn request_has_a_scope_and_objects() {
        let request =
            TransactionRequest::new("b a", r#"{"file":"7"}"#, r#"{"req_ip":"192.0.2.1"}"#).expect("a request");
        assert_eq!(request.scope().to_string(), "a b");
        assert_eq!(
            (request.details()["file"].as_str(), request.context()["req_ip"].as_str()),
            (Some("7"), Some("192.0.2.1"))
        );
        assert!(TransactionRequest::new("a", "", "").expect("a request").details().is_empty());
        for scope in ["", " ", "a\\b", "ü"] {
            assert_eq!(TransactionRequest::new(scope, "", ""), Err(TransactionError::Scope), "{scope:?}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_DETAILS));
        for details in ["[]", "7", "null", "{", r#"{"a":1} x"#, r#"{"sub_type":"workload"}"#, long.as_str()] {
            assert!(refuses(details), "{details}");
        }
    }

    /// `docs/security-requirements.md#x5`
    #[test]
    fn numbers_that_would_change_on_the_way_are_refused() {
        for number in ["0", "-9223372036854775808", "18446744073709551615"] {
            let details = format!(r#"{{"a":[{number}]}}"#);
            let request = TransactionRequest::new("a", &details, &details).expect(number);
            let written = Value::Object(request.details().clone()).to_string();
            assert_eq!((written, request.context()), (details, request.details()));
        }
        for number in ["18446744073709551616", "-9223372036854775809", "449.49106478873813", "1.0", "1e3"] {
            assert!(refuses(&format!(r#"{{"a":[{number}]}}"#)), "{number}");
            let context = format!(r#"{{"a":{{"b":{number}}}}}"#);
            assert!(TransactionRequest::new("a", "", &context).is_err(), "{number}");
        }
    }

    /// `docs/security-requirements.md#x10`
    #[test]
    fn tokens_in_details_are_refused() {
        let token = app_token::generate(app_token::PREFIX, |bytes| bytes.fill(7));
        let token = secrecy::ExposeSecret::expose_secret(&token);
        let hidden = [
            r#"{"a":"eyJhbGciOiJub25lIn0.e30."}"#.to_owned(),
            r#"{"a":"\u0065yJhbGciOiJub25lIn0.e30."}"#.to_owned(),
            r#"{"a":[{"b":"Bearer eyJhbGciOiJub25lIn0.e30.x"}]}"#.to_owned(),
            r#"{"eyJhbGciOiJub25lIn0.e30.x":1}"#.to_owned(),
            format!(r#"{{"a":"token={token}"}}"#),
        ];
        for details in hidden {
            assert!(refuses(&details), "{details}");
        }
        for plain in [r#"{"file":"keyJ.txt"}"#, r#"{"id":"eyJabc"}"#, r#"{"path":"/dwa_2026/photo"}"#] {
            assert!(!refuses(plain), "{plain}");
        }
    }

    #[test]
    fn replacement_changes_neither_details_nor_context() {
        assert_eq!(ReplacementRequest::new("", "", "").map(|request| request.scope().cloned()), Ok(None));
        let narrower = ReplacementRequest::new("a", "", "").expect("a request");
        assert_eq!(narrower.scope().map(Scopes::to_string).as_deref(), Some("a"));
        for (details, context) in [("{}", ""), ("", "{}")] {
            let refused = ReplacementRequest::new("a", details, context);
            assert!(matches!(refused, Err(TransactionError::Malformed(_))), "{details} {context}");
        }
    }
}
