//! Who needs a second factor to sign in.

use authn::User;
use store::StoreError;

use super::{Possession, passkey};
use crate::config::{MultiFactor, MultiFactorPolicy};
use crate::engine::provider::Provider;

/// What a user with the right password still has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing.
    Nothing,
    /// To give the second factor.
    Code,
    /// To enrol a second factor.
    Enrolment,
    /// To have the second factors reset by an administrator: those that the user has are for another host, and the password alone neither
    /// signs in nor enrols another one (`docs/security-requirements.md#f5`).
    Reset,
}

/// What is known of the user in addition to the account.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    factors: Possession,
    /// The device is trusted for the user.
    is_trusted: bool,
    /// An administrator has a second factor.
    is_administrator_enrolled: bool,
}

/// What a user still has to do at a sign-in, on a device that is trusted or not. The groups of the user have to be known.
///
/// # Errors
/// When the database is unavailable: then no user is signed in without the factor.
pub(crate) async fn at_sign_in(provider: &Provider, user: &User, is_trusted: bool) -> Result<Demand, StoreError> {
    let settings = &provider.config.mfa;
    if settings.policy() == MultiFactorPolicy::Off {
        return Ok(Demand::Nothing);
    }
    let factors = super::possession(provider, &user.id.opaque_id).await?;
    let is_administrator_enrolled =
        factors == Possession::Nothing && user.is_admin() && provider.store.has_factor_of_administrator().await?;
    Ok(demand(settings, user, Facts { factors, is_trusted, is_administrator_enrolled }))
}

/// What a signed-in user has to do where a client needs a second factor, whatever the policy and the device.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn at_step_up(provider: &Provider, user: &User) -> Result<Demand, StoreError> {
    Ok(match super::possession(provider, &user.id.opaque_id).await? {
        Possession::Usable => Demand::Code,
        Possession::Unusable => Demand::Reset,
        Possession::Nothing => Demand::Enrolment,
    })
}

/// Whether a user who has a second factor may be without one. An administrator with a second factor may not: after one has enrolled,
/// every administrator needs one. The groups of the user have to be known.
pub(crate) fn may_remove(settings: &MultiFactor, user: &User) -> bool {
    !is_required(settings, user, Facts { is_administrator_enrolled: true, ..Facts::default() })
}

/// Whether a user may remove one second factor: another one that can be used is left, or the user [may be without](may_remove).
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn may_remove_one(provider: &Provider, user: &User) -> Result<bool, StoreError> {
    if may_remove(&provider.config.mfa, user) {
        return Ok(true);
    }
    let factors = provider.store.factors(&user.id.opaque_id).await?;
    Ok(factors.len() > passkey::of_another_host(provider, &factors).len() + 1)
}

fn is_required(settings: &MultiFactor, user: &User, facts: Facts) -> bool {
    match settings.policy() {
        MultiFactorPolicy::Off => false,
        MultiFactorPolicy::Required => true,
        MultiFactorPolicy::Optional => {
            settings.groups_required.iter().any(|group| user.groups.contains(group))
                || (user.is_admin() && facts.is_administrator_enrolled)
        }
    }
}

fn demand(settings: &MultiFactor, user: &User, facts: Facts) -> Demand {
    let is_required = is_required(settings, user, facts);
    match (settings.policy(), facts.factors) {
        (MultiFactorPolicy::Off, _) => Demand::Nothing,
        (_, Possession::Usable) if facts.is_trusted => Demand::Nothing,
        (_, Possession::Usable) => Demand::Code,
        (_, Possession::Unusable) => Demand::Reset,
        (_, Possession::Nothing) if is_required => Demand::Enrolment,
        (_, Possession::Nothing) => Demand::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use authn::role;

    use super::*;

    #[test]
    fn f9_policy_group_and_role_decide_on_the_second_factor() {
        let (plain, enrolled) = (Facts::default(), Facts { factors: Possession::Usable, ..Facts::default() });
        let trusted = Facts { is_trusted: true, ..enrolled };
        let trusted_alone = Facts { is_trusted: true, ..plain };
        let unusable = Facts { factors: Possession::Unusable, ..plain };
        let unusable_trusted = Facts { is_trusted: true, ..unusable };
        let after_an_administrator = Facts { is_administrator_enrolled: true, ..plain };
        let user = User { groups: vec!["physics".to_owned()], ..User::default() };
        let admin = User { roles: vec![role::ADMIN.to_owned()], ..User::default() };
        for (policy, groups, user, facts, expected) in [
            ("off", &["physics"][..], &user, plain, Demand::Nothing),
            ("off", &[], &user, enrolled, Demand::Nothing),
            ("off", &[], &admin, after_an_administrator, Demand::Nothing),
            ("optional", &[], &user, plain, Demand::Nothing),
            ("optional", &[], &user, enrolled, Demand::Code),
            ("optional", &[], &user, trusted, Demand::Nothing),
            ("optional", &["physics"], &user, plain, Demand::Enrolment),
            ("optional", &["physics"], &user, trusted_alone, Demand::Enrolment),
            ("optional", &["chemistry"], &user, plain, Demand::Nothing),
            ("optional", &[], &admin, plain, Demand::Nothing),
            ("optional", &[], &admin, after_an_administrator, Demand::Enrolment),
            ("optional", &[], &user, after_an_administrator, Demand::Nothing),
            ("required", &[], &user, plain, Demand::Enrolment),
            ("required", &[], &user, unusable, Demand::Reset),
            ("optional", &[], &user, unusable, Demand::Reset),
            ("optional", &[], &user, unusable_trusted, Demand::Reset),
            ("optional", &[], &admin, unusable, Demand::Reset),
            ("off", &[], &user, unusable, Demand::Nothing),
            ("required", &[], &user, enrolled, Demand::Code),
            ("required", &[], &user, trusted, Demand::Nothing),
        ] {
            let groups_required = groups.iter().map(|group| (*group).to_owned()).collect();
            let settings = MultiFactor { policy: policy.to_owned(), groups_required, ..MultiFactor::default() };
            assert_eq!(demand(&settings, user, facts), expected, "{policy} {groups:?} {facts:?} {:?}", user.roles);
        }
    }

    /// `docs/security-requirements.md#f31`
    #[test]
    fn user_who_needs_a_second_factor_may_not_be_without_one() {
        let user = User { groups: vec!["physics".to_owned()], ..User::default() };
        let admin = User { roles: vec![role::ADMIN.to_owned()], ..User::default() };
        for (policy, groups, user, expected) in [
            ("optional", &[][..], &user, true),
            ("optional", &["chemistry"], &user, true),
            ("optional", &["physics"], &user, false),
            ("optional", &[], &admin, false),
            ("required", &[], &user, false),
            ("off", &["physics"], &user, true),
            ("off", &[], &admin, true),
        ] {
            let groups_required = groups.iter().map(|group| (*group).to_owned()).collect();
            let settings = MultiFactor { policy: policy.to_owned(), groups_required, ..MultiFactor::default() };
            assert_eq!(may_remove(&settings, user), expected, "{policy} {groups:?} {:?}", user.roles);
        }
    }
}
