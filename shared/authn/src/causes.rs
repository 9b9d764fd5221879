use std::error::Error;

/// What an error was caused by, from the outermost cause to the innermost, for the log; empty if it has no cause.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuthError, DirectoryError};

    #[test]
    fn every_cause_is_named_and_the_error_itself_is_not() {
        let lost = DirectoryError::Unavailable("the connection was reset".into());
        assert_eq!(causes(&AuthError::Internal(Box::new(lost))), "users is not available: the connection was reset");
        assert_eq!(causes(&AuthError::UnknownUser), "");
    }
}
