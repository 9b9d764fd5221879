//! Authorization requests (RFC 6749 3.1, `OpenID` Connect Core 3): what is asked for, what the user is asked, and what is
//! answered.
//!
//! `request::validate` accepts a request of which all is known to be good but the user, `prompt::next` decides what the user is
//! asked next, and `response::grant` answers.

pub mod flow;
pub(crate) mod level;
pub(crate) mod par;
pub(crate) mod prompt;
pub(crate) mod pushed_request;
pub(crate) mod redirect_uri;
pub(crate) mod rejection;
pub(crate) mod request;
pub(crate) mod request_object;
pub(crate) mod response;
