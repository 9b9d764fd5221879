use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn all_lists_each_code_once() {
    for (index, code) in ErrorCode::ALL.into_iter().enumerate() {
        assert_eq!(code as usize, index, "{code:?}");
    }
    let names: BTreeSet<&str> = ErrorCode::ALL.into_iter().map(ErrorCode::code).collect();
    assert_eq!(names.len(), ErrorCode::ALL.len(), "no two codes have one name");
}

#[test]
fn a_name_is_that_of_its_variant() {
    for code in ErrorCode::ALL {
        let camel: String = code.code().split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert_eq!(camel, format!("{code:?}"));
    }
}

#[test]
fn all_is_400_but_what_the_specifications_except() {
    let others: Vec<(&str, u16)> = ErrorCode::ALL
        .into_iter()
        .map(|code| (code.code(), code.kind().http().as_u16()))
        .filter(|(_, status)| *status != 400)
        .collect();
    let expected = [
        ("server_error", 500),
        ("temporarily_unavailable", 503),
        ("invalid_client", 401),
        ("invalid_token", 401),
        ("insufficient_scope", 403),
    ];
    assert_eq!(others, expected);
}

#[test]
fn i29_a_bad_proof_is_401_where_the_token_is_presented() {
    for code in ErrorCode::ALL {
        let proof = matches!(code, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce);
        let expected = if proof { Kind::Unauthenticated } else { code.kind() };
        assert_eq!(code.kind_at_resource(), expected, "{code}");
    }
}

proptest! {
    #[test]
    fn only_its_own_name_is_read_as_a_code(text in "[a-z_]{0,30}|.{0,20}") {
        if let Ok(code) = text.parse::<ErrorCode>() {
            prop_assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn a_code_is_read_as_it_is_written(code in prop::sample::select(ErrorCode::ALL.to_vec())) {
        prop_assert_eq!(code.to_string().parse(), Ok(code));
    }
}
