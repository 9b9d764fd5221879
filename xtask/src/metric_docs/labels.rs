//! The labels of metrics in the sources, and whether the page describes them.

use std::collections::{BTreeMap, BTreeSet};

use super::source;

/// Labels, each with the values that the sources name.
pub(super) type Labels = BTreeMap<String, BTreeSet<String>>;

/// Where the table of labels begins on the page.
const HEADING: &str = "\n## Labels\n";
/// Where sources name values: the label, what stands before them in a statement, and what else such a source has.
const VALUES: [(&str, &str, &str); 11] = [
    ("cache", "metrics.cache(", ""),
    ("channel", "const CHANNEL: &str = ", "ReplicaSync::"),
    ("destination", "Losses::of(", ""),
    ("destination", "Queue::to(", ""),
    ("operation", "const OPERATIONS: ", ""),
    ("outcome", "const OUTCOMES: ", "EncodeLabelSet"),
    ("outcome", "let outcome = if ", "EncodeLabelSet"),
    ("outcome", "for (outcome, count) in ", "counter_of("),
    ("outcome", "let outcomes: ", "counter_of("),
    ("state", "for state in ", "gauge_of("),
    ("status", "const CLASSES: ", "EncodeLabelSet"),
];

/// Adds the labels that a source has.
pub(super) fn add(labels: &mut Labels, text: &str) {
    let code = source::code(text);
    for name in fields(&code).chain(pairs(&code)) {
        labels.entry(name).or_default();
    }
    for (label, begin, needed) in VALUES {
        let values: Vec<_> = code.split(begin).skip(1).flat_map(literals).collect();
        if !values.is_empty() && code.contains(needed) {
            labels.entry(label.to_owned()).or_default().extend(values);
        }
    }
}

/// The fields of structs from which labels are made.
fn fields(code: &str) -> impl Iterator<Item = String> {
    let structs = code
        .split("#[derive(")
        .skip(1)
        .filter(|rest| rest.split_once(")]").is_some_and(|(derived, _)| derived.contains("EncodeLabelSet")));
    let bodies = structs.filter_map(|rest| Some(rest.split_once('{')?.1.split_once('}')?.0));
    let names = bodies.flat_map(|body| body.split(',')).filter_map(|field| Some(field.split_once(':')?.0.trim()));
    names.map(|name| name.rsplit([' ', '#']).next().unwrap_or(name).to_owned())
}

/// The names in lists of labels for a metric that is read at each scrape.
fn pairs(code: &str) -> impl Iterator<Item = String> {
    let has_readings = ["gauge_of(", "counter_of("].iter().any(|call| code.contains(call));
    let lists = code.split("vec![(\"").skip(1).filter(move |_| has_readings).filter_map(|rest| rest.split(']').next());
    let is_text = |list: &&str| [".to_owned()", ".to_string()"].iter().any(|made| list.contains(made));
    lists.filter(is_text).flat_map(|list| {
        let names = list.split(", (\"").filter_map(|pair| pair.split_once("\", "));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    })
}

/// The literals of the statement that this is the rest of.
fn literals(rest: &str) -> Vec<String> {
    let ends = [";\n", " {\n"].iter().filter_map(|end| rest.find(end));
    let statement = &rest[..ends.min().unwrap_or(rest.len())];
    statement.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// What the page does not say of these labels, and which labels of the page no source has.
pub(super) fn omissions(page: &str, labels: &Labels) -> Vec<String> {
    let rows = page.split_once(HEADING).map_or("", |(_, rest)| rest);
    let mut described = BTreeMap::new();
    for (names, text) in rows.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | ")) {
        described.extend(names.split('`').filter(|name| !["", ", "].contains(name)).map(|name| (name, text)));
    }
    let mut found = Vec::new();
    for (label, values) in labels {
        let Some(text) = described.get(label.as_str()) else {
            found.push(format!("the label {label} is not described"));
            continue;
        };
        let missing = values.iter().filter(|value| !text.contains(&format!("`{value}`")));
        found.extend(missing.map(|value| format!("the value {value} of the label {label} is not listed")));
    }
    let stale = described.keys().filter(|name| !labels.contains_key(**name));
    found.extend(stale.map(|name| format!("no metric has the label {name}")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
        /// The `a-comment: b` counts for nothing.
        #[derive(Clone, EncodeLabelSet, Debug)]
        struct Labels {
            pub(crate) route: String,
            r#type: &'static str,
        }
        const CLASSES: [&str; 2] = [
            "1xx",
            "2xx",
        ];
        fn measure(metrics: &Metrics) {
            let pools = vec![("read", &self.reader), ("write", &self.writer)];
            for state in ["used", "idle"] {
                metrics.gauge_of("a", "b", vec![("pool", pool.to_owned()), ("state", state.to_string())], move || None);
            }
            metrics.cache("users", cache.lookups());
            let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        }
    "#;

    fn labels() -> Labels {
        let mut labels = Labels::new();
        add(&mut labels, SOURCE);
        labels
    }

    #[test]
    fn labels_and_values_are_read_off_the_source() {
        let all: Vec<_> = labels().into_iter().map(|(label, values)| (label, Vec::from_iter(values))).collect();
        let expected: [(&str, &[&str]); 7] = [
            ("cache", &["users"]),
            ("pool", &[]),
            ("route", &[]),
            ("state", &["idle", "used"]),
            ("status", &["1xx", "2xx"]),
            ("type", &[]),
            ("version", &[]),
        ];
        let expected = expected.map(|(label, values)| {
            (label.to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(all, expected);
    }

    #[test]
    fn page_that_leaves_out_a_label_or_a_value_is_found() {
        let page = "| `metric` | gauge |\n\n## Labels\n\n| label | what |\n|---|---|\n| `cache` | `users` |\n\
                    | `pool`, `state` | `used` |\n| `route`, `status`, `type` | `1xx`, `2xx` |\n| `gone` | nothing |\n";
        let expected = [
            "the value idle of the label state is not listed",
            "the label version is not described",
            "no metric has the label gone",
        ];
        assert_eq!(omissions(page, &labels()), expected);
    }
}
