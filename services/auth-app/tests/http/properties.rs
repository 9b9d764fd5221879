//! Property tests of the query.

use auth_app::Tokens;
use auth_app::policy::duration;
use axum::extract::Query;
use axum::http::Uri;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::support::{Service, Settings, TOKENS};

const PEOPLE: [&str; 3] = ["admin", "einstein", "marie"];

const NAMES: &[&str] = &[
    "expiry",
    "window",
    "max_lifetime",
    "label",
    "scope",
    "userID",
    "userName",
    "reason",
    "limit",
    "after",
    "token",
    "Expiry",
    "userId",
    "x",
    "",
];
const VALUES: &[&str] = &[
    "72h",
    "1h",
    "7d",
    "1m",
    "59s",
    "31d",
    "9999h",
    "-1h",
    "0s",
    "72",
    "1e9h",
    "99999999999999999999h",
    "never",
    "",
    "user",
    "tokens:read",
    "node:*:rw",
    "profile",
    "0",
    "1",
    "100",
    "einstein",
    "id-of-einstein",
    "marie",
    "unknown",
    "%00",
    "%FF",
    "%0A",
    "%",
    "a+b",
    "%E2%82%AC",
    "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60",
];

/// Names and values that mean something, or nearly.
fn pairs() -> impl Strategy<Value = String> {
    let value = prop_oneof![4 => prop::sample::select(VALUES).prop_map(str::to_owned), 1 => "[a-z%+-]{0,12}"];
    let pair = (prop::sample::select(NAMES), value).prop_map(|(name, value)| format!("{name}={value}"));
    // most good ones say how long, or hardly any would be
    let life = prop::sample::select(vec!["expiry=1h", "window=1h", "expiry=x", "x=1"]).prop_map(str::to_owned);
    (prop::option::of(life), prop::collection::vec(pair, 0..4))
        .prop_map(|(life, pairs)| life.into_iter().chain(pairs).collect::<Vec<_>>().join("&"))
}

fn query() -> impl Strategy<Value = String> {
    // all characters that may stand in a query
    prop_oneof![3 => pairs(), 1 => "[!$-;=?-~]{0,60}"]
}

/// Whether a query says how long a token shall live, in a way that can be read.
fn says_how_long(query: &str) -> bool {
    let uri: Uri = format!("/?{query}").parse().expect("a target");
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).expect("a query");
    pairs.iter().any(|(name, value)| matches!(name.as_str(), "expiry" | "window") && duration(value).is_ok())
}

async fn count(service: &Service) -> usize {
    let mut sum = 0;
    for name in PEOPLE {
        sum += service.by(name).listed().await.len();
    }
    sum
}

/// Ends all tokens, so that no limit is reached.
async fn clear(service: &Service) {
    for name in PEOPLE {
        let session = service.by(name);
        for id in session.listed().await {
            session.delete(&format!("/{id}")).await.is(204);
        }
    }
}

#[test]
fn query_without_lifetime_creates_no_token() {
    let runtime = Runtime::new().expect("a runtime");
    let service = runtime.block_on(Service::impersonating());
    let made = std::cell::Cell::new(0);
    let outcome = TestRunner::default().run(&query(), |query| {
        prop_assume!(format!("{TOKENS}?{query}").parse::<Uri>().is_ok());
        runtime.block_on(async {
            let answer = service.by("admin").post(&format!("?{query}")).await;
            prop_assert!(!answer.status.is_server_error(), "{}", answer.text);
            let is_made = answer.status == 200;
            prop_assert_eq!(count(&service).await, usize::from(is_made));
            prop_assert!(!is_made || says_how_long(&query));
            if is_made {
                made.set(made.get() + 1);
                clear(&service).await;
            }
            Ok(())
        })
    });
    outcome.expect("holds");
    assert!(made.get() > 0, "none of them was good, so that nothing was tried");
}

#[test]
fn no_query_breaks_the_other_calls() {
    let runtime = Runtime::new().expect("a runtime");
    let tokens = Tokens { allow_never: true, ..Tokens::default() };
    let service =
        runtime.block_on(Service::with(Settings { tokens, allow_impersonation: true, ..Settings::default() }));
    let (id, secret) = runtime.block_on(async { service.by("einstein").made().await });
    let methods =
        prop::sample::select(vec![("GET", ""), ("DELETE", ""), ("GET", "/ID"), ("PATCH", "/ID"), ("DELETE", "/ID")]);
    let outcome = TestRunner::default().run(&(methods, query()), |((method, rest), query)| {
        prop_assume!(format!("{TOKENS}?{query}").parse::<Uri>().is_ok());
        runtime.block_on(async {
            // marie cannot reach einstein's token, whatever she says
            let rest = rest.replace("ID", &id);
            let answer = service.by("marie").call(method, &format!("{rest}?{query}")).await;
            prop_assert!(!answer.status.is_server_error(), "{}", answer.text);
            prop_assert!(service.accepts("einstein", &secret).await);
            Ok(())
        })
    });
    outcome.expect("holds");
}
