//! Links to the same page with other parameters.

use url::form_urlencoded::Serializer;

/// A path with those of these parameters that are not empty.
pub(super) fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_empty_ones_left_out() {
        assert_eq!(with_query("/admin/tokens", &[("user", ""), ("after", "")]), "/admin/tokens");
        assert_eq!(
            with_query("/admin/tokens", &[("user", "a&b"), ("after", "1.7")]),
            "/admin/tokens?user=a%26b&after=1.7"
        );
    }
}
