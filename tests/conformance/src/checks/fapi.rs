//! The modules of FAPI 2.0: Security Profile Final and Message Signing Final, with `private_key_jwt` and `DPoP`.

mod assertions;
mod binding;
mod codes;
mod flows;
mod objects;
mod pkce;
mod proofs;
mod pushed;
mod refresh;
mod requests;
mod tls;

use super::{Check, runs::Runs};
use crate::plan::{Profile, ResponseType};

const SECURITY: Runs = Runs { profile: Profile::Fapi2Security, types: &[ResponseType::Code] };
const MESSAGE_SIGNING: Runs = Runs { profile: Profile::Fapi2MessageSigning, types: &[ResponseType::Code] };

/// Both profiles.
const BOTH: &[Runs] = &[SECURITY, MESSAGE_SIGNING];
/// The one with request objects.
const SIGNED: &[Runs] = &[MESSAGE_SIGNING];

/// Every check of FAPI 2.0.
pub(super) fn all() -> Vec<Check> {
    let topics: [&[Check]; 10] = [
        flows::CHECKS,
        binding::CHECKS,
        proofs::CHECKS,
        objects::CHECKS,
        requests::CHECKS,
        codes::CHECKS,
        assertions::CHECKS,
        refresh::CHECKS,
        pushed::CHECKS,
        pkce::CHECKS,
    ];
    topics.concat()
}
