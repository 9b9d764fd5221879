//! Keys as they are stored: the private part sealed, together with the key's name and algorithm, so that a row cannot be put
//! in the place of another.

use oidc::jose::{Algorithm, KeyError, SigningKey};
use zeroize::Zeroizing;

use super::KeysError;
use super::set::Pair;
use crate::seal::{Purpose, Sealer};
use crate::store::StoredKey;

fn label(kid: &str, algorithm: Algorithm) -> Vec<u8> {
    format!("{kid}\0{algorithm}\0").into_bytes()
}

/// Seals the private part.
pub(super) fn seal(sealer: &Sealer, key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    let (label, pkcs8) = (label(key.kid(), key.algorithm()), key.to_pkcs8()?);
    // room for both from the beginning, since growing would leave a copy behind
    let mut plain = Zeroizing::new(Vec::with_capacity(label.len() + pkcs8.len()));
    plain.extend_from_slice(&label);
    plain.extend_from_slice(&pkcs8);
    Ok(sealer.seal_bytes(Purpose::PrivateKey, &plain))
}

/// Opens what was sealed for the key of this row.
pub(super) fn open(sealer: &Sealer, algorithm: Algorithm, stored: &StoredKey) -> Result<Pair, KeysError> {
    let foreign = || KeysError::Sealed(stored.kid.clone());
    let plain = sealer.open_bytes(Purpose::PrivateKey, &stored.sealed).map(Zeroizing::new).map_err(|_| foreign())?;
    let pkcs8 = plain.strip_prefix(label(&stored.kid, algorithm).as_slice()).ok_or_else(foreign)?;
    Ok(Pair::new(SigningKey::from_pkcs8(algorithm, &stored.kid, pkcs8)?)?)
}
