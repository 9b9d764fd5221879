//! Headers of requests.

use http::{HeaderMap, HeaderName};

/// A header's value, if the header occurs once and is text.
pub fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}
