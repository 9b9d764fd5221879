//! Which checks run where.

use crate::plan::{
    Profile,
    ResponseType::{self, Code, CodeIdToken, CodeIdTokenToken, CodeToken, IdToken, IdTokenToken},
};

/// A profile, and those of its response types for which a check runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    pub(super) profile: Profile,
    pub(super) types: &'static [ResponseType],
}

const fn on(profile: Profile, types: &'static [ResponseType]) -> Runs {
    Runs { profile, types }
}

const HYBRID: &[ResponseType] = &[CodeIdToken, CodeToken, CodeIdTokenToken];

const BASIC: Runs = on(Profile::Basic, &[Code]);
const DYNAMIC_PLAN: Runs = on(Profile::Dynamic, &[Code]);
const IMPLICIT_BOTH: Runs = on(Profile::Implicit, &[IdToken, IdTokenToken]);
const IMPLICIT_TOKEN: Runs = on(Profile::Implicit, &[IdTokenToken]);
const HYBRID_ALL: Runs = on(Profile::Hybrid, HYBRID);
const HYBRID_ONCE: Runs = on(Profile::Hybrid, &[CodeIdToken]);

/// Every response type of the core profiles.
pub(super) const ALL: &[Runs] = &[BASIC, IMPLICIT_BOTH, HYBRID_ALL];
/// The same and registration.
pub(super) const ALL_AND_DYNAMIC: &[Runs] = &[BASIC, IMPLICIT_BOTH, HYBRID_ALL, DYNAMIC_PLAN];
/// Those that give an access token.
pub(super) const WITH_ACCESS: &[Runs] = &[BASIC, IMPLICIT_TOKEN, HYBRID_ALL];
/// Those that give a code.
pub(super) const WITH_CODE: &[Runs] = &[BASIC, HYBRID_ALL];
/// The same and registration.
pub(super) const WITH_CODE_AND_DYNAMIC: &[Runs] = &[BASIC, HYBRID_ALL, DYNAMIC_PLAN];
/// One response type of each core profile.
pub(super) const EACH_PROFILE: &[Runs] = &[BASIC, IMPLICIT_TOKEN, HYBRID_ONCE];
/// All but that hybrid is walked once.
pub(super) const HYBRID_JUST_ONCE: &[Runs] = &[BASIC, IMPLICIT_BOTH, HYBRID_ONCE];
/// Those whose authorization endpoint gives no ID token.
pub(super) const NONCE_IS_FREE: &[Runs] = &[BASIC, on(Profile::Hybrid, &[CodeToken])];
/// Those whose authorization endpoint gives an ID token.
pub(super) const NONCE_IS_DUE: &[Runs] = &[IMPLICIT_BOTH, on(Profile::Hybrid, &[CodeIdToken, CodeIdTokenToken])];
/// The code flow, and the hybrid one once.
pub(super) const CODE_ONCE: &[Runs] = &[BASIC, HYBRID_ONCE];
/// The code flow.
pub(super) const JUST_BASIC: &[Runs] = &[BASIC];
/// The code flow, and registration.
pub(super) const BASIC_AND_DYNAMIC: &[Runs] = &[BASIC, DYNAMIC_PLAN];
/// Registration.
pub(super) const DYNAMIC: &[Runs] = &[DYNAMIC_PLAN];
/// Discovery, and registration.
pub(super) const CONFIG: &[Runs] = &[on(Profile::Config, &[Code]), DYNAMIC_PLAN];
/// Logout that the relying party begins.
pub(super) const RP_LOGOUT: &[Runs] = &[on(Profile::RpLogout, &ResponseType::ALL)];
/// Logout that the provider tells of.
pub(super) const BACK_CHANNEL: &[Runs] = &[on(Profile::BackChannel, &ResponseType::ALL)];
/// Logout that goes through the browser.
pub(super) const FRONT_CHANNEL: &[Runs] = &[on(Profile::FrontChannel, &ResponseType::ALL)];
/// Logout that a frame notices.
pub(super) const SESSION: &[Runs] = &[on(Profile::Session, &ResponseType::ALL)];
/// Sign-in initiated by a third party.
pub(super) const THIRD_PARTY: &[Runs] = &[on(Profile::ThirdParty, &[Code])];
