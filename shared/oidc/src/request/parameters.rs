use super::refusal::Defect;

/// The most parameters of a request, those that are ignored included.
pub const MAX_PARAMETERS: usize = 64;

/// The parameters of a request.
pub(super) struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    /// # Errors
    /// If there are more than [`MAX_PARAMETERS`].
    pub(super) fn of(pairs: &'a [(String, String)]) -> Result<Self, Defect> {
        if pairs.len() > MAX_PARAMETERS {
            return Err(Defect::invalid("there are too many parameters").never_redirected());
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that may come once, without control characters and with at most `max` bytes; `None` if
    /// it is left out or empty (RFC 6749 3.1).
    pub(super) fn one(&self, name: &str, max: usize) -> Result<Option<&'a str>, Defect> {
        let value = self.json(name, max)?;
        if value.is_some_and(|value| value.contains(char::is_control)) {
            return Err(Defect::invalid(format!("{name} has a control character")));
        }
        Ok(value)
    }

    /// The same for a value that may have line breaks, as JSON does.
    pub(super) fn json(&self, name: &str, max: usize) -> Result<Option<&'a str>, Defect> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Defect::invalid(format!("{name} is given more than once")));
        }
        match first {
            Some(value) if value.len() > max => Err(Defect::invalid(format!("{name} is longer than {max} bytes"))),
            value => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The value of a parameter that comes once, whatever it is, also if it is empty.
    pub(super) fn sole(&self, name: &str) -> Option<&'a str> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_none() { first } else { None }
    }

    pub(super) fn text(&self, name: &str, max: usize) -> Result<Option<String>, Defect> {
        Ok(self.one(name, max)?.map(str::to_owned))
    }

    /// Whether a parameter is there, however often.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, value)| given == name && !value.is_empty())
    }
}
