//! Browser sessions.

use std::time::Duration;

use idp::model::Session;
use idp::store::{Begun, Participant, Store};
use store::page::Position;

use crate::support::{at, family, id, revoked};

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
        user_agent: "Firefox".to_owned(),
        address: Some([192, 0, 2, 7].into()),
    }
}

/// Participants that know the session by this identifier.
fn knowing(sid: u128, wanted: &[(&str, &str)]) -> Vec<Participant> {
    let participant = |(client, layout): &(&str, &str)| Participant {
        client: (*client).to_owned(),
        layout: (*layout).to_owned(),
        sid: id(sid),
    };
    wanted.iter().map(participant).collect()
}

async fn live(store: &Store, person: &str, now: u64) -> Vec<u128> {
    let found = store.sessions_of(person, at(now)).await.expect("reads");
    found.iter().map(|session| session.id.as_u128()).collect()
}

pub(crate) async fn suite(store: &Store) {
    used(store).await;
    replaced(store).await;
    ended(store).await;
    people(store).await;
    of_all_users(store).await;
    with_their_grants(store).await;
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
    let all = [("app", "cells"), ("web", "cells"), ("web", "opencloud")];
    assert_eq!(store.participants(id(11)).await.expect("reads"), knowing(11, &all), "each once");

    store.replace_session(id(11), &session(12, "curie")).await.expect("replaces");
    assert_eq!(store.session(id(11)).await.expect("reads"), None);
    assert_eq!(store.session(id(12)).await.expect("reads"), Some(session(12, "curie")));
    assert_eq!(store.participants(id(12)).await.expect("reads"), knowing(11, &all), "they move along");
    store.replace_session(id(12), &session(13, "curie")).await.expect("replaces");
    store.join_session(id(13), "app", "cells").await.expect("joins");
    let mixed = [knowing(13, &all[..1]), knowing(11, &all[1..])].concat();
    assert_eq!(store.participants(id(13)).await.expect("reads"), mixed, "who asks again learns the new identifier");
    for gone in [11, 12] {
        assert_eq!(store.participants(id(gone)).await.expect("reads"), []);
    }
    let notified = store.end_session(id(13), &["app".to_owned(), "web".to_owned()], at(1500)).await.expect("ends");
    assert_eq!(notified, mixed);
    let due = store.due_deliveries(10, Duration::from_secs(1), at(1500)).await.expect("reads");
    let mut sids: Vec<_> = due.iter().map(|delivery| (delivery.client.as_str(), delivery.session.as_u128())).collect();
    sids.sort_unstable();
    assert_eq!(sids, [("app", 13), ("web", 11), ("web", 11)], "each is notified of the one it knows");
    for delivery in due {
        store.delivered(delivery.id).await.expect("writes");
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
    let notified = store.end_session(id(21), &tell, at(1500)).await.expect("ends");
    assert_eq!(notified, knowing(21, &[("app", "cells"), ("web", "cells"), ("web", "opencloud")]));
    assert_eq!(store.session(id(21)).await.expect("reads"), None);
    assert_eq!(store.participants(id(21)).await.expect("reads"), []);
    assert_eq!(store.end_session(id(21), &tell, at(1501)).await.expect("answers"), [], "once");
}

async fn people(store: &Store) {
    for (number, person, signed_in) in [(31, "p-bohr", 1100), (32, "p-bohr", 1000), (33, "p-curie", 1200)] {
        let session = Session { signed_in: at(signed_in), ..session(number, person) };
        store.begin_session(&session).await.expect("begins");
    }
    for (grant, person) in [(31, Some("p-curie")), (32, Some("p-fermi")), (33, None)] {
        store.begin_family(&family(grant + 4000, person, "web")).await.expect("begins");
    }
    let begun = |person: &str, earliest| Begun { person: person.to_owned(), earliest: at(earliest) };
    // behind those of other tests, which have other letters
    let sessions = store.people_with_sessions("o", 10, at(1099)).await.expect("reads");
    assert_eq!(sessions, [begun("p-bohr", 1000), begun("p-curie", 1200)], "each once, by the first session");
    assert_eq!(store.people_with_sessions("o", 1, at(1099)).await.expect("reads"), [begun("p-bohr", 1000)]);
    assert_eq!(store.people_with_sessions("p-bohr", 10, at(1099)).await.expect("reads"), [begun("p-curie", 1200)]);
    assert_eq!(store.people_with_sessions("o", 10, at(1100)).await.expect("reads"), [], "they are over");
    let grants = store.people_with_grants("o", 10, at(1099)).await.expect("reads");
    assert_eq!(grants, [begun("p-curie", 1000), begun("p-fermi", 1000)], "a client of its own is no person");
}

async fn of_all_users(store: &Store) {
    // far behind what the other parts have left
    for (number, person, signed_in) in [(51, "q-a", 9000), (52, "q-b", 9001), (53, "q-a", 9001), (54, "q-a", 9002)] {
        let (signed_in, end) = (at(signed_in), at(99_000));
        let session = Session { signed_in, seen: signed_in, end, ..session(number, person) };
        store.begin_session(&session).await.expect("begins");
    }
    let live = async |user: Option<&str>, after: Option<Position>, limit| {
        let found = store.live_sessions(user, after, limit, at(9050)).await.expect("reads");
        found.into_iter().map(|session| session.id.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(live(None, None, 10).await, [54, 53, 52, 51], "the newest first");
    assert_eq!(live(None, None, 2).await, [54, 53]);
    assert_eq!(live(None, Some(Position { at: at(9001), id: id(53) }), 10).await, [52, 51]);
    assert_eq!(live(Some("q-a"), None, 10).await, [54, 53, 51]);
    let none = store.live_sessions(None, None, 10, at(9102)).await.expect("reads");
    assert_eq!(none, [], "none is live any more");

    store.join_session(id(51), "web", "cells").await.expect("joins");
    let next = Session { signed_in: at(9003), seen: at(9003), ..session(55, "q-a") };
    store.replace_session(id(51), &next).await.expect("replaces");
    let known = async |sid, among: &[u128]| {
        let among: Vec<_> = among.iter().map(|number| id(*number)).collect();
        store.session_known_as(id(sid), &among).await.expect("reads").map(|id| id.as_u128())
    };
    assert_eq!((known(55, &[54, 55]).await, known(51, &[54, 55]).await), (Some(55), Some(55)));
    assert_eq!((known(51, &[54]).await, known(99, &[54, 55]).await), (None, None));

    // its client knows the new identifier now, and another took no part: the old one is known all the same
    store.join_session(id(55), "web", "cells").await.expect("joins");
    let last = Session { signed_in: at(9004), seen: at(9004), ..session(56, "q-a") };
    store.replace_session(id(55), &last).await.expect("replaces");
    store.join_session(id(56), "web", "cells").await.expect("joins");
    assert_eq!(store.identifiers(id(56)).await.expect("reads"), [51, 55, 56].map(id));
    assert_eq!(known(51, &[54, 56]).await, Some(56));
    assert_eq!(store.participants(id(56)).await.expect("reads"), knowing(56, &[("web", "cells")]));
}

/// The families of [`family`] are of session 7.
async fn with_their_grants(store: &Store) {
    for (grant, person) in [(61, "q-c"), (62, "q-d")] {
        store.begin_family(&family(grant, Some(person), "web")).await.expect("begins");
    }
    let is_there = async |grant| store.family(id(grant), at(1500)).await.expect("reads").is_some();
    store.revoke_grants_of_sessions("q-c", &[], at(9000), at(1500)).await.expect("revokes");
    store.revoke_grants_of_sessions("q-c", &[id(8)], at(9000), at(1500)).await.expect("revokes");
    assert!(is_there(61).await, "it is of another session");
    store.revoke_grants_of_sessions("q-c", &[id(8), id(7)], at(9000), at(1500)).await.expect("revokes");
    assert!(!is_there(61).await && is_there(62).await, "those of others stay");
    assert!(revoked(store).await.contains(&id(61)));
}
