use std::fmt;

/// A JWT from a request, not verified. `Debug` does not print it, as it may be a token that is still valid.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedJwt(String);

impl UnverifiedJwt {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Its text, for whoever verifies it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnverifiedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedJwt({} bytes)", self.0.len())
    }
}
