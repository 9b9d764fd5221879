//! Metrics as the debug exporter prints them.

use std::collections::BTreeMap;

use super::PASSED;

/// The services that check the credential of a request.
const CHECKING: [&str; 2] = ["gateway", "auth-app"];

/// Labels that a series has to have.
type Labels = Vec<(&'static str, &'static str)>;

/// A series of a metric.
struct Series<'a> {
    metric: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    /// The value; of a histogram, how many values it has counted.
    count: f64,
}

/// The first series of a used and then refused app token that has not arrived or has counted nothing.
pub(super) fn missing(text: &str) -> Option<String> {
    let found = series(text);
    wanted().into_iter().find_map(|(metric, labels)| {
        let is_counted = found.iter().any(|series| {
            let has_labels = labels.iter().all(|(key, value)| series.labels.get(key) == Some(value));
            series.metric == metric && series.count > 0.0 && has_labels
        });
        (!is_counted).then(|| format!("{metric} {labels:?}"))
    })
}

/// Rate, errors and duration: of the requests by service, and of authentications by service and type of credential.
fn wanted() -> Vec<(&'static str, Labels)> {
    let mut wanted = Vec::new();
    for (service, protocol) in PASSED {
        for metric in ["doorward_requests_total", "doorward_request_duration_seconds"] {
            wanted.push((metric, vec![("service", service), ("protocol", protocol)]));
        }
    }
    for service in CHECKING {
        let of_service = vec![("service", service), ("type", "appauth")];
        for outcome in ["accepted", "refused"] {
            let labels = [of_service.clone(), vec![("outcome", outcome)]].concat();
            wanted.push(("doorward_authentications_total", labels));
        }
        wanted.push(("doorward_authentication_duration_seconds", of_service));
    }
    wanted
}

fn series(text: &str) -> Vec<Series<'_>> {
    let (mut metric, mut found) = ("", Vec::new());
    // of the series whose value comes next
    let mut labels: Option<BTreeMap<&str, &str>> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("-> Name: ") {
            metric = name;
        } else if line.starts_with("NumberDataPoints #") || line.starts_with("HistogramDataPoints #") {
            labels = Some(BTreeMap::new());
        } else if let Some((key, value)) = label(line) {
            if let Some(labels) = &mut labels {
                labels.insert(key, value);
            }
        } else if let Some(count) = count(line)
            && let Some(labels) = labels.take()
        {
            found.push(Series { metric, labels, count });
        }
    }
    found
}

fn label(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("-> ")?.strip_suffix(')')?.split_once(": Str(")
}

fn count(line: &str) -> Option<f64> {
    line.strip_prefix("Value: ").or_else(|| line.strip_prefix("Count: "))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// As the exporter of 0.165.0 prints a counter, and a histogram.
    fn printed(wanted: &[(&str, Labels)]) -> String {
        let mut text = "ResourceMetrics #0\nResource attributes:\n     -> service.name: Str(a)\n".to_owned();
        for (metric, labels) in wanted {
            let (head, value) = if metric.ends_with("_seconds") {
                ("HistogramDataPoints #0", "Count: 3\nSum: 0.5\nExplicitBounds #0: 0.000100\nBuckets #0, Count: 0")
            } else {
                ("NumberDataPoints #0", "Value: 1.000000")
            };
            let _ = writeln!(text, "Metric #0\nDescriptor:\n     -> Name: {metric}\n     -> Unit: s\n{head}");
            let _ = writeln!(text, "Data point attributes:");
            for (key, value) in labels {
                let _ = writeln!(text, "     -> {key}: Str({value})");
            }
            let _ = writeln!(text, "StartTimestamp: 0\n{value}");
        }
        text
    }

    #[test]
    fn series_that_is_absent_or_has_counted_nothing_is_missing() {
        assert_eq!(missing(&printed(&wanted())), None);
        for place in 0..wanted().len() {
            let mut others = wanted();
            let (metric, labels) = others.remove(place);
            let (text, absent) = (printed(&others), Some(format!("{metric} {labels:?}")));
            assert_eq!(missing(&text), absent);
            let nothing = printed(&[(metric, labels)]).replace("Value: 1", "Value: 0").replace("Count: 3", "Count: 0");
            assert_eq!(missing(&format!("{text}{nothing}")), absent);
        }
    }
}
