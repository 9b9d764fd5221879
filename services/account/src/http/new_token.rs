//! The form for a new app token: what it offers, and what was entered. auth-app decides what is allowed; the form offers no more
//! than that.

use std::time::{Duration, SystemTime};

use proto::doorward::apptokens::v1::{CreateOwnTokenRequest, GetTokenPolicyResponse, create_own_token_request::Life};
use time::{Date, Month, OffsetDateTime};
use web::form::Parameters;

use super::i18n::Words;

/// The longest label that is read, in bytes; auth-app allows 128 characters.
const MAX_LABEL: usize = 512;
/// The longest path that is read, in bytes.
const MAX_PATH: usize = 1024;
/// The longest value of the other fields, in bytes.
const MAX_VALUE: usize = 32;
const SECONDS_OF_DAY: i64 = 24 * 60 * 60;
/// The lifetimes that are offered, in days.
const DAYS: [i64; 4] = [7, 30, 90, 365];
/// The lifetime that is selected first, in days.
const USUAL_DAYS: i64 = 30;
/// The scopes that a form may name besides everything and a folder.
const SCOPES: [&str; 3] = ["profile", "tokens:read", "tokens:write"];

/// Values of the field `expiry`, besides numbers of days.
const DATE: &str = "date";
const LONGEST: &str = "longest";
const NEVER: &str = "never";
/// The value of the field `access` for everything that the user may.
const ALL: &str = "user";

/// What the user has entered, as the form shows it again after an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entered {
    pub(super) label: String,
    /// The value of a lifetime, see [`Choice::value`].
    pub(super) expiry: String,
    pub(super) date: String,
    /// Whether the token may do only what the scopes and the folder allow.
    pub(super) is_limited: bool,
    pub(super) scopes: Vec<String>,
    pub(super) path: String,
    /// Whether files in the folder may be changed.
    pub(super) writes: bool,
}

/// A field of the form whose value cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidField {
    Label,
    Expiry,
    Scopes,
    Path,
}

impl InvalidField {
    /// What the user has to change.
    pub(super) fn text(self, words: &Words) -> &'static str {
        match self {
            Self::Label => words.error_label,
            Self::Expiry => words.error_expiry,
            Self::Scopes => words.error_scopes,
            Self::Path => words.error_path,
        }
    }
}

impl Entered {
    /// Reads the form.
    ///
    /// # Errors
    /// The first field that is too long, or occurs twice.
    pub(super) fn read(form: &Parameters) -> Result<Self, InvalidField> {
        let one = |name, max, field| form.one(name, max).map(Option::unwrap_or_default).map_err(|_| field);
        let scopes = form.all("scope").filter(|scope| SCOPES.contains(scope));
        Ok(Self {
            label: one("label", MAX_LABEL, InvalidField::Label)?.trim().to_owned(),
            expiry: one("expiry", MAX_VALUE, InvalidField::Expiry)?.to_owned(),
            date: one("date", MAX_VALUE, InvalidField::Expiry)?.to_owned(),
            is_limited: one("access", MAX_VALUE, InvalidField::Scopes)? != ALL,
            scopes: scopes.map(str::to_owned).collect(),
            path: one("path", MAX_PATH, InvalidField::Path)?.trim().to_owned(),
            writes: one("permission", MAX_VALUE, InvalidField::Path)? == "rw",
        })
    }

    /// The request for a token.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub(super) fn request(
        &self,
        policy: &GetTokenPolicyResponse,
        now: SystemTime,
    ) -> Result<CreateOwnTokenRequest, InvalidField> {
        if self.label.is_empty() {
            return Err(InvalidField::Label);
        }
        let life = Some(self.life(policy, now).ok_or(InvalidField::Expiry)?);
        Ok(CreateOwnTokenRequest { label: self.label.clone(), scopes: self.requested_scopes()?, life })
    }

    fn requested_scopes(&self) -> Result<Vec<String>, InvalidField> {
        if !self.is_limited {
            return Ok(vec![ALL.to_owned()]);
        }
        let mut scopes = self.scopes.clone();
        if !self.path.is_empty() {
            if !self.path.starts_with('/') {
                return Err(InvalidField::Path);
            }
            let permission = if self.writes { "rw" } else { "r" };
            scopes.push(format!("path:{}:{permission}", self.path));
        }
        if scopes.is_empty() { Err(InvalidField::Scopes) } else { Ok(scopes) }
    }

    fn life(&self, policy: &GetTokenPolicyResponse, now: SystemTime) -> Option<Life> {
        match &*self.expiry {
            NEVER => policy.allows_never.then_some(Life::Never(true)),
            LONGEST => Some(Life::ExpiresIn(policy.longest_lifetime)),
            DATE => self.until_date(policy, now).map(Life::ExpiresIn),
            days => {
                let days: i64 = days.parse().ok()?;
                DAYS.contains(&days).then_some(Life::ExpiresIn(days * SECONDS_OF_DAY))
            }
        }
    }

    /// The seconds until the last second of the entered day. The last day that is allowed ends early, when the longest lifetime does.
    fn until_date(&self, policy: &GetTokenPolicyResponse, now: SystemTime) -> Option<i64> {
        let date = read_date(&self.date)?;
        if date > last_day(policy, now)? {
            return None;
        }
        let end = date.next_day()?.midnight().assume_utc();
        let left = (end - OffsetDateTime::from(now)).whole_seconds() - 1;
        (left > 0).then_some(left.min(policy.longest_lifetime))
    }
}

/// Reads a date as forms send it: `2026-11-29`.
pub(super) fn read_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year: i32 = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day: u8 = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

/// The last day on which a new token may still be valid.
fn last_day(policy: &GetTokenPolicyResponse, now: SystemTime) -> Option<Date> {
    let longest = Duration::from_secs(u64::try_from(policy.longest_lifetime).ok()?);
    let latest = OffsetDateTime::from(now).checked_add(longest.try_into().ok()?);
    // as good as never: a century is the longest that can be configured
    Some(latest.map_or(Date::MAX, OffsetDateTime::date))
}

/// A lifetime that the form offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The value of the field `expiry`.
    pub(super) value: String,
    /// What the user reads.
    pub(super) text: String,
    /// Whether it is selected.
    pub(super) is_selected: bool,
}

/// What the form offers.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) choices: Vec<Choice>,
    /// Whether a day may be entered.
    pub(super) is_date_selected: bool,
    /// The first day that may be entered, as HTML has it.
    pub(super) first_day: String,
    /// The last one.
    pub(super) last_day: String,
    pub(super) allows_all: bool,
    pub(super) allows_path: bool,
    /// The other scopes that a token may have.
    pub(super) scopes: Vec<ScopeChoice>,
}

/// A scope that the form offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScopeChoice {
    pub(super) value: &'static str,
    pub(super) text: String,
    pub(super) is_selected: bool,
}

impl Offer {
    /// Everything that the policy allows, with what was entered selected.
    pub(super) fn new(
        words: &Words,
        policy: &GetTokenPolicyResponse,
        entered: Option<&Entered>,
        now: SystemTime,
    ) -> Self {
        let allows = |kind: &str| policy.scope_kinds.iter().any(|allowed| allowed == kind);
        let scopes = SCOPES.into_iter().filter(|scope| allows(scope.split(':').next().unwrap_or_default()));
        let is_entered = |scope: &str| entered.is_some_and(|entered| entered.scopes.iter().any(|own| own == scope));
        let day = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        Self {
            choices: choices(words, policy, entered),
            is_date_selected: entered.is_some_and(|entered| entered.expiry == DATE),
            first_day: day(Some(OffsetDateTime::from(now).date())),
            last_day: day(last_day(policy, now)),
            allows_all: allows("user"),
            allows_path: allows("path"),
            scopes: scopes
                .map(|value| ScopeChoice {
                    value,
                    text: super::scope_text::describe(words, value),
                    is_selected: is_entered(value),
                })
                .collect(),
        }
    }

    /// Whether a token may be restricted.
    pub(super) fn has_restrictions(&self) -> bool {
        self.allows_path || !self.scopes.is_empty()
    }
}

fn choices(words: &Words, policy: &GetTokenPolicyResponse, entered: Option<&Entered>) -> Vec<Choice> {
    let days: Vec<i64> = DAYS.into_iter().filter(|days| days * SECONDS_OF_DAY <= policy.longest_lifetime).collect();
    let usual = days.iter().rev().find(|days| **days <= USUAL_DAYS).map_or(LONGEST.to_owned(), ToString::to_string);
    let selected = entered.map_or(&usual, |entered| &entered.expiry);
    let choice = |value: String, text: String| Choice { is_selected: value == *selected, value, text };
    let mut choices: Vec<_> =
        days.iter().map(|days| choice(days.to_string(), words.days.with(&days.to_string()))).collect();
    if choices.is_empty() {
        let hours = policy.longest_lifetime.max(0).unsigned_abs().div_ceil(3600);
        choices.push(choice(LONGEST.to_owned(), words.hours.with(&hours.to_string())));
    }
    if policy.allows_never {
        choices.push(choice(NEVER.to_owned(), words.never_expires.to_owned()));
    }
    choices
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;
    use web::i18n::Language;

    use super::super::i18n::words;
    use super::*;

    const DAY: i64 = SECONDS_OF_DAY;

    /// 2026-11-29, half past eleven in the evening.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_mins(29_933_253)
    }

    fn policy(longest: i64) -> GetTokenPolicyResponse {
        let kinds = ["user", "node", "path", "tokens", "profile"];
        GetTokenPolicyResponse {
            default_lifetime: 3 * DAY,
            longest_lifetime: longest,
            allows_never: false,
            scope_kinds: kinds.map(str::to_owned).to_vec(),
            most_tokens: 100,
        }
    }

    fn requested(form: &str) -> Result<CreateOwnTokenRequest, InvalidField> {
        let form = Parameters::of_query(Some(form)).expect("a form");
        Entered::read(&form)?.request(&policy(365 * DAY), now())
    }

    #[test]
    fn form_becomes_a_request() {
        let request = requested("label=+Phone+&expiry=30&access=user").expect("is valid");
        assert_eq!((&*request.label, &request.scopes[..]), ("Phone", &["user".to_owned()][..]));
        assert_eq!(request.life, Some(Life::ExpiresIn(30 * DAY)));
        let form = "label=a&expiry=7&access=limited&scope=profile&scope=tokens:read&path=/photos&permission=rw";
        let scopes = requested(form).expect("is valid").scopes;
        assert_eq!(scopes, ["profile", "tokens:read", "path:/photos:rw"]);
        let scopes = requested("label=a&expiry=7&access=limited&path=/a&permission=r").expect("is valid").scopes;
        assert_eq!(scopes, ["path:/a:r"]);
    }

    #[test]
    fn restricted_form_without_a_scope_does_not_become_full_access() {
        assert_eq!(requested("label=a&expiry=7&access=limited"), Err(InvalidField::Scopes));
        assert_eq!(requested("label=a&expiry=7&access=limited&scope=user"), Err(InvalidField::Scopes));
        assert_eq!(requested("label=a&expiry=7"), Err(InvalidField::Scopes), "nothing is not everything");
        assert_eq!(requested("label=a&expiry=7&access=user&access=limited"), Err(InvalidField::Scopes));
    }

    #[test]
    fn invalid_fields_are_named() {
        assert_eq!(requested("expiry=7&access=user"), Err(InvalidField::Label));
        assert_eq!(requested("label=%0a&expiry=7&access=user"), Err(InvalidField::Label));
        for expiry in ["", "0", "-1", "8", "366", "never", "date", "date&date=2026-11-28", "date&date=2027-12-01"] {
            assert_eq!(
                requested(&format!("label=a&access=user&expiry={expiry}")),
                Err(InvalidField::Expiry),
                "{expiry}"
            );
        }
        assert_eq!(requested("label=a&expiry=7&access=limited&path=photos"), Err(InvalidField::Path));
    }

    #[test]
    fn date_counts_to_its_end_and_never_beyond_the_longest_lifetime() {
        let until = |date: &str| {
            let request = requested(&format!("label=a&access=user&expiry=date&date={date}"));
            request.map(|request| request.life)
        };
        assert_eq!(until("2026-11-29"), Ok(Some(Life::ExpiresIn(27 * 60 - 1))), "until midnight");
        assert_eq!(until("2026-11-30"), Ok(Some(Life::ExpiresIn(27 * 60 + DAY - 1))));
        assert_eq!(until("2027-11-29"), Ok(Some(Life::ExpiresIn(365 * DAY))), "the last day");
    }

    #[test]
    fn dates_of_forms_are_read_or_refused() {
        assert_eq!(read_date("2026-11-29").map(|date| date.to_string()).as_deref(), Some("2026-11-29"));
        for bad in ["", "2026-11", "2026-13-01", "2026-02-30", "29.11.2026", "2026-11-29-1", "x-1-1"] {
            assert_eq!(read_date(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_date_never_panics(text in ".{0,20}") {
            let _ = read_date(&text);
        }
    }

    #[test]
    fn form_offers_what_the_policy_allows() {
        let english = words(Language::English);
        let values = |policy: &GetTokenPolicyResponse| -> Vec<(String, bool)> {
            let offer = Offer::new(english, policy, None, now());
            offer.choices.into_iter().map(|choice| (choice.value, choice.is_selected)).collect()
        };
        let named = |values: &[(&str, bool)]| -> Vec<(String, bool)> {
            values.iter().map(|(value, is_selected)| ((*value).to_owned(), *is_selected)).collect()
        };
        let year = [("7", false), ("30", true), ("90", false), ("365", false)];
        assert_eq!(values(&policy(365 * DAY)), named(&year));
        assert_eq!(values(&policy(10 * DAY)), named(&[("7", true)]));
        assert_eq!(values(&policy(DAY)), named(&[("longest", true)]));
        let endless = GetTokenPolicyResponse { allows_never: true, ..policy(10 * DAY) };
        assert_eq!(values(&endless), named(&[("7", true), ("never", false)]));

        let narrow = GetTokenPolicyResponse { scope_kinds: vec!["tokens".to_owned()], ..policy(DAY) };
        let offer = Offer::new(english, &narrow, None, now());
        let scopes: Vec<_> = offer.scopes.iter().map(|scope| scope.value).collect();
        assert_eq!((scopes, offer.allows_all, offer.allows_path), (vec!["tokens:read", "tokens:write"], false, false));
    }
}
