//! Devices.

use idp::store::{Poll, Store, StoredDevice};

use crate::support::at;

pub(crate) fn device(number: u8, user_code: &str) -> StoredDevice {
    StoredDevice {
        digest: [number; 32],
        user_code: user_code.to_owned(),
        request: r#"{"scope":"openid"}"#.to_owned(),
        client: "tv".to_owned(),
        expires: at(2000),
        interval: 5,
    }
}

pub(crate) async fn suite(store: &Store) {
    requested(store).await;
    decided(store).await;
}

async fn requested(store: &Store) {
    let one = device(1, "BCDF");
    store.add_device(&one).await.expect("adds");
    let error = store.add_device(&device(2, "BCDF")).await.expect_err("the user code is taken");
    assert!(error.is_taken("user_code"), "{error}");
    assert_eq!(store.device("BCDF", at(1999)).await.expect("reads"), Some(one));
    assert_eq!(store.device("BCDF", at(2000)).await.expect("reads"), None, "too late");
    assert_eq!(store.device("ZZZZ", at(1500)).await.expect("reads"), None);

    let poll = async |client, now| store.poll_device([1; 32], client, at(now)).await.expect("answers");
    assert_eq!(store.poll_device([9; 32], "tv", at(1000)).await.expect("answers"), Poll::Unknown);
    assert_eq!(poll("other", 1000).await, Poll::Unknown);
    assert_eq!(poll("tv", 1000).await, Poll::Pending);
    assert_eq!(poll("tv", 1005).await, Poll::Pending);
    assert_eq!(poll("tv", 1009).await, Poll::SlowDown);
    assert_eq!(poll("tv", 1018).await, Poll::SlowDown, "the interval is ten seconds now");
    assert_eq!(poll("tv", 1033).await, Poll::Pending, "and then fifteen");
    assert_eq!(store.device("BCDF", at(1500)).await.expect("reads").map(|device| device.interval), Some(15));
    assert_eq!(poll("tv", 2000).await, Poll::Expired);
}

async fn decided(store: &Store) {
    for (number, code) in [(3, "GHJK"), (4, "LMNP"), (5, "QRST")] {
        store.add_device(&device(number, code)).await.expect("adds");
    }
    let decide = async |code, approval, now| store.decide_device(code, approval, at(now)).await.expect("answers");
    assert!(!decide("ZZZZ", None, 1500).await, "no device waits");
    assert!(decide("GHJK", Some("yes"), 1500).await);
    assert!(!decide("GHJK", None, 1501).await, "once");
    assert!(decide("LMNP", None, 1500).await);
    assert!(!decide("LMNP", Some("yes"), 1501).await, "once");
    assert!(!decide("QRST", Some("yes"), 2000).await, "too late");
    assert_eq!(store.device("GHJK", at(1500)).await.expect("reads"), None, "it waits no more");

    let poll = async |number, client, now| store.poll_device([number; 32], client, at(now)).await.expect("answers");
    assert_eq!(poll(3, "other", 1502).await, Poll::Unknown, "another client's question does not use it up");
    assert_eq!(poll(3, "tv", 2000).await, Poll::Expired, "an approval is not good for ever");
    assert_eq!(poll(3, "tv", 1502).await, Poll::Approved("yes".to_owned()));
    assert_eq!(poll(3, "tv", 1503).await, Poll::Unknown, "approved once");
    assert_eq!(poll(4, "tv", 1502).await, Poll::Denied);
    assert_eq!(poll(4, "tv", 1503).await, Poll::Denied);
}
