use proptest::prelude::*;

use super::*;

const TEXTS: [&str; 7] =
    ["code", "id_token", "token", "id_token token", "code id_token", "code token", "code id_token token"];

#[test]
fn every_combination_is_read_and_written() {
    for (kind, text) in ResponseType::ALL.into_iter().zip(TEXTS) {
        assert_eq!(text.parse(), Ok(kind));
        assert_eq!(kind.to_string(), text);
        let reversed: Vec<&str> = text.rsplit(' ').collect();
        assert_eq!(reversed.join(" ").parse(), Ok(kind), "the order does not matter");
        assert_eq!(kind.issues_code(), text.contains("code"));
        assert_eq!(kind.issues_id_token(), text.contains("id_token"));
        assert_eq!(kind.issues_token(), text.split(' ').any(|word| word == "token"));
    }
}

#[test]
fn what_is_no_response_type_is_refused() {
    for wrong in
        ["", " ", "none", "Code", "code,token", "code  token", " code", "code ", "code code", "code none", "device"]
    {
        assert_eq!(wrong.parse::<ResponseType>(), Err(ResponseError::UnknownType), "{wrong:?}");
    }
    assert_eq!(ResponseError::UnknownType.code(), ErrorCode::UnsupportedResponseType);
}

#[test]
fn the_default_is_the_query_for_a_code_alone() {
    for kind in ResponseType::ALL {
        let expected = if kind == ResponseType::CODE { Carrier::Query } else { Carrier::Fragment };
        assert_eq!(kind.delivery(None), Ok(Delivery { carrier: expected, signed: false }), "{kind}");
        assert_eq!(kind.delivery(Some(ResponseMode::Jwt)), Ok(Delivery { carrier: expected, signed: true }), "{kind}");
    }
}

#[test]
fn tokens_never_stand_in_a_query() {
    for kind in ResponseType::ALL {
        for mode in ResponseMode::ALL {
            let forbidden = kind != ResponseType::CODE && matches!(mode, ResponseMode::Query | ResponseMode::QueryJwt);
            match kind.delivery(Some(mode)) {
                Ok(delivery) => {
                    assert!(!forbidden, "{kind} {mode:?}");
                    assert_eq!(delivery.signed, mode.as_str().ends_with("jwt"));
                    assert!(mode == ResponseMode::Jwt || delivery.mode() == mode);
                }
                Err(error) => {
                    assert!(forbidden, "{kind} {mode:?}");
                    assert_eq!(error.code(), ErrorCode::InvalidRequest);
                }
            }
        }
    }
}

#[test]
fn an_error_about_the_type_goes_where_the_mode_says() {
    assert_eq!(Delivery::of_mode(None), Delivery { carrier: Carrier::Query, signed: false });
    assert_eq!(Delivery::of_mode(Some(ResponseMode::Jwt)), Delivery { carrier: Carrier::Query, signed: true });
    let of = |mode| Delivery::of_mode(Some(mode));
    assert_eq!(of(ResponseMode::FormPost), Delivery { carrier: Carrier::FormPost, signed: false });
    assert_eq!(of(ResponseMode::FragmentJwt), Delivery { carrier: Carrier::Fragment, signed: true });
}

#[test]
fn modes_are_read_as_they_are_written() {
    for (index, mode) in ResponseMode::ALL.into_iter().enumerate() {
        assert_eq!((mode as usize, mode.as_str().parse()), (index, Ok(mode)));
    }
    for wrong in ["", "Query", "form", "web_message", "query.JWT", "jwt.query", "fragment "] {
        assert_eq!(wrong.parse::<ResponseMode>(), Err(ResponseError::UnknownMode), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn what_is_accepted_is_written_as_the_same_words(text in "((code|id_token|token|none)?( (code|id_token|token)){0,3})|.{0,30}") {
        if let Ok(kind) = text.parse::<ResponseType>() {
            prop_assert_eq!(kind.to_string().parse(), Ok(kind));
            let words = |text: &str| text.split(' ').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(words(&kind.to_string()), words(&text));
        }
    }

    #[test]
    fn only_its_own_name_is_read_as_a_mode(text in "(query|fragment|form_post)?\\.?(jwt)?|.{0,20}") {
        if let Ok(mode) = text.parse::<ResponseMode>() {
            prop_assert_eq!(mode.as_str(), text);
        }
    }
}
