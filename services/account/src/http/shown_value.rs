//! Values of forms that someone else may change while a form is open. Each has a hidden field with what the form showed, so that only
//! what was really changed is written, and nothing that someone else has written in the meantime is lost.

use web::form::Parameters;

/// What a form does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// It leaves the value as it was shown, or as it is stored.
    Unchanged,
    /// It changes the value that is stored.
    Changed,
    /// It changes the value, and someone else has changed it since it was shown.
    Conflict,
}

/// The name of the hidden field with what was shown in the field with this name.
pub(super) fn hidden_name(name: &str) -> String {
    format!("shown_{name}")
}

impl Difference {
    /// Compares what was entered with what the form showed and with what is stored, in the form that `normalize` gives them. A form
    /// without the hidden field, as scripts send it, showed what is stored.
    pub(super) fn of(
        form: &Parameters,
        name: &str,
        (entered, stored): (&str, &str),
        normalize: impl Fn(&str) -> String,
    ) -> Self {
        let (entered, stored) = (normalize(entered), normalize(stored));
        let shown = form.first(&hidden_name(name)).map_or_else(|| stored.clone(), &normalize);
        if entered == shown || entered == stored {
            Self::Unchanged
        } else if shown == stored {
            Self::Changed
        } else {
            Self::Conflict
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_changed_in_the_form_is_written() {
        let of = |form: &str, entered: &str, stored: &str| {
            let form = Parameters::of_query(Some(form)).expect("parameters");
            Difference::of(&form, "name", (entered, stored), |text| text.trim().to_owned())
        };
        for (form, entered, stored, expected) in [
            ("shown_name=a", "a", "a", Difference::Unchanged),
            ("shown_name=a", "b", "a", Difference::Changed),
            ("shown_name=a", "a", "c", Difference::Unchanged),
            ("shown_name=a", "b", "c", Difference::Conflict),
            ("shown_name=a", "c", "c", Difference::Unchanged),
            ("shown_name=", "b", "", Difference::Changed),
            ("shown_name=", "b", "c", Difference::Conflict),
            ("shown_name=a", "b", " a ", Difference::Changed),
            ("", "b", "a", Difference::Changed),
        ] {
            assert_eq!(of(form, entered, stored), expected, "{form} {entered} {stored}");
        }
    }
}
