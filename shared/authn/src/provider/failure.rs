use proto::cs3::rpc::v1beta1::Status as Cs3Status;

use crate::AuthError;

/// The CS3 status of an authentication that failed, with the [`Explanation`](crate::Explanation) of a refusal that has one. `trace` is the
/// trace id (hex) or request id of the call, empty if there is none.
pub fn failure(error: &AuthError, trace: &str) -> Cs3Status {
    let failure = status::failure(error.kind(), error.to_string(), trace);
    if let AuthError::Explained(explanation) = error {
        status::explained(failure, explanation.decoder.as_str(), explanation.value.as_slice())
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Explanation, Reason};

    #[test]
    fn explanation_survives_a_hop() {
        let explanation =
            Explanation { decoder: "json".to_owned(), value: br#"{"reason":"session_expired"}"#.to_vec() };
        let status = failure(&AuthError::Explained(Box::new(explanation.clone())), "req-1");
        assert_eq!((status.code, status.message.as_str(), status.trace.as_str()), (9, "invalid credentials", "req-1"));
        assert_eq!(Explanation::of(&status), Some(explanation));
        assert_eq!(failure(&AuthError::Refused(Reason::WrongSecret), "").inner_error, None);
    }
}
