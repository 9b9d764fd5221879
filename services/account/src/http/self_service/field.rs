//! A field of the form with the profile.

use super::super::shown_value::hidden_name;

/// A field, as `profile_field.html` shows it.
pub(in super::super) struct Field {
    pub(in super::super) name: &'static str,
    pub(in super::super) label: &'static str,
    pub(in super::super) value: String,
    pub(in super::super) input_type: &'static str,
    pub(in super::super) is_multiline: bool,
    pub(in super::super) is_required: bool,
    pub(in super::super) autocomplete: &'static str,
    pub(in super::super) hint: Option<&'static str>,
    pub(in super::super) error: Option<String>,
    /// What is stored, as the form shows it.
    pub(in super::super) shown: String,
}

impl Field {
    /// The name of the hidden field with what is stored.
    pub(in super::super) fn hidden_name(&self) -> String {
        hidden_name(self.name)
    }

    /// The identifiers of what explains the field.
    pub(in super::super) fn described_by(&self) -> String {
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let hint = self.hint.map(|_| format!("{}-hint", self.name));
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }
}
