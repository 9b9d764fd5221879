//! Chains of replacements (section 13.15), from the first token on.

use std::cell::Cell;

use authn::Actor;
use oidc::scope::Scopes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use token::transaction::{MAX_LIFETIME, MAX_REQUESTERS, ReplacementRequest, TransactionClaims, narrowed};

use super::*;

/// How many chains there are at least.
const CHAINS: u32 = 100_000;
/// The most replacements of a chain.
const LONGEST: u64 = 12;
const SCOPES: [&str; 6] = ["a", "b", "c", "files.read", "files.write", "user"];
const WORKLOADS: [&str; 8] = ["x", "y", FILES, "spiffe://example.org/a", "z.example.org", "", "a,b", "ä"];

/// The choices of one chain. They are made of one number, since 100,000 strategies of many values would take minutes.
struct Choices(u64);

impl Choices {
    /// A number below `bound` (`SplitMix64`).
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        let count = u64::try_from(texts.len()).unwrap();
        texts[usize::try_from(self.below(count)).unwrap()]
    }

    /// Some of these texts, each with an even chance.
    fn some_of<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        texts.into_iter().filter(|_| self.once_in(2)).collect()
    }

    /// A scope: the same, a part of the present one, any one, or one with a repeated token.
    fn scope(&mut self, present: &TransactionClaims) -> String {
        match self.below(8) {
            0..=2 => String::new(),
            3..=5 => self.some_of(present.scope.iter()).join(" "),
            6 => self.some_of(SCOPES).join(" "),
            _ => {
                let token = self.one_of(&SCOPES);
                format!("{token} {token}")
            }
        }
    }

    fn policy(&mut self) -> WorkloadPolicy {
        let scopes = if self.once_in(4) { self.some_of(SCOPES) } else { SCOPES.to_vec() };
        let lifetime = Duration::from_secs(if self.once_in(16) { 0 } else { 1 + self.below(400) });
        WorkloadPolicy { may_replace: !self.once_in(8), lifetime, ..policy(&scopes) }
    }

    /// The time of the next request: mostly soon, at times much later, or before the present one.
    fn time_after(&mut self, now: u64) -> u64 {
        if self.once_in(8) { now + self.below(411) - 10 } else { now + self.below(20) }
    }

    /// What the first token of a chain says, for some subject and request; `None` if it is refused.
    fn first(&mut self, minter: &TransactionMinter) -> Result<Option<TransactionClaims>, TestCaseError> {
        let own = self.some_of(SCOPES);
        let wanted = if self.once_in(8) { self.some_of(SCOPES) } else { self.some_of(own.iter().copied()) };
        let own: Scopes = if own.is_empty() { "a".to_owned() } else { own.join(" ") }.parse().unwrap();
        let (id, actor) = (self.below(1000).to_string(), Actor::from("portal"));
        let subject = Subject {
            id: &id,
            kind: if self.once_in(2) { SubjectType::User } else { SubjectType::Workload },
            actor: self.once_in(2).then_some(&actor),
            authority: if self.once_in(3) { Authority::WholeUser } else { Authority::Scopes(&own) },
            not_after: at(NOW + self.below(400)),
        };
        let (workload, policy) = (if self.once_in(8) { self.one_of(&WORKLOADS) } else { FILES }, self.policy());
        let Ok(request) = TransactionRequest::new(&wanted.join(" "), r#"{"file":"7"}"#, "") else { return Ok(None) };
        let Ok(claims) = minter.first_claims(at(NOW), &subject, &request, workload, &policy) else { return Ok(None) };
        if let Authority::Scopes(own) = subject.authority {
            prop_assert!(claims.scope.is_subset(own), "{own:?} -> {claims:?}");
        }
        prop_assert!(!claims.scope.is_empty(), "{claims:?}");
        prop_assert!(claims.scope.iter().all(|token| policy.scopes.contains(token)), "{claims:?}");
        prop_assert!(claims.expires_at <= subject.not_after, "{claims:?}");
        prop_assert_eq!((claims.subject.as_str(), claims.actor.as_ref()), (subject.id, subject.actor));
        prop_assert_eq!(claims.requesters.to_string(), workload);
        Ok(Some(claims))
    }
}

/// How many requests of a chain were accepted, and how many refused.
fn chain(minter: &TransactionMinter, seed: u64) -> Result<(u64, u64), TestCaseError> {
    let (mut choices, mut accepted, mut refused) = (Choices(seed), 0, 0);
    let first = loop {
        match choices.first(minter)? {
            Some(first) => break first,
            None => refused += 1,
        }
    };
    let (mut present, mut now) = (first.clone(), NOW);
    let length = choices.below(LONGEST + 1);
    for _ in 0..length {
        now = choices.time_after(now);
        let (scope, workload, policy) = (choices.scope(&present), choices.one_of(&WORKLOADS), choices.policy());
        let request =
            ReplacementRequest::new(&scope, "", "").map_err(|error| TestCaseError::fail(error.to_string()))?;
        if let Ok(next) = narrowed(at(now), &present, &request, workload, &policy) {
            check(&first, &present, &next, workload)?;
            prop_assert!(next.scope.iter().all(|token| policy.scopes.contains(token)), "{next:?}");
            (present, accepted) = (next, accepted + 1);
        } else {
            refused += 1;
        }
    }
    Ok((accepted, refused))
}

/// A replacement says no more than the token before it and the first one.
fn check(
    first: &TransactionClaims,
    before: &TransactionClaims,
    after: &TransactionClaims,
    workload: &str,
) -> Result<(), TestCaseError> {
    for other in [first, before] {
        prop_assert!(!after.scope.is_empty() && after.scope.is_subset(&other.scope), "{other:?} -> {after:?}");
        prop_assert!(after.expires_at <= other.expires_at, "{other:?} -> {after:?}");
        prop_assert_eq!(&after.issuer, &other.issuer);
        prop_assert_eq!(&after.audience, &other.audience);
        prop_assert_eq!(&after.transaction, &other.transaction);
        prop_assert_eq!((&after.subject, after.subject_type), (&other.subject, other.subject_type));
        prop_assert_eq!(&after.details, &other.details);
        prop_assert_eq!(&after.context, &other.context);
        prop_assert_eq!(&after.actor, &other.actor);
    }
    let lifetime = after.expires_at.duration_since(after.issued_at).unwrap_or_default();
    prop_assert!((Duration::from_secs(1)..=MAX_LIFETIME).contains(&lifetime), "{after:?}");
    prop_assert_eq!(after.requesters.to_string(), format!("{},{workload}", before.requesters));
    prop_assert_eq!(after.requesters.iter().count(), before.requesters.iter().count() + 1);
    prop_assert!(after.requesters.iter().count() <= MAX_REQUESTERS);
    Ok(())
}

/// `docs/security-requirements.md#x5`
#[test]
fn replacements_never_widen() {
    let cases = Config::default().cases.max(CHAINS);
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let minter = TransactionMinter::new(keys(), DOMAIN);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&any::<u64>(), |seed| {
        let (more_accepted, more_refused) = chain(&minter, seed)?;
        accepted.set(accepted.get() + more_accepted);
        refused.set(refused.get() + more_refused);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // chains that are refused from the first on, or never, say little
    let all = accepted.get() + refused.get();
    assert!(accepted.get() * 10 > all && refused.get() * 10 > all, "{} of {all} accepted", accepted.get());
}

/// `docs/security-requirements.md#x5`
#[test]
fn signed_chains_are_accepted_with_both_algorithms() {
    let request = ReplacementRequest::new("files.read", "", "").unwrap();
    let sides = ALGORITHMS.map(|algorithm| {
        let keys = keys_of(SECRET, algorithm);
        let (minter, verifier) = (TransactionMinter::new(Arc::clone(&keys), DOMAIN), remote_verifier(&keys, at(NOW)));
        (keys, minter, verifier)
    });
    for index in 0..300_usize {
        let (keys, minter, verifier) = &sides[index % sides.len()];
        let mut present = mint(keys);
        for step in 1..=index % MAX_REQUESTERS {
            let claims = verifier.verify(at(NOW), &present.token).unwrap();
            let workload = format!("workload-{step}");
            present = minter.replace(at(NOW), &claims, &request, &workload, &policy(&["files.read"])).unwrap();
            assert_eq!(present.claims.requesters.iter().count(), step + 1);
        }
        assert_eq!(verifier.verify(at(NOW), &present.token), Ok(present.claims));
    }
}

#[test]
fn ninth_workload_gets_no_replacement() {
    let request = ReplacementRequest::new("", "", "").unwrap();
    let policy = policy(&["files.read", "files.write"]);
    let replace = |claims: &TransactionClaims| narrowed(at(NOW), claims, &request, "x", &policy);
    let mut claims = mint(&keys()).claims;
    for _ in 1..MAX_REQUESTERS {
        claims = replace(&claims).unwrap();
    }
    assert_eq!(replace(&claims), Err(TransactionError::TooManyRequesters));
}
