//! The stored verifier of a password, and whether a password matches it.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;

use super::Memory;
use super::hasher::fill;

/// Limits of what a kept verifier may make us do: verifiers can come from elsewhere.
const MOST_MEMORY: u32 = 65_536;
const MOST_ITERATIONS: u32 = 16;
const MOST_PARALLELISM: u32 = 16;
const MOST_BCRYPT_COST: u32 = 14;

/// Of a longer password bcrypt takes only the beginning; of one with 72 bytes it loses the end's mark.
const BCRYPT_LIMIT: usize = 72;

/// What is kept of a password: an argon2 PHC string, or a bcrypt string of an earlier system.
#[derive(Clone)]
pub struct Verifier(Form);

#[derive(Clone)]
enum Form {
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: Vec<u8>, output: Vec<u8> },
    Bcrypt(String),
}

impl Verifier {
    /// Reads a verifier; `None` if it is none that is understood, or one that would cost too much.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("$2") { parse_bcrypt(text) } else { parse_argon2(text) }.map(Self)
    }

    /// Whether the password matches.
    pub(crate) fn accepts(&self, password: &[u8], memory: &mut Memory) -> bool {
        match &self.0 {
            Form::Argon2 { algorithm, version, params, salt, output } => {
                let mut found = vec![0; output.len()];
                fill(&Argon2::new(*algorithm, *version, params.clone()), password, salt, &mut found, memory);
                found.ct_eq(output).into()
            }
            Form::Bcrypt(text) => {
                // two long passwords with the same beginning are not the same; the work is done all the same
                let begin = &password[..password.len().min(BCRYPT_LIMIT)];
                bcrypt::verify(begin, text).unwrap_or(false) && password.len() < BCRYPT_LIMIT
            }
        }
    }

    pub(super) fn is_argon2id_with(&self, wanted: &Params) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        matches!(&self.0, Form::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, .. }
            if cost(params) == cost(wanted))
    }

    pub(super) fn is_affordable(params: &Params) -> bool {
        params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_ITERATIONS && params.p_cost() <= MOST_PARALLELISM
    }
}

/// Shows the kind only.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Form::Argon2 { .. } => "Verifier(argon2)",
            Form::Bcrypt(_) => "Verifier(bcrypt)",
        })
    }
}

fn parse_bcrypt(text: &str) -> Option<Form> {
    let parts: bcrypt::HashParts = text.parse().ok()?;
    (4..=MOST_BCRYPT_COST).contains(&parts.get_cost()).then(|| Form::Bcrypt(text.to_owned()))
}

fn parse_argon2(text: &str) -> Option<Form> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let salt = hash.salt?.to_vec();
    let output = hash.hash?.as_bytes().to_vec();
    let known = Verifier::is_affordable(&params)
        && salt.len() >= argon2::MIN_SALT_LEN
        && (16..=64).contains(&output.len())
        && params.keyid().is_empty()
        && params.data().is_empty();
    known.then_some(Form::Argon2 {
        algorithm: Algorithm::try_from(hash.algorithm.as_str()).ok()?,
        version: hash.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?,
        params,
        salt,
        output,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Cost, Hasher};
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(Cost { memory: 64, iterations: 1, parallelism: 1 }).expect("a cost")
    }

    fn accepts(verifier: &str, password: &[u8]) -> bool {
        Verifier::parse(verifier).expect("a verifier").accepts(password, &mut Memory::new())
    }

    #[test]
    fn a_verifier_accepts_its_password_and_no_other() {
        let mut memory = Memory::new();
        let one = hasher().hash(b"relativity", [1; 16], &mut memory);
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{one}");
        assert!(accepts(&one, b"relativity"));
        assert!(!accepts(&one, b"relativitx"));
        assert!(!accepts(&one, b""));
        assert_ne!(one, hasher().hash(b"relativity", [2; 16], &mut memory), "the salt counts");
    }

    #[test]
    fn memory_of_a_larger_run_changes_nothing() {
        let large = Hasher::new(Cost { memory: 512, iterations: 3, parallelism: 2 }).expect("a cost");
        let mut memory = Memory::new();
        large.hash(b"something else", [9; 16], &mut memory);
        let used = hasher().hash(b"relativity", [1; 16], &mut memory);
        assert_eq!(used, hasher().hash(b"relativity", [1; 16], &mut Memory::new()));
    }

    /// RFC 9106 has no vector without key and data; this one is of the reference implementation's command line.
    #[test]
    fn verifiers_of_the_reference_implementation_are_read() {
        let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(accepts(reference, b"password"));
        let old = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";
        assert!(accepts(old, b"password"));
    }

    #[test]
    fn what_would_cost_too_much_is_no_verifier() {
        for text in [
            "",
            "relativity",
            "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "$2b$31$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u",
            "$2b$xx$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u",
            "$6$rounds=5000$salt$hash",
        ] {
            assert!(Verifier::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn b2_bcrypt_twins_beyond_72_bytes_differ() {
        let long = [b'a'; 80];
        let mut twin = long;
        twin[79] = b'b';
        // as an earlier system made it: silently cut
        let cut = bcrypt::hash(long, 4).expect("a bcrypt hash");
        assert!(bcrypt::verify(twin, &cut).expect("the crate verifies"), "the crate cuts, which is why we must not");
        assert!(!accepts(&cut, &twin), "the twin is another password");
        assert!(!accepts(&cut, &long), "and which of the two was meant cannot be told");
        assert!(!accepts(&cut, &long[..72]));
        let short = bcrypt::hash(&long[..71], 4).expect("a bcrypt hash");
        assert!(accepts(&short, &long[..71]));
        assert!(!accepts(&short, &long[..70]));
    }

    #[test]
    fn i35_argon2_takes_every_byte() {
        let mut twin = [b'a'; 73];
        let verifier = hasher().hash(&twin, [3; 16], &mut Memory::new());
        twin[72] = b'b';
        assert!(!accepts(&verifier, &twin));
    }

    #[test]
    fn only_todays_algorithm_and_cost_are_current() {
        let hasher = hasher();
        let current = |text: &str| hasher.is_current(&Verifier::parse(text).expect("a verifier"));
        assert!(current(&hasher.hash(b"x", [1; 16], &mut Memory::new())));
        assert!(!current(&bcrypt::hash("x", 4).expect("a bcrypt hash")));
        let cheaper = Hasher::new(Cost { memory: 32, iterations: 1, parallelism: 1 }).expect("a cost");
        assert!(!current(&cheaper.hash(b"x", [1; 16], &mut Memory::new())));
        assert!(hasher.is_current(&hasher.decoy([1; 16], [2; 32])));
    }

    #[test]
    fn nothing_of_a_verifier_is_shown() {
        assert_eq!(format!("{:?}", hasher().decoy([1; 16], [2; 32])), "Verifier(argon2)");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail(text in r"(\$argon2id?\$|\$2[aby]\$)?[!-~é]{0,80}") {
            let _ = Verifier::parse(&text);
        }
    }
}
