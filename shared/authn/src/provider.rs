//! The gRPC adapters of [`Authenticator`](crate::Authenticator): CS3 `ProviderAPI`, served and called.

mod extras;
mod failure;
mod remote;
mod serve;

pub(crate) use extras::read_password_change;
pub use extras::write_password_change;
pub use failure::failure;
pub use remote::Remote;
pub(crate) use remote::{transport, verdict};
pub use serve::{Provider, serve};
