//! Forms and queries (`application/x-www-form-urlencoded`).

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The longest query or form, in bytes: an ID token, a redirect URI and a state, all of them encoded.
const MAX_BYTES: usize = 48 * 1024;
/// The most parameters, those that are ignored included.
const MAX_PARAMETERS: usize = 64;

/// Why parameters are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// There are too many, or they are too long in all.
    #[error("the request is too long")]
    TooLong,
    /// The body is not a form.
    #[error("the body must be application/x-www-form-urlencoded")]
    NoForm,
    /// One is repeated (RFC 6749 3.1).
    #[error("{0} is given more than once")]
    Repeated(&'static str),
    /// One is longer than it may be.
    #[error("{0} is too long")]
    Oversized(&'static str),
    /// One has a control character.
    #[error("{0} has a control character")]
    Control(&'static str),
}

/// Whether the body of a request is a form, by its media type.
pub fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Parameters, decoded, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query, within the limits on its length and the number of parameters.
    ///
    /// # Errors
    /// [`BadParameters::TooLong`].
    pub fn of_query(query: Option<&str>) -> Result<Self, BadParameters> {
        Self::limited(query.unwrap_or_default().as_bytes())
    }

    /// Reads a form, within the same limits. A body of another media type is refused, unless it is empty.
    ///
    /// # Errors
    /// [`BadParameters::TooLong`] and [`BadParameters::NoForm`].
    pub fn of_form(headers: &HeaderMap, body: &[u8]) -> Result<Self, BadParameters> {
        if !body.is_empty() && !is_form(headers) {
            return Err(BadParameters::NoForm);
        }
        Self::limited(body)
    }

    fn limited(text: &[u8]) -> Result<Self, BadParameters> {
        if text.len() > MAX_BYTES || form_urlencoded::parse(text).nth(MAX_PARAMETERS).is_some() {
            return Err(BadParameters::TooLong);
        }
        Ok(Self::unlimited(text))
    }

    /// Reads a query or a form of any media type and length, for those that are bounded elsewhere.
    pub fn unlimited(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a parameter that occurs at most once and has at most `max` bytes; `None` if it is left out or empty.
    ///
    /// # Errors
    /// [`BadParameters::Repeated`], [`BadParameters::Oversized`] and [`BadParameters::Control`].
    pub fn one(&self, name: &'static str, max: usize) -> Result<Option<&str>, BadParameters> {
        let mut values = self.all(name);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(BadParameters::Repeated(name));
        }
        if value.len() > max {
            return Err(BadParameters::Oversized(name));
        }
        if value.contains(char::is_control) {
            return Err(BadParameters::Control(name));
        }
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// The first value of a parameter, empty or not.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first value of a parameter; an empty text without one.
    pub fn text(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default()
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The parameters, encoded as a query.
    pub fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Parameters {
        Parameters::of_query(Some(text)).unwrap()
    }

    #[test]
    fn a_parameter_comes_once_and_is_not_longer_than_it_may_be() {
        let read = query("a=1&b=&c=x&c=x&d=%0a&e=12345");
        assert_eq!(read.one("a", 9), Ok(Some("1")));
        assert_eq!(read.one("b", 9), Ok(None), "one without a value counts as left out");
        assert_eq!(read.one("c", 9), Err(BadParameters::Repeated("c")));
        assert_eq!(read.one("d", 9), Err(BadParameters::Control("d")));
        assert_eq!(read.one("e", 4), Err(BadParameters::Oversized("e")));
        assert_eq!(read.one("f", 4), Ok(None));
    }

    #[test]
    fn what_is_endless_is_refused() {
        let long = "a".repeat(MAX_BYTES + 1);
        assert_eq!(Parameters::of_query(Some(&long)), Err(BadParameters::TooLong));
        assert_eq!(Parameters::of_query(Some(&"a&".repeat(MAX_PARAMETERS + 1))), Err(BadParameters::TooLong));
        assert!(Parameters::of_query(Some(&"a&".repeat(MAX_PARAMETERS))).is_ok());
    }

    #[test]
    fn a_body_is_a_form() {
        let typed = |text| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
        let form = typed("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(Parameters::of_form(&form, b"a=1"), Ok(query("a=1")));
        assert_eq!(Parameters::of_form(&typed("text/plain"), b"a=1"), Err(BadParameters::NoForm));
        assert_eq!(Parameters::of_form(&HeaderMap::new(), b"a=1"), Err(BadParameters::NoForm));
        assert_eq!(Parameters::of_form(&HeaderMap::new(), b""), Ok(query("")));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(text in ".{0,200}") {
            if let Ok(read) = Parameters::of_query(Some(&text)) {
                prop_assert_eq!(Parameters::of_query(Some(&read.to_query())), Ok(read));
            }
        }
    }
}
