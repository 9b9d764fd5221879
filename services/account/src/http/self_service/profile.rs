//! The profile: a form with what the user may change, and the rest to read.

use std::iter;
use std::time::{Duration, UNIX_EPOCH};

use askama::Template;
use authn::{Attribute, Profile, User};
use axum::body::Bytes;
use axum::extract::{FromRequestParts, RawQuery};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use proto::doorward::users::v1::{GetProfileResponse, SetProfileRequest};
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::super::error;
use super::super::page::{Navigation, Page, Section};
use super::super::shown_value::Difference;
use super::super::signed_in::SignedIn;
use super::field::Field;
use super::property::Property;
use super::text::{SelfServiceText, text};
use super::{MAIL, PROFILE, failure, mail};
use crate::self_service::Profiles;
use crate::state::AccountState;

/// The purpose of the form.
const FORM: &str = "profile";
/// The value of the parameter `done` after the profile was saved.
const SAVED: &str = "saved";
/// The first second of the year 10000, from which on no date is written.
const TOO_LATE: u64 = 253_402_300_800;

/// The signed-in user, and users, which has the profile.
pub(in super::super) struct ProfileOwner {
    signed_in: SignedIn,
    profiles: Profiles,
}

impl FromRequestParts<AccountState> for ProfileOwner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        match &state.self_service.profiles {
            Some(profiles) => Ok(Self { signed_in, profiles: profiles.clone() }),
            None => Err(error::not_found(&signed_in.context())),
        }
    }
}

/// The profile as stored, and what the user may change.
pub(crate) struct Stored {
    user: User,
    profile: Profile,
    writable: Vec<String>,
}

impl Stored {
    pub(crate) fn new(user: User, response: GetProfileResponse) -> Self {
        let stored = response.profile.unwrap_or_default();
        let names = stored.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut profile = Profile::from_names(names);
        profile.phone_number_verified = stored.phone_number_verified;
        let updated = u64::try_from(stored.updated).ok().filter(|seconds| (1..TOO_LATE).contains(seconds));
        profile.updated = updated.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        Self { user, profile, writable: response.writable }
    }

    fn value(&self, property: Property) -> &str {
        match property {
            Property::DisplayName => &self.user.display_name,
            Property::Attribute(attribute) => self.profile.get(attribute).unwrap_or_default(),
        }
    }

    fn is_writable(&self, property: Property) -> bool {
        self.writable.iter().any(|name| name == property.permission())
    }

    /// What a form changes, of that which the user may change.
    pub(in super::super) fn changes(&self, form: &Parameters) -> Changes {
        let sent = |property: Property| {
            let entered = normalized(form.first(property.name())?);
            (self.difference(form, property, &entered) != Difference::Unchanged).then_some((property, entered))
        };
        Changes(Property::all().filter(|property| self.is_writable(*property)).filter_map(sent).collect())
    }

    /// The properties among the changes of a form that someone else has changed since the form showed them.
    pub(in super::super) fn conflicts(&self, form: &Parameters, changes: &Changes) -> Conflicts {
        let is_conflict = |(property, entered): &&(Property, String)| {
            self.difference(form, *property, entered) == Difference::Conflict
        };
        Conflicts(changes.0.iter().filter(is_conflict).map(|(property, _)| *property).collect())
    }

    /// The properties among these changes that someone else has changed since another version was read. All count as changed if this is not
    /// known, as the directory may still have a former name to show.
    pub(in super::super) fn changed_since(&self, before: &Self, changes: &Changes) -> Conflicts {
        let properties = || changes.0.iter().map(|(property, _)| *property);
        let conflicts: Vec<_> =
            properties().filter(|property| self.value(*property) != before.value(*property)).collect();
        Conflicts(if conflicts.is_empty() { properties().collect() } else { conflicts })
    }

    /// The request for these changes of what is stored here, which is refused if it was changed since. The user is still to be named.
    pub(in super::super) fn request(&self, changes: &Changes) -> SetProfileRequest {
        let mut request = changes.request();
        for (property, _) in &changes.0 {
            let expected = self.value(*property).to_owned();
            match property {
                Property::DisplayName => request.expected_display_name = Some(expected),
                Property::Attribute(attribute) => {
                    request.expected_attributes.insert(attribute.name().to_owned(), expected);
                }
            }
        }
        request
    }

    fn difference(&self, form: &Parameters, property: Property, entered: &str) -> Difference {
        Difference::of(form, property.name(), (entered, self.value(property)), normalized)
    }

    /// The change of properties to these values, by their names; an empty value removes a property.
    ///
    /// # Errors
    /// The first name whose property cannot be changed so, and why.
    pub(crate) fn change_to<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Changes, (&'a str, Unchangeable)> {
        let mut changes = Vec::new();
        for (name, value) in values {
            let property = Property::all().find(|property| property.name() == name);
            let property = property.ok_or((name, Unchangeable::Unknown))?;
            let value = normalized(value);
            if !self.is_writable(property) {
                return Err((name, Unchangeable::ReadOnly));
            }
            if !property.accepts(&value) {
                return Err((name, Unchangeable::Invalid));
            }
            if self.value(property) != value {
                changes.push((property, value));
            }
        }
        Ok(Changes(changes))
    }

    /// The fields of what may be changed, those of the address apart. `entered` stands in them in place of what is stored.
    pub(in super::super) fn fields(
        &self,
        language: Language,
        entered: &Changes,
        conflicts: &Conflicts,
    ) -> (Vec<Field>, Vec<Field>) {
        let words = text(language);
        let conflict = |property: Property| {
            let stored = Some(self.value(property)).filter(|value| !value.is_empty());
            let is_conflict = conflicts.0.contains(&property);
            is_conflict
                .then(|| words.changed_meanwhile.with(stored.unwrap_or(super::super::i18n::words(language).none)))
        };
        let field = |property: Property| {
            let entered = entered.0.iter().find(|(entered, _)| *entered == property).map(|(_, value)| value.as_str());
            let value = entered.unwrap_or_else(|| self.value(property));
            Field {
                name: property.name(),
                label: property.label(words),
                input_type: property.input_type(value),
                is_multiline: property.is_multiline(),
                is_required: property == Property::DisplayName,
                autocomplete: property.autocomplete(),
                hint: property.hint(words, value),
                error: entered
                    .filter(|value| !property.accepts(value))
                    .map(|_| property.error(words).to_owned())
                    .or_else(|| conflict(property)),
                shown: self.value(property).to_owned(),
                value: value.to_owned(),
            }
        };
        let writable = Property::all().filter(|property| self.is_writable(*property));
        let (address, fields): (Vec<_>, Vec<_>) = writable.partition(|property| property.is_of_address());
        (fields.into_iter().map(field).collect(), address.into_iter().map(field).collect())
    }
}

/// Why a property cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unchangeable {
    /// There is no such property.
    Unknown,
    /// The caller only reads it.
    ReadOnly,
    /// The value is not one that it may have.
    Invalid,
}

/// What a form changes and someone else has changed since the form showed it.
#[derive(Default)]
pub(in super::super) struct Conflicts(Vec<Property>);

impl Conflicts {
    /// Whether there are none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a request changes.
#[derive(Default)]
pub(crate) struct Changes(Vec<(Property, String)>);

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the values are what their properties may have.
    pub(in super::super) fn are_accepted(&self) -> bool {
        self.0.iter().all(|(property, value)| property.accepts(value))
    }

    /// The request for the change, whatever is stored, of a user that is still to be named.
    pub(crate) fn request(&self) -> SetProfileRequest {
        let mut request = SetProfileRequest::default();
        for (property, value) in &self.0 {
            match property {
                Property::DisplayName => request.display_name = Some(value.clone()),
                Property::Attribute(attribute) => {
                    request.attributes.insert(attribute.name().to_owned(), value.clone());
                }
            }
        }
        request
    }
}

/// A value as it is stored: forms have `CRLF` in texts of several lines.
fn normalized(value: &str) -> String {
    value.replace("\r\n", "\n").trim().to_owned()
}

/// A property that the user only reads.
struct Entry<'a> {
    label: &'static str,
    value: &'a str,
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    text: &'static SelfServiceText,
    is_saved: bool,
    has_errors: bool,
    fields: Vec<Field>,
    address: Vec<Field>,
    /// The mail address; empty if there is none.
    mail: &'a str,
    /// The form for another one, if the user may change it.
    mail_path: Option<String>,
    entries: Vec<Entry<'a>>,
    updated: Option<LocalizedTime>,
    csrf: String,
    path: String,
}

impl ProfileOwner {
    fn failure(&self, status: &Status) -> Response {
        failure(&self.signed_in.context(), "users", status)
    }

    fn id(&self) -> &str {
        &self.signed_in.user.id.opaque_id
    }

    async fn stored(&self) -> Result<Stored, Response> {
        let response = self.profiles.get(&self.signed_in.on_behalf(), self.id()).await;
        let response = response.map_err(|status| self.failure(&status))?;
        Ok(Stored::new(self.signed_in.current_user().await, response))
    }

    /// Whether the page leads to the form for another mail address.
    async fn may_change_mail(&self, stored: &Stored) -> bool {
        mail::is_offered(&self.signed_in, &stored.writable).await.unwrap_or_else(|status| {
            tracing::warn!(%status, "the profile is shown without the form for the mail address: idp does not answer");
            false
        })
    }

    /// The page. The changes of a form are in the fields in place of what is stored.
    async fn page(
        &self,
        status: StatusCode,
        stored: &Stored,
        form: (&Changes, &Conflicts),
        is_saved: bool,
    ) -> Response {
        let may_change_mail = self.may_change_mail(stored).await;
        let context = self.signed_in.context();
        let words = text(context.language);
        let (fields, address) = stored.fields(context.language, form.0, form.1);
        let others = Property::all().filter(|property| !stored.is_writable(*property));
        let username = (context.words().username, &*stored.user.username);
        let mail = (!may_change_mail).then_some((context.words().mail, &*stored.user.mail));
        let others = others.map(|property| (property.label(words), stored.value(property)));
        let is_verified = stored.profile.phone_number_verified && stored.profile.get(Attribute::PhoneNumber).is_some();
        let verified = is_verified.then_some((words.phone_number, words.phone_number_verified));
        let entries =
            iter::once(username).chain(mail).chain(others).chain(verified).filter(|(_, value)| !value.is_empty());
        let (browser, cookie) = self.signed_in.browser();
        let page = ProfilePage {
            page: context.page(words.profile_title),
            navigation: context.navigation(Section::Profile),
            text: words,
            is_saved,
            has_errors: status != StatusCode::OK,
            fields,
            address,
            mail: &stored.user.mail,
            mail_path: may_change_mail.then(|| self.signed_in.state.path(MAIL)),
            entries: entries.map(|(label, value)| Entry { label, value }).collect(),
            updated: stored.profile.updated.map(|updated| LocalizedTime::day(updated, context.language)),
            csrf: self.signed_in.csrf(&browser, FORM),
            path: self.signed_in.state.path(PROFILE),
        };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /account/profile`.
pub(super) async fn show(owner: ProfileOwner, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let stored = owner.stored().await?;
    let is_saved = Parameters::of_query(query.as_deref()).is_ok_and(|query| query.text("done") == SAVED);
    Ok(owner.page(StatusCode::OK, &stored, (&Changes::default(), &Conflicts::default()), is_saved).await)
}

/// `POST /account/profile`: changes the fields that differ from what the form showed (`docs/security-requirements.md#a41`).
pub(super) async fn save(owner: ProfileOwner, body: Bytes) -> Result<Response, Response> {
    let signed_in = &owner.signed_in;
    let form = signed_in.own_form(FORM, &body).ok_or_else(|| error::forgery(&signed_in.context()))?;
    let stored = owner.stored().await?;
    let changes = stored.changes(&form);
    if !changes.are_accepted() {
        return Ok(owner.page(StatusCode::BAD_REQUEST, &stored, (&changes, &Conflicts::default()), false).await);
    }
    let conflicts = stored.conflicts(&form, &changes);
    if !conflicts.is_empty() {
        return Ok(owner.page(StatusCode::CONFLICT, &stored, (&changes, &conflicts), false).await);
    }
    if !changes.is_empty() {
        let set = owner.profiles.set(&signed_in.on_behalf(), owner.id(), stored.request(&changes)).await;
        if set.as_ref().is_err_and(|status| Kind::from_grpc(status.code()) == Kind::Aborted) {
            let now_stored = owner.stored().await?;
            let conflicts = now_stored.changed_since(&stored, &changes);
            return Ok(owner.page(StatusCode::CONFLICT, &now_stored, (&changes, &conflicts), false).await);
        }
        set.map_err(|status| owner.failure(&status))?;
    }
    Ok(see_other(&format!("{}?done={SAVED}", signed_in.state.path(PROFILE))))
}
