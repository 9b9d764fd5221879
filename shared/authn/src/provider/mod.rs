//! The gRPC adapters of [`Authenticator`](crate::Authenticator): CS3 `ProviderAPI`, served and called.

mod extras;
mod remote;
mod serve;

pub use remote::Remote;
pub(crate) use remote::{transport, verdict};
pub use serve::{Provider, serve};
