//! The metrics that a source registers: calls with the name and the meaning as literals.

/// The calls that register a metric, and its type.
const CALLS: [(&str, &str); 5] = [
    ("counter", "counter"),
    ("counter_of", "counter"),
    ("gauge", "gauge"),
    ("gauge_of", "gauge"),
    ("histogram", "histogram"),
];

/// A metric as a source registers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// As Prometheus has it: a counter's ends in `_total`.
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) help: String,
}

/// The metrics that a source registers, its tests left out.
pub(super) fn registrations(text: &str) -> Vec<Registration> {
    let code = code(text);
    CALLS.iter().flat_map(|(call, kind)| calls(&code, call, kind)).collect()
}

/// A source without its comments and tests.
pub(super) fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn calls(code: &str, call: &str, kind: &'static str) -> Vec<Registration> {
    let begin = format!("{call}(");
    let found = code.match_indices(&begin).filter(|(place, _)| {
        let before = code[..*place].chars().next_back();
        !before.is_some_and(|before| before.is_ascii_alphanumeric() || before == '_')
    });
    found.filter_map(|(place, _)| registration(&code[place + begin.len()..], kind)).collect()
}

fn registration(arguments: &str, kind: &'static str) -> Option<Registration> {
    let (name, rest) = literal(arguments)?;
    let (help, _) = literal(rest.trim_start().strip_prefix(',')?)?;
    let name = if kind == "counter" { format!("{name}_total") } else { name };
    Some(Registration { name, kind, help })
}

/// The literal at the beginning of a text, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                // goes on with the next word
                '\n' => {
                    let rest = characters.as_str();
                    let blanks = rest.len() - rest.trim_start().len();
                    for _ in 0..rest[..blanks].chars().count() {
                        characters.next();
                    }
                }
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_with_literals_register_metrics() {
        let text = r#"
            let one = metrics.counter("logins", "Logins, by \"kind\"", Family::default());
            metrics.gauge_of(
                "queue_seconds",
                "How long \
                 it takes",
                Vec::new(),
                || None,
            );
            // metrics.gauge("commented", "Out", gauge);
            self.gauge(name, help, gauge);
            my_gauge("other", "Name", gauge);
        "#;
        let registration = |name: &str, kind, help: &str| Registration { name: name.into(), kind, help: help.into() };
        let expected = [
            registration("logins_total", "counter", "Logins, by \"kind\""),
            registration("queue_seconds", "gauge", "How long it takes"),
        ];
        assert_eq!(registrations(text), expected);
        let tests = format!("{}\n#[cfg(test)]\nmod tests {{ metrics.gauge(\"a\", \"b\", c) }}", "fn main() {}");
        assert!(registrations(&tests).is_empty());
    }
}
