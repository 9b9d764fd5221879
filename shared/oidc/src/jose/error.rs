use super::{MAX_JWT, MAX_KEYS, MAX_KID};

/// Why a key, or a set of keys, is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not what its type says, or no key at all.
    #[error("the key is malformed")]
    Malformed,
    /// Its type or curve is none of those that are known here.
    #[error("the key is an RSA key, an EC key on P-256 or an OKP key on Ed25519")]
    UnknownType,
    /// The algorithm does not go with the key, or has no key pair.
    #[error("the key is not for that algorithm")]
    Algorithm,
    /// `use` or `key_ops` says that it is for something else.
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// It has a private part, or is a shared secret: its sender has disclosed it.
    #[error("the key has a private part")]
    PrivatePart,
    /// An RSA key that is too short to be safe, or so long that verifying is a burden.
    #[error("an RSA key has 2048 to 4096 bits and an odd exponent of 17 to 32 bits")]
    Size,
    /// The key identifier is too long.
    #[error("kid is longer than {MAX_KID} bytes")]
    Kid,
    /// There are more keys in the set than are looked at.
    #[error("there are more than {MAX_KEYS} keys")]
    TooMany,
    /// The cryptographic library did not make the key, or did not write it down.
    #[error("the key cannot be made")]
    Library,
}

/// Why a JWT is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is longer than anything that is looked at.
    #[error("the JWT is longer than {MAX_JWT} bytes")]
    TooLong,
    /// It is not three parts of base64url, the first two of which are JSON objects.
    #[error("the JWT is malformed")]
    Malformed,
    /// Its header demands something that is not done here: `crit`, `zip` or `b64`.
    #[error("the header of the JWT demands an extension")]
    Extension,
    /// Its algorithm is unknown, or is not one that the key is for.
    #[error("the algorithm of the JWT is not one that the key is for")]
    Algorithm,
    /// The signature is not that of the key.
    #[error("the signature of the JWT does not match")]
    Signature,
}
