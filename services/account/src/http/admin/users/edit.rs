//! The page of a user: what is known of the user, the form that changes it, the groups, and the links to all that can be done.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::passwords::v1::HasPasswordRequest;
use proto::doorward::users::v1::{ExpectedUser, GetProfileRequest, Person, PersonStatus, UpdateUserRequest};
use status::Kind;
use url::form_urlencoded::Serializer;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::shown_value::Difference;
use super::super::super::tokens::time;
use super::super::administrator::SignInFirst;
use super::super::field::Field;
use super::super::text::AdminText;
use super::super::{AdminSection, page_of};
use super::act::Act;
use super::roles::role_name;
use super::{UserAdministrator, by_id, create, field_error, membership, name_of, password, profile, roles};

/// The value of the parameter `done` after the user was changed.
const SAVED: &str = "saved";

/// What is in the fields of the page.
#[derive(Default)]
pub(super) struct Entered {
    display_name: String,
    mail: String,
    /// The field that is wrong, and why.
    error: Option<(&'static str, &'static str)>,
    /// The fields whose stored values someone else has changed since they were shown.
    conflicts: Vec<&'static str>,
    /// The name of a group to add.
    group: String,
    group_error: Option<&'static str>,
    /// The sign-in that comes first.
    sign_in: Option<SignInFirst>,
}

impl Entered {
    /// What is stored.
    fn of(person: &Person) -> Self {
        Self { display_name: person.display_name.clone(), mail: person.mail.clone(), ..Self::default() }
    }

    /// What is stored, and the name of a group that the user cannot be added to.
    pub(super) fn with_group(person: &Person, group: String, error: &'static str) -> Self {
        Self { group, group_error: Some(error), ..Self::of(person) }
    }

    /// What is stored, and the name of a group to which the user is added after a sign-in.
    pub(super) fn with_sign_in(person: &Person, group: String, sign_in: SignInFirst) -> Self {
        Self { group, sign_in: Some(sign_in), ..Self::of(person) }
    }

    fn status(&self) -> StatusCode {
        if self.sign_in.is_some() {
            StatusCode::FORBIDDEN
        } else if !self.conflicts.is_empty() {
            StatusCode::CONFLICT
        } else if self.error.is_some() || self.group_error.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        }
    }
}

/// A group of the user.
struct Membership {
    id: String,
    name: String,
}

/// A page about the user.
struct Link {
    path: String,
    text: &'static str,
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct UserPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    done: Option<&'static str>,
    sign_in: Option<&'a SignInFirst>,
    person: &'a Person,
    is_disabled: bool,
    roles: Vec<&'a str>,
    created: Option<LocalizedTime>,
    updated: Option<LocalizedTime>,
    /// Whether the mail address and the groups can be changed here, which needs a recent sign-in.
    is_fully_writable: bool,
    /// `None` if the user cannot be changed here.
    fields: Option<Vec<Field>>,
    groups: Vec<Membership>,
    group: Field,
    links: Vec<Link>,
    csrf: String,
    groups_csrf: String,
    path: String,
}

/// The purpose of the form that changes a user.
fn form(id: &str) -> String {
    format!("admin-user {id}")
}

/// The purpose of the forms that change the groups of a user.
pub(super) fn groups_form(id: &str) -> String {
    format!("admin-user-groups {id}")
}

/// What the page says after a form.
fn said(texts: &'static AdminText, done: &str) -> Option<&'static str> {
    match done {
        SAVED | profile::SAVED => Some(texts.user_saved),
        create::CREATED => Some(texts.user_created),
        create::INVITED => Some(texts.user_created_invited),
        create::WITHOUT_INVITATION => Some(texts.user_created_uninvited),
        create::WITHOUT_PASSWORD => Some(texts.user_created_without_password),
        membership::CHANGED => Some(texts.groups_changed),
        roles::CHANGED => Some(texts.roles_changed),
        password::SET => Some(texts.password_set),
        act => Act::named(act).and_then(|act| act.done(texts)),
    }
}

impl UserAdministrator {
    /// Whether the user is in a store that can be changed; a directory like LDAP is only read.
    async fn is_writable(&self, id: &str) -> bool {
        let Some(mut profiles) = self.administrator.signed_in.state.administration.profiles.clone() else {
            return true;
        };
        let message = GetProfileRequest { user: Some(by_id(id)) };
        let profile = profiles.get_profile(self.administrator.signed_in.on_behalf().call(message)).await;
        profile.is_ok_and(|profile| profile.get_ref().writable.iter().any(|name| name == "display_name"))
    }

    /// Whether the user has a password here; `None` if passwords are in another system, or auth-basic does not answer.
    async fn has_password(&self, id: &str) -> Option<bool> {
        let mut passwords = self.passwords()?;
        let message = HasPasswordRequest { user_id: id.to_owned() };
        let answer = passwords.has_password(self.administrator.signed_in.on_behalf().call(message)).await;
        answer.ok().map(|answer| answer.into_inner().has_password)
    }

    /// The links to what can be done with a user.
    async fn links(&self, person: &Person, is_writable: bool, has_password: Option<bool>) -> Vec<Link> {
        let (texts, services) = (self.administrator.texts(), &self.administrator.signed_in.state.administration);
        let (has_accounts, has_sign_ins) = (services.accounts.is_some(), self.administrator.has_sign_ins());
        let pages = [
            (has_accounts, "access", texts.access),
            (has_accounts, "activity", texts.activity),
            (is_writable && services.profiles.is_some(), "profile", texts.profile),
            (is_writable && has_sign_ins, "roles", texts.change_roles),
            (has_password.is_some() && has_sign_ins, "password", texts.set_password),
        ];
        let pages = pages.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, name, text)| (name, text));
        let is_disabled = person.status() == PersonStatus::Disabled;
        let is_own = self.is_own(&person.id);
        let is_invitable = has_password == Some(false) && !is_disabled && !person.mail.is_empty();
        let can_be_invited = is_invitable && self.can_invite().await;
        let acts = Act::ALL.into_iter().filter(|act| has_sign_ins && !(is_own && act.is_for_others()));
        let acts = acts.filter(|act| match act {
            Act::RemovePassword => has_password == Some(true),
            Act::Invite => can_be_invited,
            Act::Disable => is_writable && !is_disabled,
            Act::Enable => is_writable && is_disabled,
            Act::Delete => is_writable,
            Act::ResetFactors | Act::SignOut => act.is_available(services),
        });
        let acts = acts.map(|act| (act.name(), act.text(texts).link));
        let link = |(name, text)| Link { path: self.path_of(&person.id, &format!("/{name}")), text };
        pages.map(link).chain(self.tokens_link(person)).chain(acts.map(link)).collect()
    }

    /// The link to the user's app tokens among those of all users.
    fn tokens_link(&self, person: &Person) -> Option<Link> {
        let page = page_of(&self.administrator.signed_in.state, AdminSection::Tokens)?;
        let query = Serializer::new(String::new()).append_pair("user", &person.username).finish();
        let path = self.administrator.path(&format!("{}?{query}", page.path));
        Some(Link { path, text: (page.label)(self.administrator.context().language) })
    }

    /// The page of a user.
    pub(super) async fn edit_page(&self, person: &Person, entered: &Entered, done: Option<&'static str>) -> Response {
        let (administrator, context, texts) =
            (&self.administrator, self.administrator.context(), self.administrator.texts());
        let (is_writable, has_password) = (self.is_writable(&person.id).await, self.has_password(&person.id).await);
        let words = context.words();
        let errors = |name: &str, stored: &str| {
            let error = entered.error.filter(|(field, _)| *field == name).map(|(_, text)| text.to_owned());
            let stored = if stored.is_empty() { words.none } else { stored };
            let conflict = entered.conflicts.contains(&name).then(|| texts.changed_meanwhile.with(stored));
            error.into_iter().chain(conflict)
        };
        let fields = || {
            let mail = Field { input_type: "email", ..Field::text("mail", words.mail, &entered.mail) };
            let mail = mail.stored(&person.mail).with_errors(errors("mail", &person.mail));
            let mut fields = vec![
                Field::text("display_name", words.name, &entered.display_name)
                    .required()
                    .stored(&person.display_name)
                    .with_errors(errors("display_name", &person.display_name)),
            ];
            // it needs a recent sign-in
            fields.extend(Some(mail).filter(|_| administrator.has_sign_ins()));
            fields
        };
        let day = |seconds: i64| {
            let time = time(seconds).filter(|_| seconds > 0);
            time.map(|time| LocalizedTime::minute(time, context.language))
        };
        let group_error = entered.group_error.map(str::to_owned);
        let groups = person.group_ids.iter().zip(&person.groups);
        let (browser, cookie) = administrator.signed_in.browser();
        let page = UserPage {
            page: context.page(name_of(person)),
            navigation: administrator.navigation(AdminSection::Users),
            texts,
            done,
            sign_in: entered.sign_in.as_ref(),
            person,
            is_disabled: person.status() == PersonStatus::Disabled,
            roles: person.roles.iter().map(|role| role_name(words, role)).collect(),
            created: day(person.created),
            updated: day(person.updated),
            is_fully_writable: is_writable && administrator.has_sign_ins(),
            fields: is_writable.then(fields),
            groups: groups.map(|(id, name)| Membership { id: id.clone(), name: name.clone() }).collect(),
            group: Field::text("group", texts.group_name, &entered.group).required().with_errors(group_error),
            links: self.links(person, is_writable, has_password).await,
            csrf: administrator.signed_in.csrf(&browser, &form(&person.id)),
            groups_csrf: administrator.signed_in.csrf(&browser, &groups_form(&person.id)),
            path: self.path_of(&person.id, ""),
        };
        with_cookies(context.respond(entered.status(), &page), cookie)
    }
}

/// `GET /admin/users/{id}`.
pub(super) async fn show(
    user: UserAdministrator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let person = user.user(&id).await?;
    let query = Parameters::of_query(query.as_deref()).ok();
    let done = query.and_then(|query| said(user.administrator.texts(), query.text("done")));
    Ok(user.edit_page(&person, &Entered::of(&person), done).await)
}

/// `POST /admin/users/{id}`: changes the name to show and the mail address. The latter needs a recent sign-in: a mail to it gives
/// another password to whoever has forgotten the current one (`docs/security-requirements.md#n3`).
pub(super) async fn save(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let person = user.user(&id).await?;
    let difference = |name: &str, entered: &str, stored: &str| {
        Difference::of(&fields, name, (entered, stored), |text| text.trim().to_owned())
    };
    // a field that was not on the page stays as it is
    let value = |name: &str, stored: &str| fields.first(name).unwrap_or(stored).trim().to_owned();
    let (name, mail) = (value("display_name", &person.display_name), value("mail", &person.mail));
    let name_difference = difference("display_name", &name, &person.display_name);
    let mail_difference = difference("mail", &mail, &person.mail);
    // what the form leaves as it was is not written, and shown as it is stored
    let changed = |difference: Difference, entered: String| (difference != Difference::Unchanged).then_some(entered);
    let (name, mail) = (changed(name_difference, name), changed(mail_difference, mail));
    let entered_over = |person: &Person| Entered {
        display_name: name.clone().unwrap_or_else(|| person.display_name.clone()),
        mail: mail.clone().unwrap_or_else(|| person.mail.clone()),
        ..Entered::default()
    };
    let entered = entered_over(&person);
    let fields = [("display_name", name_difference), ("mail", mail_difference)];
    let conflicts = fields.into_iter().filter(|(_, difference)| *difference == Difference::Conflict);
    let conflicts: Vec<_> = conflicts.map(|(name, _)| name).collect();
    if !conflicts.is_empty() {
        return Ok(user.edit_page(&person, &Entered { conflicts, ..entered }, None).await);
    }
    if mail.is_some()
        && let Some(sign_in) = user.administrator.sign_in_first(&user.path_of(&id, "")).await?
    {
        return Ok(user.edit_page(&person, &Entered { sign_in: Some(sign_in), ..entered }, None).await);
    }
    if name.is_none() && mail.is_none() {
        return Ok(see_other(&user.path_of(&id, &format!("?done={SAVED}"))));
    }
    let expected = ExpectedUser {
        display_name: name.as_ref().map(|_| person.display_name.clone()),
        mail: mail.as_ref().map(|_| person.mail.clone()),
        ..ExpectedUser::default()
    };
    let message = UpdateUserRequest {
        user: Some(by_id(&id)),
        display_name: name.clone(),
        mail: mail.clone(),
        expected: Some(expected),
        ..UpdateUserRequest::default()
    };
    let Err(status) = user.users.update_user(user.administrator.signed_in.on_behalf().call(message)).await else {
        return Ok(see_other(&user.path_of(&id, &format!("?done={SAVED}"))));
    };
    if Kind::from_grpc(status.code()) == Kind::Aborted {
        // changed after it was read above
        let stored = user.user(&id).await?;
        let fields = [
            ("display_name", name.is_some() && stored.display_name != person.display_name),
            ("mail", mail.is_some() && stored.mail != person.mail),
        ];
        let conflicts: Vec<_> =
            fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name).collect();
        if !conflicts.is_empty() {
            return Ok(user.edit_page(&stored, &Entered { conflicts, ..entered_over(&stored) }, None).await);
        }
    }
    let error = field_error(user.administrator.texts(), &status);
    if error.is_none() {
        return Err(user.administrator.failure(&status));
    }
    Ok(user.edit_page(&person, &Entered { error, ..entered }, None).await)
}
