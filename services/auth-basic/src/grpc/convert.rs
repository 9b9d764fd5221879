//! What the policy says, as messages have it.

use authn::User;
use ldap::Refusal;
use proto::doorward::passwords::v1::{JudgePasswordResponse, NewUserNames, PasswordWeakness};

use crate::password::{Judgement, Policy, Weakness};

/// A user who does not exist yet.
pub(super) fn new_user(names: NewUserNames) -> User {
    let NewUserNames { username, mail, display_name } = names;
    User { username, mail, display_name, ..User::default() }
}

pub(super) fn judgement(judgement: &Judgement, policy: &Policy) -> JudgePasswordResponse {
    JudgePasswordResponse {
        score: judgement.score.into(),
        weaknesses: judgement.weaknesses.iter().map(|found| weakness(*found).into()).collect(),
        min_characters: u32::try_from(policy.least).unwrap_or(u32::MAX),
        min_score: policy.least_score.into(),
    }
}

/// The value of the metadata `password-refusal`.
pub(super) const fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Quality => "quality",
        Refusal::History => "history",
        Refusal::TooSoon => "too-soon",
        Refusal::NotPermitted => "not-permitted",
    }
}

fn weakness(weakness: Weakness) -> PasswordWeakness {
    match weakness {
        Weakness::Short(_) => PasswordWeakness::Short,
        Weakness::Long => PasswordWeakness::Long,
        Weakness::Control => PasswordWeakness::ControlCharacters,
        Weakness::AppToken => PasswordWeakness::AppToken,
        Weakness::Known => PasswordWeakness::Common,
        Weakness::Pattern => PasswordWeakness::Pattern,
        Weakness::Context => PasswordWeakness::Context,
        Weakness::Guessable => PasswordWeakness::Guessable,
    }
}
