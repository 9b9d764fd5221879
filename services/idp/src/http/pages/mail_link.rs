//! Verifying another mail address by a link in a mail.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::i18n::waiting;
use web::page::{Link, Message};
use web::policy::Policy;
use web::response::with_retry_after;

use super::PageContext;
use super::i18n::mail_link::{MailLinkWords, words};
use crate::endpoints::page::MAIL_LINK;

type Page<'a> = web::page::Page<'a, MailLinkWords>;

/// The form that confirms a mail address. It is posted to [`MAIL_LINK`] with the fields `link` and `csrf`.
pub(crate) struct MailChangeForm<'a> {
    /// The secret of the link.
    pub(crate) link: &'a str,
    /// The token against forgery.
    pub(crate) csrf: &'a str,
    /// The login name.
    pub(crate) username: &'a str,
    /// The new address.
    pub(crate) address: &'a str,
}

#[derive(Template)]
#[template(path = "mail_change.html")]
struct MailChangePage<'a> {
    page: Page<'a>,
    form: &'a MailChangeForm<'a>,
}

fn page<'a>(context: &PageContext<'a>, title: &'a str) -> Page<'a> {
    context.installation.page(title, context.language, words(context.language))
}

fn message(context: &PageContext<'_>, status: StatusCode, (title, text): (&str, &str)) -> Response {
    message_with_link(context, status, (title, text), None)
}

/// A message that links to the account pages, if idp knows where they are.
fn message_with_link(
    context: &PageContext<'_>,
    status: StatusCode,
    (title, text): (&str, &str),
    account_url: Option<&str>,
) -> Response {
    let link = account_url.map(|href| Link { href, text: words(context.language).to_account });
    let page = page(context, title).with_link(link);
    context.respond(status, &Policy::here(), &Message { page, text, detail: None })
}

/// The form that confirms the address.
pub(crate) fn mail_change(context: &PageContext<'_>, form: &MailChangeForm<'_>) -> Response {
    let page = MailChangePage { page: page(context, words(context.language).title), form };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}

/// The page of a link that belongs to another user than the session (403).
pub(crate) fn mail_link_of_other(context: &PageContext<'_>) -> Response {
    let words = words(context.language);
    message(context, StatusCode::FORBIDDEN, (words.other_title, words.other))
}

/// The page of a link that was used, or has ended (410).
pub(crate) fn mail_link_unusable(context: &PageContext<'_>, account_url: Option<&str>) -> Response {
    let words = words(context.language);
    message_with_link(context, StatusCode::GONE, (words.unusable_title, words.unusable), account_url)
}

/// The page of a link that was opened or used too often from one source (429).
pub(crate) fn mail_link_throttled(context: &PageContext<'_>, retry_after: u64) -> Response {
    let words = words(context.language);
    let text = words.too_many.with(&waiting(retry_after));
    with_retry_after(message(context, StatusCode::TOO_MANY_REQUESTS, (words.title, &text)), Some(retry_after))
}

/// The page for an address that another user has (409).
pub(crate) fn mail_address_taken(context: &PageContext<'_>, account_url: Option<&str>) -> Response {
    let words = words(context.language);
    message_with_link(context, StatusCode::CONFLICT, (words.taken_title, words.taken), account_url)
}

/// What is shown once the address is changed.
pub(crate) fn mail_changed(context: &PageContext<'_>, address: &str, account_url: Option<&str>) -> Response {
    let words = words(context.language);
    message_with_link(context, StatusCode::OK, (words.changed_title, &words.changed.with(address)), account_url)
}
