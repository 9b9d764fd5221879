//! Logins and passwords in the forms that keyboards and clients produce (RFC 8265).

use authn::testing::refusal_reason;
use authn::{Device, UserStatus};
use bcrypt::hash;

use crate::support::{AWAY, Bench, HOME, PASSWORD, cheap, is_busy};

const COMPOSED: &str = "d\u{e9}j\u{e0} vu \u{e0} Paris";
const DECOMPOSED: &str = "de\u{301}ja\u{300} vu a\u{300} Paris";

#[tokio::test]
async fn composed_and_decomposed_password_is_the_same() {
    let bench = Bench::start(cheap()).await;
    for (set, given) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        bench.set("einstein", set).await;
        bench.sign_in("einstein", set).await.expect("as it was set");
        bench.sign_in("einstein", given).await.expect("in the other form");
    }
    bench.sign_in("einstein", "de\u{301}ja\u{300}\u{a0}vu a\u{300} Paris").await.expect("with another blank");
}

#[tokio::test]
async fn password_stored_unprepared_keeps_working_and_is_brought_up_to_date() {
    let bench = Bench::start(cheap()).await;
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    let stored = hash(DECOMPOSED, 4).expect("hashes");
    administration.import("id-of-einstein", &stored).await.expect("a verifier");
    bench.sign_in("einstein", DECOMPOSED).await.expect("as it was stored");
    bench.sign_in("einstein", COMPOSED).await.expect("prepared, since it was seen");
}

#[tokio::test]
async fn username_and_mail_address_share_one_count() {
    let bench = Bench::start(cheap()).await;
    for number in 0..5 {
        let login = if number % 2 == 0 { "einstein" } else { "einstein@example.org" };
        refusal_reason(bench.sign_in(login, &format!("guess {number}")).await);
    }
    for login in ["einstein", "einstein@example.org"] {
        assert!(is_busy(&bench.sign_in(login, PASSWORD).await), "{login}");
    }
    bench.sign_in_from(AWAY, "einstein", PASSWORD).await.expect("elsewhere nothing has failed");
}

#[tokio::test]
async fn known_device_signs_in_while_its_source_is_delayed() {
    let bench = Bench::start(cheap()).await;
    bench.put_user("marie", UserStatus::Active);
    for number in 0..10 {
        let _ = bench.sign_in("einstein", &format!("guess {number}")).await;
    }
    assert!(is_busy(&bench.sign_in("einstein", PASSWORD).await));
    let device = |name: &str| Some(Device { user_id: format!("id-of-{name}"), id: "device".to_owned() });
    let foreign = bench.sign_in_with(HOME, device("marie"), "einstein", PASSWORD).await;
    assert!(is_busy(&foreign), "the device of another user counts for nothing");
    bench.sign_in_with(HOME, device("einstein"), "einstein", PASSWORD).await.expect("it has a budget of its own");
}
