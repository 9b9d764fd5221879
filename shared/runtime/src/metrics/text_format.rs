//! The text format of Prometheus 0.0.4, for programs that do not read `OpenMetrics`.

/// An exposition in `OpenMetrics` as one in the text format: there the name of a counter ends in `_total` in its description too, and
/// nothing marks the end.
pub(super) fn of_open_metrics(exposition: &str) -> String {
    let mut text = String::with_capacity(exposition.len());
    let mut help = None;
    for line in exposition.lines() {
        match line.split_once(' ').and_then(|(mark, rest)| (mark == "#").then_some(rest)) {
            // it is written when the type is known
            Some(comment) if comment.starts_with("HELP ") => help = comment.strip_prefix("HELP "),
            Some(comment) => {
                if let Some((name, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
                    describe(&mut text, help.take(), name, kind);
                }
            }
            None => add(&mut text, &[line]),
        }
    }
    text
}

fn describe(text: &mut String, help: Option<&str>, name: &str, kind: &str) {
    let end = if kind == "counter" { "_total" } else { "" };
    if let Some(meaning) = help.and_then(|help| help.strip_prefix(name)) {
        add(text, &["# HELP ", name, end, meaning]);
    }
    let kind = if kind == "unknown" { "untyped" } else { kind };
    add(text, &["# TYPE ", name, end, " ", kind]);
}

fn add(text: &mut String, line: &[&str]) {
    for part in line {
        text.push_str(part);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_the_name_of_their_samples() {
        let exposition = "# HELP logins All logins.\n# TYPE logins counter\nlogins_total{a=\"# b\"} 1\n\
                          # HELP size_bytes Size.\n# TYPE size_bytes gauge\n# UNIT size_bytes bytes\nsize_bytes 2\n# EOF\n";
        let expected = "# HELP logins_total All logins.\n# TYPE logins_total counter\nlogins_total{a=\"# b\"} 1\n\
                        # HELP size_bytes Size.\n# TYPE size_bytes gauge\nsize_bytes 2\n";
        assert_eq!(of_open_metrics(exposition), expected);
    }
}
