//! One-time links that are sent to another mail address of a user, and verify it.

use std::time::Duration;

use authn::{
    Caller, DirectoryError, Groups, MailChange, MailChangeError, User, UserId, is_mail_address, may_be_new_address,
};
use mail::MailError;
use store::StoreError;
use tracing::Instrument;
use web::i18n::Language;

use super::{LinkError, NewLink, OpenLink, create, find, is_active_here, record, sender};
use crate::account_mail::{Letter, language_of};
use crate::engine::provider::Provider;
use crate::model::seconds;
use crate::revocations::Of;
use crate::store::LinkPurpose;

/// How long a link is valid.
pub(crate) const LIFETIME: Duration = Duration::from_mins(30);
/// How many a user gets within that time.
const MAX_LINKS: u64 = 3;

/// A link that can be used.
#[derive(Clone)]
pub(crate) struct OpenMailLink {
    pub(crate) link: OpenLink,
    /// The address that it verifies.
    pub(crate) address: String,
}

/// Why no link is sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailRequestError {
    /// No mail is sent, the operator does not permit it, or the directory is only read.
    #[error(
        "users do not change their mail address here: set OCIS_SMTP_HOST, and name mail in USERS_SELF_SERVICE_ATTRIBUTES"
    )]
    NotOffered,
    /// It is no address, or one that looks like another.
    #[error("address: is not a mail address")]
    Invalid,
    /// The user has it.
    #[error("address: is the address until now")]
    Unchanged,
    /// The user is disabled, or of another installation.
    #[error("the account is not one of an active user of this installation")]
    Ineligible,
    /// The user has got links just now.
    #[error("the user has asked for {MAX_LINKS} links within half an hour: wait before the next one")]
    TooMany,
    /// The directory is unavailable.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database is unavailable.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The mail cannot be sent.
    #[error("the mail cannot be sent: {0}")]
    Mail(MailError),
}

impl From<MailError> for MailRequestError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Address(_) => Self::Invalid,
            other => Self::Mail(other),
        }
    }
}

/// Whether users may change their mail address: mail is sent, and users permits it.
///
/// # Errors
/// When the directory is unavailable.
pub(crate) async fn is_offered(provider: &Provider) -> Result<bool, DirectoryError> {
    Ok(provider.mail.is_on() && provider.directory.may_change_mail().await?)
}

/// Sends a link to another address of a user. It does not look whether another user has the address, so that the answer does not tell
/// (`docs/security-requirements.md#l11`).
///
/// # Errors
/// If it is not offered, the address or the user is not one for which it is, the user has asked too often, or a service is unavailable.
pub(crate) async fn request(
    provider: &Provider,
    user: &UserId,
    (address, language): (&str, Language),
    caller: &Caller,
) -> Result<(), MailRequestError> {
    if !is_offered(provider).await? {
        return Err(MailRequestError::NotOffered);
    }
    if !is_mail_address(address) || !may_be_new_address(address) {
        return Err(MailRequestError::Invalid);
    }
    let user = provider.directory.user(user, Groups::Skip).await?;
    if !is_active_here(&user) {
        return Err(MailRequestError::Ineligible);
    }
    if user.mail == address {
        return Err(MailRequestError::Unchanged);
    }
    let id = user.id.opaque_id.as_str();
    let link = NewLink {
        purpose: LinkPurpose::MailChange,
        lifetime: LIFETIME,
        most: MAX_LINKS,
        // account asks, which has other cookies
        browser: None,
        new_address: Some(address),
    };
    let Some(link) = create(provider, &user, link).await? else {
        record(provider, "mail_change_request", "throttled", id, caller);
        return Err(MailRequestError::TooMany);
    };
    let language = language_of(&*provider.directory, &user, language).await;
    let addressee = User { mail: address.to_owned(), ..User::clone(&user) };
    provider.mail.send(&sender(provider), (&addressee, language), &Letter::MailChange { link: &link, address })?;
    record(provider, "mail_change_request", "success", id, caller);
    Ok(())
}

/// The link with this secret that verifies an address. It stays usable. `None` if there is none, it was used, it has ended, or its user
/// may not sign in any more, has changed the password, signed out everywhere or got another address since.
///
/// # Errors
/// When the database or the directory is unavailable.
pub(crate) async fn open(provider: &Provider, secret: &str) -> Result<Option<OpenMailLink>, LinkError> {
    let Some(link) = find(provider, secret, &[LinkPurpose::MailChange]).await? else { return Ok(None) };
    let Some(address) = link.stored.new_address.clone() else { return Ok(None) };
    // a user who signs out everywhere may do so because another has asked for the link in a session that was stolen
    let (user, created) = (&*link.stored.person, seconds(link.stored.created));
    if provider.revocations.cuts_off(Of::Person(user), created) {
        return Ok(None);
    }
    Ok(Some(OpenMailLink { link, address }))
}

/// What came of verifying an address.
pub(crate) enum MailRedemption {
    /// The user has it.
    Done,
    /// The link was used meanwhile, or is of no use: the user has another address or may not change it any more.
    Used,
    /// Another user has it. The link is used up.
    Taken,
    /// users has not set it; the link stays usable.
    Failed(DirectoryError),
}

/// Uses up a link and sets the address. Other links of the user end, and the address until now gets a notice. All of that happens even if
/// the browser hangs up.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn redeem(
    provider: &Provider,
    link: &OpenMailLink,
    (language, caller): (Language, &Caller),
) -> Result<MailRedemption, StoreError> {
    let (provider, link, caller) = (provider.clone(), link.clone(), caller.clone());
    let work = async move { redeem_to_the_end(&provider, &link, (language, &caller)).await };
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| Err(StoreError::internal(error.to_string())))
}

async fn redeem_to_the_end(
    provider: &Provider,
    OpenMailLink { link: OpenLink { stored, user }, address }: &OpenMailLink,
    (language, caller): (Language, &Caller),
) -> Result<MailRedemption, StoreError> {
    let used = provider.clock.now();
    if !provider.store.use_link(stored.digest, used).await? {
        return Ok(MailRedemption::Used);
    }
    let change = MailChange { address, expected: &user.mail };
    match provider.directory.set_verified_mail(&user.id, change).await {
        Ok(()) => {}
        Err(MailChangeError::Taken) => {
            record(provider, "mail_change", "taken", &stored.person, caller);
            return Ok(MailRedemption::Taken);
        }
        Err(
            error @ (MailChangeError::Outdated
            | MailChangeError::Invalid
            | MailChangeError::NotPermitted
            | MailChangeError::Directory(DirectoryError::NotFound | DirectoryError::ReadOnly)),
        ) => {
            tracing::warn!(%error, person = stored.person, "a verified mail address is not set");
            return Ok(MailRedemption::Used);
        }
        // users may have set it, and its answer was lost
        Err(MailChangeError::Directory(_)) if has_address(provider, user, address).await => {}
        Err(MailChangeError::Directory(error)) => {
            provider.store.restore_link(stored, used).await?;
            return Ok(MailRedemption::Failed(error));
        }
    }
    record(provider, "mail_change", "success", &stored.person, caller);
    // before what can fail: the owner of the address until now has to learn of it
    let language = language_of(&*provider.directory, user, language).await;
    if let Err(error) = provider.mail.send(&sender(provider), (user, language), &Letter::MailChanged { address }) {
        tracing::warn!(%error, person = stored.person, "the notice of a changed mail address is not sent");
    }
    provider.store.use_links_of(&stored.person, provider.clock.now()).await?;
    Ok(MailRedemption::Done)
}

async fn has_address(provider: &Provider, user: &User, address: &str) -> bool {
    let now = provider.directory.user(&user.id, Groups::Skip).await;
    now.is_ok_and(|now| now.mail == address)
}
