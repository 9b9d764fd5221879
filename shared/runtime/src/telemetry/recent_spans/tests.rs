use std::time::UNIX_EPOCH;

use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::Clock;

fn recorded(work: impl FnOnce()) -> RecentSpans {
    let spans = RecentSpans::default();
    let layer = RecentSpansLayer::new(spans.clone(), Clock::manual(UNIX_EPOCH + Duration::from_secs(7)));
    tracing::subscriber::with_default(Registry::default().with(layer), work);
    spans
}

#[test]
fn span_has_its_last_name_its_request_and_its_outcome() {
    let spans = recorded(|| {
        let request = tracing::info_span!(
            "request",
            otel.name = "GET",
            otel.status_code = tracing::field::Empty,
            service = "echo",
            request_id = "id-1"
        );
        let _inside = request.enter();
        request.record("otel.name", "GET /tokens/{id}");
        tracing::info_span!("statement", otel.name = "SELECT tokens", rows = 3_u64, long = "x".repeat(1000))
            .in_scope(|| ());
        request.record("otel.status_code", "error");
    });
    let all = spans.all();
    let names: Vec<_> = all.iter().map(|spans| (&*spans.name, spans.count, spans.failures)).collect();
    assert_eq!(names, [("GET /tokens/{id}", 1, 1), ("SELECT tokens", 1, 0)]);
    let request = spans.of("GET /tokens/{id}").expect("is kept");
    assert_eq!(request.failed, request.recent);
    assert_eq!(request.recent[0].started, UNIX_EPOCH + Duration::from_secs(7));
    assert_eq!(request.recent[0].fields, [("service", "echo".to_owned())]);
    let statement = &all[1].recent[0];
    assert_eq!(statement.parent.as_deref(), Some("GET /tokens/{id}"));
    assert_eq!(statement.request_id.as_deref(), Some("id-1"));
    assert_eq!(statement.fields, [("rows", "3".to_owned()), ("long", "x".repeat(96))]);
}

fn span(name: &str, milliseconds: u64, has_failed: bool) -> EndedSpan {
    let (started, took) = (UNIX_EPOCH, Duration::from_millis(milliseconds));
    EndedSpan { name: name.into(), started, took, has_failed, parent: None, request_id: None, fields: Vec::new() }
}

#[test]
fn latest_slowest_and_failed_spans_are_kept() {
    let spans = RecentSpans::default();
    for number in 0..100_u64 {
        spans.add(span("a", (number * 37) % 100, number % 10 == 0));
    }
    let kept = spans.of("a").expect("is kept");
    let took = |spans: &[Arc<EndedSpan>]| spans.iter().map(|span| span.took.as_millis()).collect::<Vec<_>>();
    assert_eq!((kept.count, kept.failures), (100, 10));
    assert_eq!(took(&kept.slow), [99, 98, 97, 96, 95, 94, 93, 92]);
    assert_eq!(took(&kept.recent)[..2], [63, 26]);
    assert_eq!(took(&kept.failed)[..2], [30, 60]);
    assert_eq!([kept.recent.len(), kept.failed.len()], [MAX_SPANS; 2]);
}

#[test]
fn name_that_did_not_occur_for_the_longest_time_makes_room() {
    let spans = RecentSpans::default();
    for number in 0..MAX_NAMES {
        spans.add(span(&format!("made up {number}"), 1, false));
    }
    spans.add(span("made up 0", 1, false));
    spans.add(span("another one", 1, false));
    assert_eq!(spans.all().len(), MAX_NAMES);
    assert!(spans.of("made up 1").is_none() && spans.of("made up 0").is_some() && spans.of("another one").is_some());
}
