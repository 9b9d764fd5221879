//! Times as users read them. The time zone of a browser is unknown without a script, so the hour is that of UTC, and says so.

use std::time::SystemTime;

use askama::Template;
use askama::filters::HtmlSafe;
use time::OffsetDateTime;

use crate::i18n::{Language, Phrase};

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const FRENCH: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// A time in one language, as the element `time`, which says it to programs too.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(ext = "html", source = "<time datetime=\"{{ machine }}\">{{ text }}</time>")]
pub struct LocalizedTime {
    machine: String,
    text: String,
}

impl HtmlSafe for LocalizedTime {}

impl LocalizedTime {
    /// The day of a time.
    pub fn day(time: SystemTime, language: Language) -> Self {
        let time = OffsetDateTime::from(time);
        Self { machine: time.date().to_string(), text: day(time, language) }
    }

    /// A time to the minute.
    pub fn minute(time: SystemTime, language: Language) -> Self {
        let time = OffsetDateTime::from(time);
        let (day, hour, minute) = (day(time, language), time.hour(), time.minute());
        let text = match language {
            Language::English => format!("{day}, {hour:02}:{minute:02} UTC"),
            Language::German => format!("{day}, {hour:02}:{minute:02} Uhr UTC"),
            Language::French => format!("{day} à {hour:02}\u{a0}h\u{a0}{minute:02} UTC"),
        };
        Self { machine: format!("{}T{hour:02}:{minute:02}Z", time.date()), text }
    }

    /// The time as text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn day(time: OffsetDateTime, language: Language) -> String {
    let (day, month, year) = (time.day(), usize::from(u8::from(time.month())) - 1, time.year());
    match language {
        Language::English => format!("{day} {} {year}", ENGLISH[month]),
        Language::German => format!("{day}. {} {year}", GERMAN[month]),
        Language::French if day == 1 => format!("1er {} {year}", FRENCH[month]),
        Language::French => format!("{day} {} {year}", FRENCH[month]),
    }
}

impl Phrase {
    /// The sentence as HTML, with a time in the gap.
    pub fn at(self, time: &LocalizedTime) -> impl Template + HtmlSafe {
        AtTime { before: self.before(), time, after: self.after() }
    }
}

#[derive(Template)]
#[template(ext = "html", source = "{{ before }}{{ time }}{{ after }}")]
struct AtTime<'a> {
    before: &'static str,
    time: &'a LocalizedTime,
    after: &'static str,
}

impl HtmlSafe for AtTime<'_> {}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_are_written_as_in_the_language() {
        // 1 March 2026, 09:05:59
        let time = UNIX_EPOCH + Duration::from_secs(1_772_355_959);
        let texts =
            |of: fn(SystemTime, Language) -> LocalizedTime| Language::ALL.map(|language| of(time, language).text);
        assert_eq!(texts(LocalizedTime::day), ["1 March 2026", "1. März 2026", "1er mars 2026"]);
        let minutes =
            ["1 March 2026, 09:05 UTC", "1. März 2026, 09:05 Uhr UTC", "1er mars 2026 à 09\u{a0}h\u{a0}05 UTC"];
        assert_eq!(texts(LocalizedTime::minute), minutes);
        let html = LocalizedTime::minute(time, Language::English).render().unwrap();
        assert_eq!(html, "<time datetime=\"2026-03-01T09:05Z\">1 March 2026, 09:05 UTC</time>");
        let next = LocalizedTime::day(time + Duration::from_hours(24 * 301), Language::French);
        assert_eq!((next.machine.as_str(), next.text()), ("2026-12-27", "27 décembre 2026"));
    }
}
