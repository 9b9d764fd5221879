use authn::testing::{MemoryDirectory, user};

use super::*;
use crate::store::EventFilter;
use crate::testing::{Bench, EINSTEIN};

fn circumstances(user: AuditedUser, user_agent: &str) -> Circumstances<'_> {
    let address = Some([192, 0, 2, 7].into());
    Circumstances { user, client: "web", address, user_agent, administrator: "", object: "" }
}

async fn stored(bench: &Bench) -> Vec<StoredEvent> {
    bench.provider.store.events(&EventFilter::default(), None, 10_000).await.expect("reads")
}

/// `docs/security-requirements.md#s6`
#[tokio::test]
async fn login_name_of_no_user_is_not_stored() {
    let bench = Bench::new().await;
    let (events, now) = (&bench.provider.audit_events, bench.clock.now());
    for name in ["einstein", "correct horse battery staple"] {
        let user = AuditedUser::LoginName(name.to_owned());
        events.record(&Event::new("sign_in", "failure"), circumstances(user, "Firefox"), now);
    }
    let directory = MemoryDirectory::new([user("einstein")]);
    events.flush(&bench.provider.store, &*directory).await.expect("stores");
    let stored = stored(&bench).await;
    let mut users: Vec<_> = stored.iter().map(|event| event.user.as_str()).collect();
    users.sort_unstable();
    assert_eq!(users, ["", user("einstein").id.opaque_id.as_str()]);
    assert!(!format!("{stored:?}").contains("staple"), "{stored:?}");
}

/// `docs/security-requirements.md#s6`
#[tokio::test]
async fn texts_of_callers_are_bounded_and_events_stay_in_the_queue_until_they_are_stored() {
    let bench = Bench::new().await;
    let (events, now) = (&bench.provider.audit_events, bench.clock.now());
    let user_agent = format!("a\n\u{1b}[2J{}", "ä".repeat(1000));
    for _ in 0..MOST_WAITING + 3 {
        let user = AuditedUser::Id(EINSTEIN.to_owned());
        events.record(&Event::new("sign_in", "success"), circumstances(user, &user_agent), now);
    }
    assert_eq!((events.dropped.get(), events.take_dropped(), events.take_dropped()), (3, 3, 0));
    let (provider, directory) = (&bench.provider, &*bench.provider.directory);
    events.flush(&provider.store, directory).await.expect("stores");
    events.flush(&provider.store, directory).await.expect("has nothing to store");
    let stored = stored(&bench).await;
    assert_eq!(stored.len(), MOST_WAITING, "each once");
    let StoredEvent { at, user, event, outcome, client, address, user_agent, .. } = &stored[0];
    assert_eq!((*at, user.as_str(), event.as_str(), outcome.as_str()), (now, EINSTEIN, "sign_in", "success"));
    assert_eq!((client.as_str(), *address), ("web", Some([192, 0, 2, 7].into())));
    assert_eq!((user_agent.chars().count(), user_agent.starts_with("a[2Jä")), (MAX_TEXT, true));
}
