//! The page that asks for confirmation.

use askama::Template;

use super::super::page::{Navigation, Page};
use super::field::Field;
use super::text::AdminText;

/// Asks an administrator for confirmation, with a form that does it.
#[derive(Template)]
#[template(path = "admin_act.html")]
pub(super) struct Confirm<'a> {
    pub(super) page: Page<'a>,
    pub(super) navigation: Navigation<'a>,
    pub(super) texts: &'static AdminText,
    /// What it is done with.
    pub(super) name: &'a str,
    /// What it means.
    pub(super) means: &'static str,
    /// What is done of it, if it was confirmed before and something has failed.
    pub(super) unfinished: Option<String>,
    /// What has to be typed, if a click is not enough.
    pub(super) field: Option<Field>,
    pub(super) button: &'static str,
    pub(super) is_danger: bool,
    pub(super) csrf: String,
    pub(super) path: String,
    pub(super) cancel_path: String,
}
