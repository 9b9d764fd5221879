//! What is done with a user after a confirmation and a recent sign-in (`docs/security-requirements.md#n3`).

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{Person, PersonStatus};
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::AdminSection;
use super::super::confirm::Confirm;
use super::super::field::Field;
use super::super::text::{ActText, AdminText};
use super::{USERS, UserAdministrator, list, name_of};
use crate::administration::{AccountPart, Administration, DeletionError};

/// The longest login name that is read, in bytes.
const MAX_NAME: usize = 1024;

/// Something that is done with a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Ends all sessions and tokens from them.
    SignOut,
    /// Removes the second factors.
    ResetFactors,
    /// Removes the password.
    RemovePassword,
    /// Sends a mail with which the user sets the first password.
    Invite,
    /// The user may no longer sign in.
    Disable,
    /// The user may sign in again.
    Enable,
    /// Removes the user.
    Delete,
}

impl Act {
    pub(super) const ALL: [Self; 7] = [
        Self::SignOut,
        Self::ResetFactors,
        Self::RemovePassword,
        Self::Invite,
        Self::Disable,
        Self::Enable,
        Self::Delete,
    ];

    /// Its name in URLs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SignOut => "sign-out",
            Self::ResetFactors => "reset-factors",
            Self::RemovePassword => "remove-password",
            Self::Invite => "invite",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }

    /// The act with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }

    /// Its texts.
    pub(super) const fn text(self, texts: &'static AdminText) -> &'static ActText {
        match self {
            Self::SignOut => &texts.sign_out_user,
            Self::ResetFactors => &texts.reset_factors,
            Self::RemovePassword => &texts.remove_password,
            Self::Invite => &texts.send_invitation,
            Self::Disable => &texts.disable,
            Self::Enable => &texts.enable,
            Self::Delete => &texts.delete_user,
        }
    }

    /// What the page of the user says after it; nothing if there is no such page any more.
    pub(super) fn done(self, texts: &'static AdminText) -> Option<&'static str> {
        (self != Self::Delete).then(|| self.text(texts).done)
    }

    /// Whether the service that does it is there.
    pub(super) const fn is_available(self, services: &Administration) -> bool {
        match self {
            Self::SignOut => services.accounts.is_some(),
            Self::ResetFactors => services.factors.is_some(),
            Self::RemovePassword => services.passwords.is_some(),
            Self::Invite => services.invitations.is_some(),
            Self::Disable | Self::Enable | Self::Delete => services.users.is_some(),
        }
    }

    /// Whether administrators cannot do it to themselves, so that one is left who can sign in, and none weakens the own sign-in
    /// (`docs/security-requirements.md#n5`).
    pub(super) const fn is_for_others(self) -> bool {
        matches!(self, Self::Disable | Self::Delete | Self::RemovePassword | Self::ResetFactors)
    }

    /// The purpose of its form for this user.
    fn form(self, id: &str) -> String {
        format!("admin-user-{} {id}", self.name())
    }
}

impl UserAdministrator {
    /// The act with this name, if its service is there.
    fn act(&self, name: &str) -> Option<Act> {
        Act::named(name).filter(|act| act.is_available(&self.administrator.signed_in.state.administration))
    }

    /// The page that says that administrators do not do this to themselves.
    fn own_account_page(&self) -> Response {
        let texts = self.administrator.texts();
        self.administrator.context().message(StatusCode::BAD_REQUEST, texts.refused_title, texts.own_account)
    }

    fn confirm_page(&self, act: Act, person: &Person, note: &Note) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let texts = administrator.texts();
        let text = act.text(texts);
        let (browser, cookie) = administrator.signed_in.browser();
        let typed = || {
            let field = Field::text("username", texts.type_username, "").required();
            let error = matches!(note, Note::WrongName).then(|| texts.type_wrong.to_owned());
            Field { hint: Some(texts.type_hint.with(&person.username)), ..field }.with_errors(error)
        };
        let page = Confirm {
            page: context.page(text.title),
            navigation: administrator.navigation(AdminSection::Users),
            texts,
            name: name_of(person),
            means: text.means,
            unfinished: match note {
                Note::Unfinished { text, .. } => Some(text.clone()),
                Note::None | Note::WrongName => None,
            },
            field: (act == Act::Delete).then(typed),
            button: text.link,
            is_danger: !matches!(act, Act::Enable | Act::Invite),
            csrf: administrator.signed_in.csrf(&browser, &act.form(&person.id)),
            path: self.path_of(&person.id, &format!("/{}", act.name())),
            cancel_path: self.path_of(&person.id, ""),
        };
        let status = match note {
            Note::None => StatusCode::OK,
            Note::WrongName => StatusCode::BAD_REQUEST,
            Note::Unfinished { status, .. } => *status,
        };
        with_cookies(context.respond(status, &page), cookie)
    }

    /// The form again, where some of an account is removed: to send it once more removes the rest.
    fn unfinished_page(&self, person: &Person, removed: &[AccountPart], status: &Status) -> Response {
        let texts = self.administrator.texts();
        let name = |part: &AccountPart| match part {
            AccountPart::Password => texts.part_password,
            AccountPart::SecondFactors => texts.part_second_factors,
            AccountPart::AppTokens => texts.part_app_tokens,
            AccountPart::User => texts.part_user,
            AccountPart::Sessions => texts.part_sessions,
        };
        let mut text = texts.delete_unfinished.to_owned();
        if !removed.is_empty() {
            let names: Vec<_> = removed.iter().map(name).collect();
            text = format!("{text} {}", texts.removed_so_far.with(&names.join(", ")));
        }
        let status = Kind::from_grpc(status.code()).http();
        self.confirm_page(Act::Delete, person, &Note::Unfinished { text, status })
    }

    async fn carry_out(&self, act: Act, id: &str) -> Result<(), ActError> {
        let (services, by) =
            (&self.administrator.signed_in.state.administration, self.administrator.signed_in.on_behalf());
        match act {
            Act::SignOut => services.end_sessions(&by, id).await?,
            Act::ResetFactors => services.reset_factors(&by, id).await?,
            Act::RemovePassword => services.remove_password(&by, id).await?,
            Act::Disable => services.set_status(&by, id, PersonStatus::Disabled).await?,
            Act::Enable => services.set_status(&by, id, PersonStatus::Active).await?,
            Act::Delete => services.delete_user(&by, id).await?,
            Act::Invite => services.invite_user(&by, id).await?,
        }
        Ok(())
    }

    /// The user to delete, whose name was typed. One who is gone was deleted by a form before, of which something has failed.
    async fn find_to_delete(&self, id: &str, typed: &str) -> Result<Person, Response> {
        let found = self.find(id).await.map_err(|status| self.administrator.failure(&status))?;
        match found {
            Some(person) if person.username != typed => Err(self.confirm_page(Act::Delete, &person, &Note::WrongName)),
            Some(person) => Ok(person),
            None => Ok(Person { id: id.to_owned(), username: typed.to_owned(), ..Person::default() }),
        }
    }
}

/// An act was not carried out.
enum ActError {
    NotDone(Status),
    /// Some of an account is removed.
    Unfinished {
        removed: Vec<AccountPart>,
        status: Status,
    },
}

impl From<Status> for ActError {
    fn from(status: Status) -> Self {
        Self::NotDone(status)
    }
}

impl From<DeletionError> for ActError {
    fn from(error: DeletionError) -> Self {
        tracing::error!(%error, "a user is not deleted with everything");
        match error {
            DeletionError::Refused(status) => Self::NotDone(status),
            DeletionError::Unfinished { removed, status, .. } => Self::Unfinished { removed, status },
        }
    }
}

/// What a page that asks for confirmation says besides.
enum Note {
    None,
    /// Another name was typed.
    WrongName,
    /// Some of it is done.
    Unfinished {
        text: String,
        status: StatusCode,
    },
}

/// `GET /admin/users/{id}/{act}`: asks for confirmation.
pub(super) async fn confirm(
    user: UserAdministrator,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Response> {
    let act = user.act(&name).ok_or_else(|| user.administrator.not_found())?;
    if act.is_for_others() && user.is_own(&id) {
        return Ok(user.own_account_page());
    }
    user.administrator.recent_sign_in(&user.path_of(&id, &format!("/{}", act.name()))).await?;
    let person = user.user(&id).await?;
    Ok(user.confirm_page(act, &person, &Note::None))
}

/// `POST /admin/users/{id}/{act}`.
pub(super) async fn perform(
    user: UserAdministrator,
    Path((id, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Response> {
    let act = user.act(&name).ok_or_else(|| user.administrator.not_found())?;
    if act.is_for_others() && user.is_own(&id) {
        return Ok(user.own_account_page());
    }
    let fields = user.administrator.signed_in.own_form(&act.form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, &format!("/{}", act.name()))).await?;
    let to_delete = if act == Act::Delete {
        let typed = fields.one("username", MAX_NAME).ok().flatten().unwrap_or_default();
        Some(user.find_to_delete(&id, typed.trim()).await?)
    } else {
        None
    };
    match (user.carry_out(act, &id).await, to_delete) {
        (Ok(()), Some(_)) => Ok(see_other(&user.administrator.path(&format!("{USERS}?done={}", list::DELETED)))),
        (Ok(()), None) => Ok(see_other(&user.path_of(&id, &format!("?done={}", act.name())))),
        (Err(ActError::Unfinished { removed, status }), Some(person)) => {
            Ok(user.unfinished_page(&person, &removed, &status))
        }
        (Err(ActError::NotDone(status) | ActError::Unfinished { status, .. }), _) => {
            Err(user.administrator.failure(&status))
        }
    }
}
