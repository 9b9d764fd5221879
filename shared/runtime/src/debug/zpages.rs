//! `/debug/zpages`: the spans that ended lately, as a page without scripts or as JSON.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::Router;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, json};

use super::text;
use crate::telemetry::{EndedSpan, NamedSpans, RecentSpans};

/// The page loads and runs nothing.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Shows these spans; `None` where the process keeps none.
pub(super) fn router<S: Clone + Send + Sync + 'static>(spans: Option<RecentSpans>) -> Router<S> {
    let page = move |query: Query<HashMap<String, String>>, headers: HeaderMap| {
        let answer = answer(spans.as_ref(), query.get("name").map(String::as_str), &headers);
        async move { answer }
    };
    Router::new().route("/debug/zpages", get(page))
}

fn answer(spans: Option<&RecentSpans>, name: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(spans) = spans else {
        return text(StatusCode::NOT_FOUND, "this process keeps no spans");
    };
    let chosen = match name {
        None => spans.all(),
        Some(name) => match spans.of(name) {
            Some(spans) => vec![spans],
            None => return text(StatusCode::NOT_FOUND, "no span of this name has ended lately"),
        },
    };
    if wants_json(headers) {
        return respond("application/json", format!("{:#}\n", json!(chosen.iter().map(to_json).collect::<Vec<_>>())));
    }
    let page = if name.is_some() { detail(&chosen) } else { overview(&chosen) };
    respond("text/html; charset=utf-8", page)
}

/// Browsers accept HTML; everything else gets JSON if it says so.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.contains("application/json") && !accepted.contains("text/html")
}

fn respond(content_type: &'static str, body: String) -> Response {
    let head: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (head, body).into_response()
}

fn to_json(spans: &NamedSpans) -> Value {
    let list = |spans: &[Arc<EndedSpan>]| spans.iter().map(|span| span_json(span)).collect::<Vec<_>>();
    json!({
        "name": &*spans.name,
        "count": spans.count,
        "failures": spans.failures,
        "recent": list(&spans.recent),
        "slow": list(&spans.slow),
        "failed": list(&spans.failed),
    })
}

fn span_json(span: &EndedSpan) -> Value {
    let fields: serde_json::Map<_, _> =
        span.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    json!({
        "started": started(span),
        "seconds": span.took.as_secs_f64(),
        "failed": span.has_failed,
        "parent": span.parent.as_deref(),
        "request_id": span.request_id.as_deref(),
        "fields": fields,
    })
}

/// Seconds since 1970 with milliseconds.
fn started(span: &EndedSpan) -> f64 {
    let since_epoch = span.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_epoch.as_secs_f64() * 1000.0).round() / 1000.0
}

fn overview(all: &[NamedSpans]) -> String {
    let mut rows = String::new();
    for spans in all {
        let (name, slowest) = (escaped(&spans.name), spans.slow.first().map(|span| span.took).unwrap_or_default());
        // writing into a String cannot fail
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"?name={}\">{name}</a></td><td>{}</td><td>{}</td><td>{slowest:.1?}</td></tr>",
            query_value(&spans.name),
            spans.count,
            spans.failures,
        );
    }
    page(&format!(
        "<table>\n<tr><th>Name</th><th>Ended</th><th>Failed</th><th>Slowest</th></tr>\n{rows}</table>\n\
         <p>These are the spans of the whole process. As JSON: <code>Accept: application/json</code></p>\n"
    ))
}

fn detail(chosen: &[NamedSpans]) -> String {
    let mut body = "<p><a href=\"?\">All names</a></p>\n".to_owned();
    for spans in chosen {
        let _ = writeln!(body, "<h2>{}</h2>", escaped(&spans.name));
        for (title, list) in [("Recent", &spans.recent), ("Slow", &spans.slow), ("Failed", &spans.failed)] {
            let rows: String = list.iter().map(|span| row(span)).collect();
            let _ = writeln!(
                body,
                "<h3>{title}</h3>\n<table>\n<tr><th>Started</th><th>Took</th><th>Failed</th><th>Part of</th>\
                 <th>Request</th><th>Fields</th></tr>\n{rows}</table>"
            );
        }
    }
    page(&body)
}

fn row(span: &EndedSpan) -> String {
    let fields: Vec<_> = span.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let failed = if span.has_failed { "yes" } else { "" };
    let optional = |text: &Option<Arc<str>>| escaped(text.as_deref().unwrap_or_default());
    format!(
        "<tr><td>{:.3}</td><td>{:.1?}</td><td>{failed}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        started(span),
        span.took,
        optional(&span.parent),
        optional(&span.request_id),
        escaped(&fields.join(" "))
    )
}

fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Spans</title></head>\n\
         <body>\n<h1>Spans</h1>\n{body}</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A value of a query, percent-encoded; safe in an attribute of HTML too.
fn query_value(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    const ODD: &str = "GET /a/{id}?<script>\"'&";

    fn spans() -> RecentSpans {
        let spans = RecentSpans::default();
        let failed = EndedSpan {
            name: ODD.into(),
            started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            took: Duration::from_millis(12),
            has_failed: true,
            parent: Some("<parent>".into()),
            request_id: Some("id-1".into()),
            fields: vec![("service", "<echo>".to_owned())],
        };
        spans.add(EndedSpan { has_failed: false, took: Duration::from_millis(2), ..failed.clone() });
        spans.add(failed);
        spans
    }

    async fn read(spans: Option<&RecentSpans>, name: Option<&str>, accept: &str) -> (StatusCode, HeaderMap, String) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        let (head, body) = answer(spans, name, &headers).into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (head.status, head.headers, String::from_utf8(body.into()).expect("UTF-8"))
    }

    /// `docs/security-requirements.md#t3`
    #[tokio::test]
    async fn pages_run_nothing_whatever_spans_are_called() {
        let (spans, browser) = (spans(), "text/html,application/json;q=0.9,*/*");
        for name in [None, Some(ODD)] {
            let (status, headers, page) = read(Some(&spans), name, browser).await;
            assert_eq!(status, StatusCode::OK, "{name:?}");
            assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert!(
                headers[header::CONTENT_SECURITY_POLICY]
                    .to_str()
                    .is_ok_and(|policy| policy.starts_with("default-src 'none'"))
            );
            assert!(!page.contains("<script") && !page.contains("<echo>") && !page.contains("<parent>"), "{page}");
            assert!(page.contains("&lt;script&gt;&quot;&#39;&amp;"), "{page}");
        }
        let (_, _, overview) = read(Some(&spans), None, browser).await;
        assert!(overview.contains("?name=GET%20%2Fa%2F%7Bid%7D%3F%3Cscript%3E%22%27%26\""), "{overview}");
    }

    #[tokio::test]
    async fn programs_get_json() {
        let (status, _, body) = read(Some(&spans()), Some(ODD), "application/json").await;
        let found: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &found[0]["count"], &found[0]["failures"]), (StatusCode::OK, &json!(2), &json!(1)));
        let failed = json!([{
            "started": 1_700_000_000.123, "seconds": 0.012, "failed": true, "parent": "<parent>", "request_id": "id-1",
            "fields": { "service": "<echo>" },
        }]);
        assert_eq!(found[0]["failed"], failed);
        assert_eq!(found[0]["slow"][0], failed[0]);
        assert_eq!(read(Some(&spans()), Some("unknown"), "*/*").await.0, StatusCode::NOT_FOUND);
        assert_eq!(read(None, None, "*/*").await.0, StatusCode::NOT_FOUND);
    }
}
