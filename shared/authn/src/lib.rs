#![doc = include_str!("../README.md")]

mod actor;
mod allowed_callers;
pub mod amr;
pub mod app_token;
pub mod audit;
mod authenticator;
pub mod caller;
mod causes;
mod channel;
mod credentials;
pub mod directory;
pub mod ended_sessions;
mod explanation;
pub mod gateway;
pub mod grant;
mod heap_size;
pub mod kind;
mod login;
mod profile;
pub mod provider;
mod scope;
mod service_token;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
mod user;
mod wire;

pub use actor::{Actor, InvalidActor, MAX_ACTORS};
pub use allowed_callers::{AllowedCallers, CallerName};
pub use authenticator::{AuthError, Authenticated, Authenticator, BoxError, Reason, Revalidate};
pub use caller::{Caller, Device, Peer};
pub use causes::causes;
pub use channel::{Channel, Repeatable};
pub use credentials::Credentials;
pub use directory::{Claim, Directory, DirectoryError, Filter, Groups, MailChange, MailChangeError};
pub use ended_sessions::EndedSessions;
pub use explanation::Explanation;
pub use gateway::Gateway;
pub use grant::{Access, Grant, GrantError, Grants, Permission};
pub use login::{Login, is_mail_address, may_be_new_address, may_be_new_login, prepare_password};
pub use profile::{Attribute, InvalidAttribute, Profile};
pub use scope::{OpaqueEntry, Role, Scope, Scopes};
pub use service_token::ServiceToken;
pub use user::{ExternalIdentity, User, UserId, UserStatus, UserType, normal_issuer, role};
