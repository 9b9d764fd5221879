use proto::cs3::{rpc::v1beta1::Status as Cs3Status, types::v1beta1::OpaqueEntry};
use status::Kind;

/// The longest name of an encoding that is passed on, in bytes.
const LONGEST_DECODER: usize = 64;
/// The longest explanation that is passed on, in bytes.
const LONGEST_VALUE: usize = 4096;

/// The cause of a refusal as the system has stated it that refused (CS3 `Status.InnerError`). Clients of that system read it; this family
/// passes it on as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// How the value is encoded: `json`, `plain`; at most 64 bytes.
    pub decoder: String,
    /// The cause, of 1 to 4096 bytes.
    pub value: Vec<u8>,
}

impl Explanation {
    /// The explanation of a refusal. Those of other failures, and ones that are too long, are left out.
    pub(crate) fn of(status: &Cs3Status) -> Option<Self> {
        let is_refusal = Kind::from_cs3(status.code) == Some(Kind::Unauthenticated);
        let OpaqueEntry { decoder, value } = status.inner_error.as_ref().filter(|_| is_refusal)?;
        let fits = decoder.len() <= LONGEST_DECODER && (1..=LONGEST_VALUE).contains(&value.len());
        fits.then(|| Self { decoder: decoder.clone(), value: value.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: i32, decoder: &str, value: &[u8]) -> Cs3Status {
        let entry = OpaqueEntry { decoder: decoder.to_owned(), value: value.to_vec() };
        Cs3Status { code, inner_error: Some(entry), ..Cs3Status::default() }
    }

    #[test]
    fn refusal_alone_has_an_explanation() {
        let expected = Explanation { decoder: "json".to_owned(), value: b"{}".to_vec() };
        assert_eq!(Explanation::of(&status(9, "json", b"{}")), Some(expected));
        assert_eq!(Explanation::of(&Cs3Status { code: 9, ..Cs3Status::default() }), None);
        for code in [-1, 0, 1, 6, 8, 15, 16, 99] {
            assert_eq!(Explanation::of(&status(code, "json", b"{}")), None, "{code}");
        }
    }

    #[test]
    fn explanation_is_bounded() {
        let (decoder, value) = ("d".repeat(64), vec![b'v'; 4096]);
        assert!(Explanation::of(&status(9, &decoder, &value)).is_some());
        assert!(Explanation::of(&status(9, "", b"v")).is_some());
        assert_eq!(Explanation::of(&status(9, &decoder, b"")), None);
        assert_eq!(Explanation::of(&status(9, &"d".repeat(65), b"v")), None);
        assert_eq!(Explanation::of(&status(9, "json", &[b'v'; 4097])), None);
    }
}
