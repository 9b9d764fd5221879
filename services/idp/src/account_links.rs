//! One-time links in mail, with which users set a password or verify another mail address.

pub(crate) mod mail_change;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::{BoxError, Caller, DirectoryError, Groups, Login, User, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;
use tonic::{Code, Status};
use tracing::Instrument;
use tracing::field::display;
use web::date::LocalizedTime;
use web::i18n::Language;

use crate::account_mail::{Letter, Sender, language_of};
use crate::endpoints::page;
use crate::engine::audit_events::Circumstances;
use crate::engine::provider::Provider;
use crate::engine::termination;
use crate::store::{LinkPurpose, StoredLink};

/// How long a link is valid with which a user sets another password.
pub(crate) const RESET_LIFETIME: Duration = Duration::from_mins(30);
/// How many of these links a user gets within that time.
const MAX_RESETS: u64 = 3;
/// How many invitations a user gets within that time.
const MAX_INVITATIONS: u64 = 3;
/// Random bytes of a link.
const SECRET_LEN: usize = 32;

/// A link that can be used, and its user.
#[derive(Clone)]
pub(crate) struct OpenLink {
    pub(crate) stored: StoredLink,
    pub(crate) user: Arc<User>,
}

/// Why a link does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The database is unavailable.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The directory is unavailable.
    #[error("the directory failed")]
    Directory(#[source] DirectoryError),
}

/// Why no invitation is sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvitationError {
    /// No mail is sent.
    #[error("no mail is sent: set OCIS_SMTP_HOST and OCIS_SMTP_SENDER, and restart idp")]
    NoMail,
    /// Passwords are in LDAP.
    #[error("passwords cannot be set: they are in LDAP (AUTH_BASIC_AUTH_MANAGER), or auth-basic does not answer")]
    NoPasswords,
    /// The user may not sign in.
    #[error("the user is disabled: enable the user first")]
    Disabled,
    /// It is the account of a program or of another installation.
    #[error("the account is not one of a person of this installation, and gets no password")]
    Technical,
    /// The user has a password.
    #[error(
        "the user has a password already, and can ask for another one at the sign-in; to invite anew, remove it with 'doorward user passwd --no-password' first"
    )]
    HasPassword,
    /// The user has got invitations just now.
    #[error("the user was invited {MAX_INVITATIONS} times within half an hour: wait before the next invitation")]
    TooMany,
    /// auth-basic does not say whether the user has a password.
    #[error("auth-basic does not say whether the user has a password: {0}")]
    Passwords(Status),
    /// The user has no address.
    #[error("the user has no mail address: add one with 'doorward user update'")]
    NoAddress,
    /// There is no such user, or the directory is unavailable.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database is unavailable.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The mail cannot be sent.
    #[error("the mail cannot be sent: {0}")]
    Mail(#[from] mail::MailError),
}

/// The installation as mails show it.
pub(crate) fn sender(provider: &Provider) -> Sender<'_> {
    let url = provider.issuers.first().map_or("", |endpoints| endpoints.origin());
    Sender { name: &provider.config.pages.name, url }
}

/// Sends a user who has lost the password a link, if the login names one who may sign in, and who has not got too many links already.
/// Whoever asks gets the same answer before this runs (`docs/security-requirements.md#l3`).
pub(crate) async fn request_reset(
    provider: Provider,
    login: String,
    (browser, language): ([u8; 32], Language),
    caller: Caller,
) {
    if let Err(error) = try_request_reset(&provider, &login, (browser, language), &caller).await {
        tracing::warn!(error, "a link for a forgotten password is not sent");
    }
}

async fn try_request_reset(
    provider: &Provider,
    login: &str,
    (browser, language): ([u8; 32], Language),
    caller: &Caller,
) -> Result<(), BoxError> {
    let user = match provider.directory.user_by_login(&Login::new(login), Groups::Skip).await {
        Ok(user) => user,
        Err(DirectoryError::NotFound | DirectoryError::Ambiguous | DirectoryError::Malformed(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !is_active_here(&user) || user.mail.is_empty() {
        return Ok(());
    }
    let id = user.id.opaque_id.as_str();
    // one who never had a password here, or whose password an administrator has removed, does not get one by mail
    if !provider.mail.passwords.has_password(id, caller).await? {
        record(provider, "password_reset_request", "no_password", id, caller);
        return Ok(());
    }
    let language = language_of(&*provider.directory, &user, language).await;
    let link = NewLink {
        purpose: LinkPurpose::PasswordReset,
        lifetime: RESET_LIFETIME,
        most: MAX_RESETS,
        browser: Some(browser),
        new_address: None,
    };
    let Some(link) = create(provider, &user, link).await? else {
        record(provider, "password_reset_request", "throttled", id, caller);
        return Ok(());
    };
    let letter = Letter::PasswordReset { link: &link };
    provider.mail.send(&sender(provider), (&user, language), &letter)?;
    record(provider, "password_reset_request", "success", id, caller);
    Ok(())
}

/// Sends a user a link with which to set the first password.
///
/// # Errors
/// If no mail is sent, no password can be set, or the user cannot get a first one.
pub(crate) async fn invite(provider: &Provider, user_id: &str, caller: &Caller) -> Result<(), InvitationError> {
    if !provider.mail.is_on() {
        return Err(InvitationError::NoMail);
    }
    if !provider.mail.can_reset_passwords() {
        return Err(InvitationError::NoPasswords);
    }
    let user = provider.directory.user(&id(user_id), Groups::Skip).await?;
    if !user.is_active() {
        return Err(InvitationError::Disabled);
    }
    if !is_active_here(&user) {
        return Err(InvitationError::Technical);
    }
    if user.mail.is_empty() {
        return Err(InvitationError::NoAddress);
    }
    if provider.mail.passwords.has_password(user_id, caller).await.map_err(InvitationError::Passwords)? {
        return Err(InvitationError::HasPassword);
    }
    let language = language_of(&*provider.directory, &user, Language::English).await;
    let lifetime = provider.config.account_mail.invitation_expiration;
    let link =
        NewLink { purpose: LinkPurpose::Invitation, lifetime, most: MAX_INVITATIONS, browser: None, new_address: None };
    let link = create(provider, &user, link).await?.ok_or(InvitationError::TooMany)?;
    let expires = LocalizedTime::minute(provider.clock.now() + lifetime, language);
    provider.mail.send(&sender(provider), (&user, language), &Letter::Invitation { link: &link, expires })?;
    Ok(())
}

/// A link that is still to be made.
struct NewLink<'a> {
    purpose: LinkPurpose,
    lifetime: Duration,
    /// How many a user gets for this purpose within half an hour.
    most: u64,
    /// SHA-256 of the cookie of the browser that asks for it.
    browser: Option<[u8; 32]>,
    /// The address that it verifies.
    new_address: Option<&'a str>,
}

/// Makes a link; returns its URL, or `None` if the user has got too many. Its origin is the configured one, whatever host the request
/// names.
async fn create(provider: &Provider, user: &User, new: NewLink<'_>) -> Result<Option<String>, StoreError> {
    let secret: [u8; SECRET_LEN] = provider.random.bytes();
    let (digest, created) = (crypto::fingerprint(&secret), provider.clock.now());
    let since = created.checked_sub(RESET_LIFETIME).unwrap_or(SystemTime::UNIX_EPOCH);
    let link = StoredLink {
        digest,
        purpose: new.purpose,
        person: user.id.opaque_id.clone(),
        address: address(user),
        new_address: new.new_address.map(str::to_owned),
        browser: new.browser,
        created,
        expires: created + new.lifetime,
    };
    let is_added = provider.store.add_link(&link, (new.most, since)).await?;
    let page = match new.purpose {
        LinkPurpose::PasswordReset | LinkPurpose::Invitation => page::LINK,
        LinkPurpose::MailChange => page::MAIL_LINK,
    };
    let path = format!("{page}?link={}", URL_SAFE_NO_PAD.encode(secret));
    Ok(is_added.then(|| format!("{}{path}", sender(provider).url)))
}

/// The link with this secret by which a password is set. It stays usable. `None` if there is none, it was used, it has ended, or its user
/// may not sign in any more, has set a password since, or has another address by now.
///
/// # Errors
/// When the database or the directory is unavailable.
pub(crate) async fn open(provider: &Provider, secret: &str) -> Result<Option<OpenLink>, LinkError> {
    find(provider, secret, &[LinkPurpose::PasswordReset, LinkPurpose::Invitation]).await
}

/// The same for a link of one of these purposes.
async fn find(provider: &Provider, secret: &str, purposes: &[LinkPurpose]) -> Result<Option<OpenLink>, LinkError> {
    let Some(secret) = URL_SAFE_NO_PAD.decode(secret).ok().filter(|secret| secret.len() == SECRET_LEN) else {
        return Ok(None);
    };
    let stored = provider.store.link(crypto::fingerprint(&secret), provider.clock.now()).await?;
    let Some(stored) = stored.filter(|stored| purposes.contains(&stored.purpose)) else { return Ok(None) };
    let user = match provider.directory.user(&id(&stored.person), Groups::Skip).await {
        Ok(user) => user,
        Err(DirectoryError::NotFound) => return Ok(None),
        Err(error) => return Err(LinkError::Directory(error)),
    };
    if !is_active_here(&user) {
        // it does not open for a user who is enabled later either
        provider.store.use_links_of(&stored.person, provider.clock.now()).await?;
        return Ok(None);
    }
    let is_outdated = user.password_changed.is_some_and(|changed| changed > stored.created);
    let is_there = stored.address == address(&user);
    Ok((is_there && !is_outdated).then_some(OpenLink { stored, user }))
}

/// What came of setting a password.
pub(crate) enum Redemption {
    /// The password is set, and everything from before has ended.
    Done,
    /// The link was used meanwhile, or is of no use: there is a password though it would be the first, or none to replace.
    Used,
    /// auth-basic has not set it; the link stays usable.
    Failed(Status),
}

/// Uses up a link and sets the password. Sessions, grants and tokens from before end, and the user gets a notice. Nobody is signed in by
/// it. All of that happens even if the browser hangs up.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn redeem(
    provider: &Provider,
    link: &OpenLink,
    password: &str,
    (language, caller): (Language, &Caller),
) -> Result<Redemption, StoreError> {
    let (provider, link, password, caller) = (provider.clone(), link.clone(), password.to_owned(), caller.clone());
    let work = async move { redeem_to_the_end(&provider, &link, &password, (language, &caller)).await };
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| Err(StoreError::internal(error.to_string())))
}

async fn redeem_to_the_end(
    provider: &Provider,
    link: &OpenLink,
    password: &str,
    (language, caller): (Language, &Caller),
) -> Result<Redemption, StoreError> {
    let OpenLink { stored, user } = link;
    let now = provider.clock.now();
    if !provider.store.use_link(stored.digest, now).await? {
        return Ok(Redemption::Used);
    }
    let is_first = stored.purpose == LinkPurpose::Invitation;
    if let Err(status) = provider.mail.passwords.reset(&stored.person, (password, is_first), caller).await {
        if status.code() == Code::FailedPrecondition {
            return Ok(Redemption::Used);
        }
        provider.store.restore_link(stored, now).await?;
        return Ok(Redemption::Failed(status));
    }
    record(provider, "password_reset", "success", &stored.person, caller);
    termination::end_before(provider, &stored.person, provider.clock.now()).await?;
    provider.store.use_links_of(&stored.person, now).await?;
    let language = language_of(&*provider.directory, user, language).await;
    if let Err(error) = provider.mail.send(&sender(provider), (user, language), &Letter::PasswordChanged) {
        tracing::warn!(%error, person = stored.person, "the notice of a changed password is not sent");
    }
    Ok(Redemption::Done)
}

/// Whether it is an active user of this installation, in person.
fn is_active_here(user: &User) -> bool {
    user.is_active() && user.id.kind.is_local()
}

/// What is stored of a user's present address.
fn address(user: &User) -> [u8; 32] {
    crypto::fingerprint(user.mail.as_bytes())
}

fn id(user: &str) -> UserId {
    UserId { opaque_id: user.to_owned(), ..UserId::default() }
}

fn record(provider: &Provider, event: &'static str, outcome: &'static str, user: &str, caller: &Caller) {
    let source = caller.source.map(display);
    let event = Event { subject: &user, source: &source, ..Event::new(event, outcome) };
    provider.audit_events.record(&event, Circumstances::of(user, "", caller), provider.clock.now());
}
