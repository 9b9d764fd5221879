#![doc = include_str!("../README.md")]

mod browser;
mod calls;
mod certificates;
mod code_flow;
mod family;
mod layout;
mod logs;
mod process;
mod sign_in;
mod small_disk;
mod smtp;

pub use browser::{Browser, Landing};
pub use calls::{Answer, is_ok};
pub use certificates::Certificates;
pub use code_flow::{CODE_CHALLENGE, authorization_query, code_redemption};
pub use family::{Mode, TestFamily};
pub use layout::{Layout, TestUser, USERS, free_address, secret};
pub use logs::{note_secret, write_secret};
pub use process::{Finished, Server, binary, report_missing, run};
pub use sign_in::{SignIn, access_token, log_on, signed_in};
pub use small_disk::SmallDisk;
pub use smtp::{MailServer, ReceivedMail};
