//! What the tests of services share: a SPIFFE trust domain, an issuer of tokens, and a server that has their documents.

mod authority;
mod documents;
mod issuer;

pub use authority::SpiffeAuthority;
pub use documents::Documents;
pub use issuer::Issuer;
