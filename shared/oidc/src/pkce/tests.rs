use proptest::prelude::*;

use super::*;

/// The example of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn s256() -> Challenge {
    Challenge::read(Some(CHALLENGE), Some("S256")).expect("valid").expect("one")
}

#[test]
fn the_example_of_the_rfc_matches() {
    assert_eq!(verify(Some(&s256()), Some(VERIFIER)), Ok(()));
    assert_eq!(s256().to_text(), CHALLENGE);
    assert_eq!(challenge(VERIFIER), CHALLENGE);
}

#[test]
fn i5_plain_is_refused_unless_registered() {
    let plain = Challenge::read(Some(VERIFIER), Some("plain")).expect("it is read").expect("one");
    let unnamed = Challenge::read(Some(VERIFIER), None).expect("it is read");
    assert_eq!(unnamed.as_ref(), Some(&plain), "RFC 7636 4.3");
    assert_eq!(Policy::default().check(Some(&plain)), Err(PkceError::PlainRefused));
    assert_eq!(PkceError::PlainRefused.code(), ErrorCode::InvalidRequest);
    let legacy = Policy { required: false, plain: true };
    assert_eq!(legacy.check(Some(&plain)), Ok(()));
    assert_eq!(verify(Some(&plain), Some(VERIFIER)), Ok(()));
    assert_eq!(verify(Some(&plain), Some(CHALLENGE)), Err(PkceError::Mismatch));
    assert_eq!(Policy::default().check(Some(&s256())), Ok(()));
}

#[test]
fn i5_a_challenge_is_required_unless_registered() {
    assert_eq!(Policy::default().check(None), Err(PkceError::ChallengeRequired));
    assert_eq!(PkceError::ChallengeRequired.code(), ErrorCode::InvalidRequest);
    assert_eq!(Policy { required: false, plain: false }.check(None), Ok(()), "the clients of Cells send none");
}

#[test]
fn i5_a_verifier_has_43_to_128_characters() {
    let of_length = |length: usize| {
        let verifier = "a".repeat(length);
        let challenge =
            Challenge(Form::S256(digest(&SHA256, verifier.as_bytes()).as_ref().try_into().expect("32 bytes")));
        verify(Some(&challenge), Some(&verifier))
    };
    for length in [43, 44, 127, 128] {
        assert_eq!(of_length(length), Ok(()), "{length}");
    }
    for length in [0, 1, 42, 129, 1000] {
        assert_eq!(of_length(length), Err(PkceError::MalformedVerifier), "{length}");
    }
    assert_eq!(PkceError::MalformedVerifier.code(), ErrorCode::InvalidGrant);
    for odd in ["+", "/", "=", " ", "%", "ö", "\0", "\n"] {
        let verifier = format!("{}{odd}", &VERIFIER[1..]);
        assert_eq!(verify(Some(&s256()), Some(&verifier)), Err(PkceError::MalformedVerifier), "{odd:?}");
    }
}

#[test]
fn i6_a_verifier_belongs_to_a_challenge_and_a_challenge_to_a_verifier() {
    assert_eq!(verify(None, Some(VERIFIER)), Err(PkceError::VerifierUnexpected), "the challenge was stripped");
    assert_eq!(verify(Some(&s256()), None), Err(PkceError::VerifierMissing));
    assert_eq!(verify(None, None), Ok(()), "a client that does not use PKCE");
    for error in [PkceError::VerifierUnexpected, PkceError::VerifierMissing, PkceError::Mismatch] {
        assert_eq!(error.code(), ErrorCode::InvalidGrant);
    }
}

#[test]
fn a_challenge_has_one_form() {
    let wrong = [
        "",
        &CHALLENGE[1..],
        &format!("{CHALLENGE}="),
        &format!("{CHALLENGE}A"),
        &CHALLENGE.replace('-', "+"),
        &format!("{}N", &CHALLENGE[..42]),
        &format!(" {}", &CHALLENGE[1..]),
    ];
    for wrong in wrong {
        assert_eq!(Challenge::read(Some(wrong), Some("S256")), Err(PkceError::MalformedChallenge), "{wrong:?}");
    }
    for method in ["s256", "S512", "Plain", "none", "", "S256 "] {
        assert_eq!(Challenge::read(Some(CHALLENGE), Some(method)), Err(PkceError::UnknownMethod), "{method:?}");
    }
    assert_eq!(Challenge::read(None, Some("S256")), Err(PkceError::MethodWithoutChallenge));
    assert_eq!(Challenge::read(None, None), Ok(None));
}

#[test]
fn no_challenge_is_printed() {
    let plain = Challenge::read(Some(VERIFIER), Some("plain")).expect("valid");
    assert!(!format!("{plain:?}").contains(VERIFIER));
}

proptest! {
    #[test]
    fn what_is_accepted_is_written_as_it_was(
        challenge in prop::option::of("[A-Za-z0-9_.~-]{42,44}|[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]|.{0,140}"),
        method in prop::option::of("S256|plain|.{0,5}"),
    ) {
        if let Ok(Some(read)) = Challenge::read(challenge.as_deref(), method.as_deref()) {
            prop_assert_eq!(Some(read.to_text()), challenge);
            let again = Challenge::read(Some(&read.to_text()), Some(read.method().as_str()));
            prop_assert_eq!(again, Ok(Some(read)));
        }
    }

    #[test]
    fn only_its_own_verifier_redeems(verifier in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}|.{0,140}") {
        let challenge = Challenge(Form::S256(digest(&SHA256, verifier.as_bytes()).as_ref().try_into().expect("32 bytes")));
        prop_assert_eq!(verify(Some(&challenge), Some(&verifier)), Ok(()));
        prop_assert_eq!(verify(Some(&challenge), Some(&other)).is_ok(), verifier == other);
    }
}
