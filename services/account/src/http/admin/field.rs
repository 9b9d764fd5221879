//! The text fields of forms.

use super::super::shown_value::hidden_name;

/// A field of a form, as `admin_field.html` shows it.
#[derive(Default)]
pub(super) struct Field {
    /// Its name, which is its identifier on the page too.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// What is entered. A password is never shown again.
    pub(super) value: String,
    /// The type of the input; a text if empty.
    pub(super) input_type: &'static str,
    pub(super) is_required: bool,
    /// What a form that changes a stored value shows of it.
    pub(super) shown: Option<String>,
    pub(super) hint: Option<String>,
    /// What is wrong with what was entered.
    pub(super) errors: Vec<String>,
}

impl Field {
    /// A field for a text.
    pub(super) fn text(name: &'static str, label: &'static str, value: &str) -> Self {
        Self { name, label, value: value.to_owned(), input_type: "text", ..Self::default() }
    }

    /// A field for a new password.
    pub(super) fn password(name: &'static str, label: &'static str, hint: String) -> Self {
        Self { name, label, input_type: "password", hint: Some(hint), ..Self::default() }
    }

    /// The same field, which must not be empty.
    #[must_use]
    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same field of a form that changes this stored value.
    #[must_use]
    pub(super) fn stored(self, value: &str) -> Self {
        Self { shown: Some(value.to_owned()), ..self }
    }

    /// The name of the hidden field with what is shown.
    pub(super) fn hidden_name(&self) -> String {
        hidden_name(self.name)
    }

    /// The same field with what is wrong with it.
    #[must_use]
    pub(super) fn with_errors(self, errors: impl IntoIterator<Item = String>) -> Self {
        Self { errors: errors.into_iter().collect(), ..self }
    }

    /// What browsers fill in: nothing of the administrator's own.
    pub(super) fn autocomplete(&self) -> &'static str {
        if self.input_type == "password" { "new-password" } else { "off" }
    }

    /// The identifiers of what explains the field.
    pub(super) fn described_by(&self) -> String {
        let error = (!self.errors.is_empty()).then(|| format!("{}-error", self.name));
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }
}
