//! The fields of a service account.

use std::time::Duration;

use proto::doorward::serviceaccounts::v1::{CreateServiceAccountRequest, ServiceAccount, UpdateServiceAccountRequest};
use time::OffsetDateTime;
use web::form::Parameters;

use super::super::super::new_token::read_date;
use super::super::super::tokens::time;
use super::super::field::Field;
use super::super::service_account_text::ServiceAccountText;

/// A day that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidDate;

/// What is in the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AccountFields {
    pub(super) name: String,
    /// The last day on which the account is valid; empty for no end.
    pub(super) valid_until: String,
    pub(super) is_disabled: bool,
}

impl AccountFields {
    /// As they were sent.
    pub(super) fn of_form(form: &Parameters) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        Self { name: text("name"), valid_until: text("valid_until"), is_disabled: !form.text("disabled").is_empty() }
    }

    /// Those of an account.
    pub(super) fn of_account(account: &ServiceAccount) -> Self {
        Self {
            name: account.display_name.clone(),
            valid_until: account.expires.map(last_day).unwrap_or_default(),
            is_disabled: account.disabled,
        }
    }

    /// The request for a new account.
    ///
    /// # Errors
    /// If the day cannot be read.
    pub(super) fn new_account(&self, id: &str) -> Result<CreateServiceAccountRequest, InvalidDate> {
        Ok(CreateServiceAccountRequest {
            id: id.to_owned(),
            display_name: self.name.clone(),
            expires: self.end()?,
            ..CreateServiceAccountRequest::default()
        })
    }

    /// The request that changes an account. What is as the page has shown it stays as it is: an end in the middle of a day too.
    ///
    /// # Errors
    /// If the day cannot be read.
    pub(super) fn changes(&self, account: &ServiceAccount) -> Result<UpdateServiceAccountRequest, InvalidDate> {
        let shown = Self::of_account(account);
        let expires = if self.valid_until == shown.valid_until { None } else { Some(self.end()?.unwrap_or_default()) };
        Ok(UpdateServiceAccountRequest {
            id: account.id.clone(),
            display_name: Some(self.name.clone()),
            disabled: (self.is_disabled != shown.is_disabled).then_some(self.is_disabled),
            expires,
            ..UpdateServiceAccountRequest::default()
        })
    }

    /// The fields for the name and the end, as pages show them.
    pub(super) fn fields(&self, name: &'static str, texts: &ServiceAccountText, is_date_invalid: bool) -> [Field; 2] {
        let error = is_date_invalid.then(|| texts.date_invalid.to_owned());
        let valid_until = Field {
            input_type: "date",
            hint: Some(texts.valid_until_hint.to_owned()),
            ..Field::text("valid_until", texts.valid_until, &self.valid_until)
        };
        [Field::text("name", name, &self.name), valid_until.with_errors(error)]
    }

    /// The end of the last day, in whole seconds since the Unix epoch.
    fn end(&self) -> Result<Option<i64>, InvalidDate> {
        if self.valid_until.is_empty() {
            return Ok(None);
        }
        let day = read_date(&self.valid_until).and_then(time::Date::next_day).ok_or(InvalidDate)?;
        Ok(Some(day.midnight().assume_utc().unix_timestamp()))
    }
}

/// The day before the end of an account.
fn last_day(end: i64) -> String {
    let last = time(end).and_then(|end| end.checked_sub(Duration::from_secs(1)));
    last.map(|last| OffsetDateTime::from(last).date().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(expires: Option<i64>) -> ServiceAccount {
        ServiceAccount { id: "backup".to_owned(), expires, ..ServiceAccount::default() }
    }

    fn until(day: &str) -> AccountFields {
        AccountFields { valid_until: day.to_owned(), ..AccountFields::default() }
    }

    #[test]
    fn account_ends_at_the_end_of_the_day() {
        let made = until("1970-01-02").new_account("backup").expect("is a day");
        assert_eq!((made.id.as_str(), made.expires), ("backup", Some(172_800)));
        assert_eq!(AccountFields::of_account(&account(made.expires)).valid_until, "1970-01-02");
        assert_eq!(until("").new_account("backup").expect("has no end").expires, None);
        for wrong in ["tomorrow", "1970-02-30", "1970-01"] {
            assert_eq!(until(wrong).new_account("backup"), Err(InvalidDate), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_stays_as_it_is() {
        let noon = account(Some(43_200));
        assert_eq!(until("1970-01-01").changes(&noon).expect("is a day").expires, None, "in the middle of the day");
        assert_eq!(until("1970-01-03").changes(&noon).expect("is a day").expires, Some(259_200));
        assert_eq!(until("").changes(&noon).expect("has no end").expires, Some(0));
        assert_eq!(until("").changes(&account(None)).expect("has no end").disabled, None);
        let disabled = AccountFields { is_disabled: true, ..AccountFields::default() };
        assert_eq!(disabled.changes(&account(None)).expect("has no end").disabled, Some(true));
    }
}
