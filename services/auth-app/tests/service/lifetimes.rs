//! When tokens end: the rows A5 to A8 of the security requirements.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::support::{Fixture, HOUR, KEY, SECOND, YEAR, claims, text, token_request};
use auth_app::Tokens;
use auth_app::applications::ApplicationsError;
use auth_app::model::Life;
use auth_app::policy::{LifetimeRequest, PolicyError};
use authn::{Caller, Permission, Reason};

/// Row A5.
#[tokio::test]
async fn token_has_an_end_within_the_limit() {
    let fixture = Fixture::new().await;
    let (session, caller) = (claims("einstein", &["pwd"]), Caller::default());
    let acting = fixture.applications.own(&session, &caller, Permission::Write).expect("may manage");
    let now = fixture.clock.now();
    let (token, _) =
        fixture.applications.create(&acting, token_request(LifetimeRequest::Usual)).await.expect("is made");
    assert_eq!(token.end(), Some(now + 72 * HOUR), "nothing said is 72 hours");
    let (token, _) =
        fixture.applications.create(&acting, token_request(LifetimeRequest::Longest)).await.expect("is made");
    assert_eq!(token.end(), Some(now + YEAR), "as long as possible is a year, never for ever");
    let ends =
        [(now - HOUR, PolicyError::Past), (now, PolicyError::Past), (now + YEAR + SECOND, PolicyError::TooLong(YEAR))];
    for (end, expected) in ends {
        let refused = fixture.applications.create(&acting, token_request(LifetimeRequest::Until(end))).await;
        assert!(matches!(refused, Err(ApplicationsError::Policy(problem)) if problem == expected));
    }
}

/// Row A6.
#[tokio::test]
async fn sliding_token_expires_at_its_absolute_end() {
    let fixture = Fixture::new().await;
    let window = 600 * SECOND;
    let sliding = LifetimeRequest::Sliding { window, max_lifetime: Some(HOUR) };
    let (token, secret) = fixture.made("einstein", token_request(sliding)).await;
    assert_eq!(token.end(), Some(token.created + window));
    for _ in 0..11 {
        fixture.clock.advance(300 * SECOND);
        let good = fixture.authenticate("einstein", text(&secret)).await.expect("is good");
        let end = (fixture.clock.now() + window).min(token.created + HOUR);
        assert_eq!(good.not_after, Some(end), "the internal token ends with it");
        fixture.tokens.write_uses(fixture.clock.now(), false).await.expect("writes");
    }
    fixture.clock.advance(299 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "a second before the end");
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.clock.now(), token.created + HOUR);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired, "at the end");
    assert_eq!(fixture.restarted(KEY, "").await.refusal("einstein", &secret).await, Reason::Expired);
}

/// Row A6.
#[tokio::test]
async fn sliding_token_that_is_not_used_ends_with_its_window() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture
        .made("einstein", token_request(LifetimeRequest::Sliding { window: 600 * SECOND, max_lifetime: None }))
        .await;
    fixture.clock.advance(599 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
    fixture.clock.advance(599 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "each use begins the window anew");
    fixture.clock.advance(600 * SECOND);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired);
    assert!(fixture.list("einstein").await.is_empty(), "what is over is not listed");
    assert_eq!(fixture.list("marie").await.len(), 0);
}

/// Row A7.
#[tokio::test]
async fn hundred_uses_at_once_write_one_row_once() {
    let fixture = Arc::new(Fixture::new().await);
    let sliding = LifetimeRequest::Sliding { window: 600 * SECOND, max_lifetime: None };
    let (token, secret) = fixture.made("einstein", token_request(sliding)).await;
    fixture.clock.advance(60 * SECOND);
    let used = fixture.clock.now();
    let callers = (0..100).map(|_| {
        let (fixture, secret) = (Arc::clone(&fixture), secret.clone());
        tokio::spawn(async move { fixture.authenticate("einstein", text(&secret)).await.is_ok() })
    });
    for one in callers.collect::<Vec<_>>() {
        assert!(one.await.expect("no panic"));
    }
    for _ in 0..10 {
        fixture.tokens.write_uses(fixture.clock.now(), false).await.expect("writes");
        fixture.clock.advance(SECOND);
        assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
    }
    let (statements, written) =
        (fixture.statements.writes.load(Ordering::Relaxed), fixture.statements.written.load(Ordering::Relaxed));
    assert_eq!((statements, written), (1, 1), "and those of the seconds after wait for their minute");
    let listed = fixture.list("einstein").await;
    assert_eq!(listed[0].last_use.as_ref().map(|last| last.at), Some(used));
    assert_eq!(listed[0].end(), Some(used + 600 * SECOND));
    assert_eq!(listed[0].id, token.id);
}

/// Row A7.
#[tokio::test]
async fn crash_loses_window_extensions_and_adds_none() {
    let fixture = Fixture::new().await;
    let window = 600 * SECOND;
    let (_, secret) =
        fixture.made("einstein", token_request(LifetimeRequest::Sliding { window, max_lifetime: None })).await;
    fixture.clock.advance(100 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok());
    fixture.tokens.write_uses(fixture.clock.now(), false).await.expect("writes");
    fixture.clock.advance(50 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "this use is not written down");
    let after_crash = fixture.restarted(KEY, "").await;
    let listed = after_crash.list("einstein").await;
    assert_eq!(listed[0].end(), Some(fixture.clock.now() - 50 * SECOND + window), "50 seconds are lost");
    fixture.clock.advance(550 * SECOND);
    assert_eq!(after_crash.refusal("einstein", &secret).await, Reason::Expired);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "who did not crash knows better");
}

/// Row A8.
#[tokio::test]
async fn expired_token_is_refused_even_if_it_is_cached() {
    let fixture = Fixture::new().await;
    let (_, secret) = fixture.token("einstein", HOUR).await;
    let good = fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    assert_eq!(good.not_after, Some(fixture.clock.now() + HOUR));
    assert_eq!(good.amr, "app");
    fixture.clock.advance(3599 * SECOND);
    assert!(fixture.authenticate("einstein", text(&secret)).await.is_ok(), "a second before the end");
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired, "at the end");
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.refusal("einstein", &secret).await, Reason::Expired, "a second after the end");
    assert_eq!(fixture.reads(), 1, "the cache answered, and did not outlive the end");
}

#[tokio::test]
async fn a_token_may_live_for_ever_where_that_is_allowed() {
    let fixture = Fixture::with(Tokens { allow_never: true, ..Tokens::default() }, false).await;
    let (token, secret) = fixture.made("einstein", token_request(LifetimeRequest::Never)).await;
    assert_eq!(token.life, Life::Fixed(None));
    fixture.clock.advance(200 * YEAR);
    let good = fixture.authenticate("einstein", text(&secret)).await.expect("is good");
    assert_eq!(good.not_after, None);
    assert_eq!(fixture.list("einstein").await[0].end(), None);
}
