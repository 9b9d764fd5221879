use super::*;
use crate::testing::Bench;

const TEN: NonZeroU32 = NonZeroU32::new(10).expect("is not zero");

fn source(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn wait(outcome: Result<(), LimitError>) -> Option<u64> {
    match outcome {
        Ok(()) => None,
        Err(LimitError::TooOften(seconds)) => Some(seconds),
        Err(LimitError::Store(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn ten_a_minute_are_let_through_for_each_source() {
    let bench = Bench::new().await;
    let limiter = Limiter::per_minute(&bench.provider, Limited::Registrations, TEN);
    let take = async |text: &str| wait(limiter.take(source(text)).await);
    for _ in 0..10 {
        assert_eq!(take("2001:db8::1").await, None);
    }
    assert_eq!(take("2001:db8::2").await, Some(6), "is the same network");
    assert_eq!(take("2001:db8:0:1::1").await, None, "is another network");
    assert_eq!(take("192.0.2.1").await, None, "is another source");
    let other = Limiter::per_minute(&bench.provider, Limited::MailLinks, TEN);
    assert_eq!(wait(other.take(source("2001:db8::1")).await), None, "is something else");
    bench.advance(Duration::from_secs(6));
    assert_eq!(take("2001:db8::1").await, None, "has waited");
    assert_eq!(take("2001:db8::1").await, Some(6), "has not waited again");
    let refused = ErrorResponse::from(LimitError::TooOften(6));
    assert_eq!((refused.status, refused.retry_after), (Some(StatusCode::TOO_MANY_REQUESTS), Some(6)));
}

#[tokio::test]
async fn more_sources_than_are_counted_are_refused() {
    let bench = Bench::new().await;
    let mut limiter = Limiter::per_minute(&bench.provider, Limited::Registrations, TEN);
    limiter.rate.most_keys = 3;
    let take = async |number: u32| wait(limiter.take(Some(IpAddr::from(number.to_be_bytes()))).await);
    for number in 0..4 {
        assert_eq!(take(number).await, None);
    }
    assert_eq!(take(4).await, Some(60), "there is no room to count it");
    assert_eq!(take(3).await, None, "is counted");
    bench.advance(Duration::from_mins(1));
    assert_eq!(take(4).await, None, "the others have been silent");
}
