//! Forms that programs send (RFC 6749 appendix B).

use std::borrow::Cow;

use super::error::OAuthError;

/// The most parameters of a form, those that are ignored included.
const MAX_PARAMETERS: usize = 64;
/// What may be given more than once (RFC 8707 2, RFC 8693 2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// The parameters of a form. It is not printed, as it holds secrets.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the text of a form. A parameter without a value counts as left out (RFC 6749 3.2).
    ///
    /// # Errors
    /// `invalid_request`, also where a parameter is given twice (RFC 6749 3.2).
    pub fn parse(text: &[u8]) -> Result<Self, OAuthError> {
        let mut form: Vec<(String, String)> = Vec::with_capacity(8);
        for (name, value) in form_urlencoded::parse(text) {
            let is_repeated = form.iter().any(|(given, _)| *given == name);
            if is_repeated && !REPEATABLE.contains(&name.as_ref()) {
                return Err(OAuthError::invalid("a parameter is given more than once"));
            }
            if form.len() >= MAX_PARAMETERS {
                return Err(OAuthError::invalid("there are too many parameters"));
            }
            form.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(form))
    }

    /// The value of a parameter, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// `invalid_request`.
    pub fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid(Cow::Owned(format!("{name} is missing"))))
    }

    /// All values of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str());
        values.filter(|value| !value.is_empty())
    }

    /// All parameters, in the order they came in, as [`oidc::request`] reads them.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use oidc::error::ErrorCode;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_parameter_comes_once_and_an_empty_one_not_at_all() {
        let form = Form::parse(b"a=1&b=&resource=x&resource=y&c=%C3%A9+%26").expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), (Some("1"), None, Some("é &"), None));
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["x", "y"]);
        for twice in ["a=1&a=1", "a=&a=1", "client_id=x&client_id=y"] {
            let refusal = Form::parse(twice.as_bytes()).err().expect("a refusal");
            assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{twice}");
        }
        assert!(Form::parse("resource=x&".repeat(65).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(form) = Form::parse(&bytes) {
                prop_assert!(form.pairs().len() <= MAX_PARAMETERS);
            }
        }
    }
}
