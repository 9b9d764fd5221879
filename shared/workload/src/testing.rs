//! What the tests of services share: a SPIFFE trust domain, an agent that pushes its bundle, an issuer of tokens, and a server that has
//! their documents.

mod agent;
mod authority;
mod documents;
mod issuer;

pub use agent::Agent;
pub use authority::SpiffeAuthority;
pub use documents::Documents;
pub use issuer::Issuer;
