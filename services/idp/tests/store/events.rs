//! Events of users' accounts.

use idp::store::{EventFilter, Store, StoredEvent};
use store::page::Position;

use crate::support::{at, id};

fn event(number: u128, user: &str, event: &str, second: u64) -> StoredEvent {
    StoredEvent {
        id: id(number),
        at: at(second),
        user: user.to_owned(),
        event: event.to_owned(),
        outcome: "success".to_owned(),
        client: "web".to_owned(),
        address: Some([192, 0, 2, 7].into()),
        user_agent: "Firefox \u{e4}".to_owned(),
        administrator: String::new(),
        object: String::new(),
    }
}

pub(crate) async fn suite(store: &Store) {
    let all = [
        event(1, "noether", "sign_in", 1000),
        event(2, "noether", "consent", 1001),
        event(3, "bohr", "sign_in", 1001),
        StoredEvent { address: None, outcome: "failure".to_owned(), ..event(4, "", "sign_in", 1002) },
    ];
    let rotated = StoredEvent {
        administrator: "moss".to_owned(),
        object: "a key".to_owned(),
        address: Some("2001:db8::7".parse().expect("an address")),
        ..event(5, "", "signing_key_rotate", 900)
    };
    store.add_events(&[]).await.expect("has nothing to write");
    store.add_events(&all[..2]).await.expect("writes");
    store.add_events(&all).await.expect("writes the others");
    store.add_events(&all).await.expect("writes nothing");
    let found = async |filter: EventFilter, after: Option<Position>, limit| {
        let found = store.events(&filter, after, limit).await.expect("reads");
        found.into_iter().map(|event| event.id.as_u128()).collect::<Vec<_>>()
    };
    let any = EventFilter::default;
    let read = store.events(&any(), None, 10).await.expect("reads");
    assert_eq!(read, [3, 2, 1, 0].map(|index: usize| all[index].clone()), "the newest first, each once");
    assert_eq!(found(any(), None, 2).await, [4, 3]);
    assert_eq!(found(any(), Some(Position { at: at(1001), id: id(3) }), 10).await, [2, 1]);
    assert_eq!(found(EventFilter { user: Some("noether".to_owned()), ..any() }, None, 10).await, [2, 1]);
    assert_eq!(found(EventFilter { event: Some("sign_in".to_owned()), ..any() }, None, 10).await, [4, 3, 1]);
    assert_eq!(found(EventFilter { outcome: Some("failure".to_owned()), ..any() }, None, 10).await, [4]);
    assert_eq!(found(EventFilter { address: Some([192, 0, 2, 7].into()), ..any() }, None, 10).await, [3, 2, 1]);
    let narrow = EventFilter {
        user: Some("noether".to_owned()),
        event: Some("sign_in".to_owned()),
        outcome: Some("success".to_owned()),
        address: Some([192, 0, 2, 7].into()),
        ..any()
    };
    assert_eq!(found(narrow.clone(), None, 10).await, [1], "all conditions together");
    let elsewhere = EventFilter { address: Some([192, 0, 2, 8].into()), ..narrow };
    assert_eq!(found(elsewhere, None, 10).await, [0_u128; 0]);
    let within = EventFilter { since: Some(at(1001)), until: Some(at(1002)), ..any() };
    assert_eq!(found(within, None, 10).await, [3, 2]);

    store.add_events(std::slice::from_ref(&rotated)).await.expect("writes");
    let of_address = EventFilter { address: rotated.address, ..any() };
    assert_eq!(store.events(&of_address, None, 10).await.expect("reads"), [rotated]);
    assert_eq!(store.prune_events(at(901), 10).await.expect("prunes"), 1);

    assert_eq!(store.prune_events(at(1000), 10).await.expect("prunes"), 0, "not those of this very time");
    assert_eq!(store.prune_events(at(1002), 2).await.expect("prunes"), 2, "so many at once");
    assert_eq!(store.prune_events(at(1002), 2).await.expect("prunes"), 1);
    assert_eq!(found(any(), None, 10).await, [4]);
}
