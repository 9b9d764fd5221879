//! Browser sessions.

use std::time::Duration;

use idp::model::Session;
use idp::store::Store;

use crate::support::{at, id};

/// A session that began at 1000, may stay unused for 100 seconds, and ends at 2000 in any case.
pub(crate) fn session(number: u128, person: &str) -> Session {
    Session {
        id: id(number),
        digest: [9; 32],
        person: person.to_owned(),
        signed_in: at(1000),
        amr: "pwd otp".to_owned(),
        seen: at(1000),
        idle: Duration::from_secs(100),
        end: at(2000),
        remembered: true,
    }
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(client, layout)| ((*client).to_owned(), (*layout).to_owned())).collect()
}

async fn live(store: &Store, person: &str, now: u64) -> Vec<u128> {
    let found = store.sessions_of(person, at(now)).await.expect("reads");
    found.iter().map(|session| session.id.as_u128()).collect()
}

pub(crate) async fn suite(store: &Store) {
    used(store).await;
    replaced(store).await;
    ended(store).await;
}

async fn used(store: &Store) {
    let (one, two) = (session(1, "einstein"), session(2, "einstein"));
    store.begin_session(&one).await.expect("begins");
    store.begin_session(&two).await.expect("begins");
    assert!(store.begin_session(&one).await.is_err(), "not twice");
    assert_eq!(store.session(id(1)).await.expect("reads").as_ref(), Some(&one));
    assert_eq!(store.session(id(99)).await.expect("reads"), None);

    store.touch_session(id(1), at(1090)).await.expect("writes");
    store.touch_session(id(1), at(1050)).await.expect("writes");
    let seen = store.session(id(1)).await.expect("reads").map(|session| session.seen);
    assert_eq!(seen, Some(at(1090)), "only ever ahead");
    assert_eq!(live(store, "einstein", 1099).await, [1, 2], "the one that was used last first");
    assert_eq!(live(store, "einstein", 1100).await, [1]);
    assert_eq!(live(store, "einstein", 1190).await, [0; 0]);
    store.touch_session(id(1), at(1980)).await.expect("writes");
    assert_eq!(live(store, "einstein", 1999).await, [1]);
    assert_eq!(live(store, "einstein", 2000).await, [0; 0], "however much it is used");
    assert!(store.session(id(1)).await.expect("reads").is_some(), "dead or alive");
}

async fn replaced(store: &Store) {
    store.begin_session(&session(11, "curie")).await.expect("begins");
    for (client, layout) in [("web", "opencloud"), ("app", "cells"), ("web", "cells"), ("web", "cells")] {
        store.join_session(id(11), client, layout).await.expect("joins");
    }
    let all = pairs(&[("app", "cells"), ("web", "cells"), ("web", "opencloud")]);
    assert_eq!(store.participants(id(11)).await.expect("reads"), all, "each once");

    store.replace_session(id(11), &session(12, "curie"), true).await.expect("replaces");
    assert_eq!(store.session(id(11)).await.expect("reads"), None);
    assert_eq!(store.session(id(12)).await.expect("reads"), Some(session(12, "curie")));
    assert_eq!(store.participants(id(12)).await.expect("reads"), all, "they move along");
    store.replace_session(id(12), &session(13, "bohr"), false).await.expect("replaces");
    for gone in [11, 12, 13] {
        assert_eq!(store.participants(id(gone)).await.expect("reads"), []);
    }
    let error = store.join_session(id(12), "web", "cells").await.expect_err("it has ended");
    assert!(error.is_missing_reference(), "{error}");
}

async fn ended(store: &Store) {
    store.begin_session(&session(21, "curie")).await.expect("begins");
    for (client, layout) in [("web", "opencloud"), ("web", "cells"), ("app", "cells")] {
        store.join_session(id(21), client, layout).await.expect("joins");
    }
    let tell = ["web".to_owned(), "another".to_owned()];
    let told = store.end_session(id(21), &tell, at(1500)).await.expect("ends");
    assert_eq!(told, pairs(&[("app", "cells"), ("web", "cells"), ("web", "opencloud")]));
    assert_eq!(store.session(id(21)).await.expect("reads"), None);
    assert_eq!(store.participants(id(21)).await.expect("reads"), []);
    assert_eq!(store.end_session(id(21), &tell, at(1501)).await.expect("answers"), [], "once");
}
