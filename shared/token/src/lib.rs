#![doc = include_str!("../README.md")]

pub mod caller;
mod claims;
mod decode;
mod encode;
mod error;
mod header;
mod keys;
mod mint;
mod provisioning;
pub mod transaction;
mod verify;

pub use caller::{METADATA_KEY, authorize, authorize_admin, from_metadata};
pub use claims::Claims;
pub use error::{Defect, TokenError, is_refused_token};
pub use keys::{KeyError, KeyRing, MIN_SECRET_BYTES};
pub use mint::Minter;
pub use provisioning::{
    authorize_provisioner, mail_changer, password_resetter, profile_reader, provisioner, session_watcher,
};
pub use verify::{LEEWAY, Verifier};

/// Largest token that is minted or read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// The audience of every token: the family of services behind the gateway.
const AUDIENCE: &str = "reva";

/// The opaque entry of a user that holds role identifiers, a JSON array.
const ROLES_KEY: &str = "roles";
