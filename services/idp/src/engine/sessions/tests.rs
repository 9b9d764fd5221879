use super::*;
use crate::testing::{Bench, EINSTEIN, with_password};

async fn begin(bench: &Bench, former: Option<&Session>, user: &str) -> NewSession {
    super::begin(&bench.provider, former, with_password(user), &Caller::default()).await.expect("begins")
}

async fn is_current(bench: &Bench, cookie: &str) -> bool {
    current(&bench.provider, Some(cookie)).await.expect("asks").is_some()
}

#[tokio::test]
async fn session_is_found_by_its_cookie_only() {
    let bench = Bench::new().await;
    let begun = begin(&bench, None, EINSTEIN).await;
    let found = current(&bench.provider, Some(&begun.cookie)).await.expect("asks").expect("is found");
    assert_eq!((found.id, found.person.as_str(), found.amr.as_str()), (begun.session.id, EINSTEIN, PASSWORD));
    let id_alone = URL_SAFE_NO_PAD.encode([begun.session.id.as_bytes().as_slice(), &[0; SECRET_LEN]].concat());
    for wrong in ["", "x", &begun.cookie[1..], &id_alone] {
        assert!(!is_current(&bench, wrong).await, "{wrong}");
    }
    assert_eq!(current(&bench.provider, None).await.expect("asks"), None);
}

#[tokio::test]
async fn session_ends_when_it_is_idle_and_at_its_absolute_end() {
    let bench = Bench::new().await;
    let lifetimes = bench.provider.config.lifetimes.clone();
    let begun = begin(&bench, None, EINSTEIN).await;
    bench.advance(lifetimes.session_idle.saturating_sub(Duration::from_secs(1)));
    assert!(is_current(&bench, &begun.cookie).await);
    bench.advance(lifetimes.session_idle);
    assert!(!is_current(&bench, &begun.cookie).await, "idle");
    let begun = begin(&bench, None, EINSTEIN).await;
    let half = lifetimes.session_idle / 2;
    for _ in 0..lifetimes.session.as_secs().div_ceil(half.as_secs()) {
        current(&bench.provider, Some(&begun.cookie)).await.expect("asks");
        bench.advance(half);
    }
    assert!(!is_current(&bench, &begun.cookie).await, "at its end");
}

/// Row I19.
#[tokio::test]
async fn sign_in_replaces_the_session_of_the_browser() {
    let bench = Bench::new().await;
    let first = begin(&bench, None, EINSTEIN).await;
    let second = begin(&bench, Some(&first.session), EINSTEIN).await;
    assert_ne!(first.session.id, second.session.id);
    assert!(!is_current(&bench, &first.cookie).await && is_current(&bench, &second.cookie).await);
    let other = begin(&bench, Some(&second.session), "u-curie").await;
    assert!(!is_current(&bench, &second.cookie).await && is_current(&bench, &other.cookie).await);
}

#[tokio::test]
async fn only_the_cookie_of_a_remembered_session_outlives_the_browser() {
    let bench = Bench::new().await;
    assert_eq!(begin(&bench, None, EINSTEIN).await.cookie_lifetime, None);
    let user = SignedInUser { remember: true, ..with_password(EINSTEIN) };
    let remembered = super::begin(&bench.provider, None, user, &Caller::default()).await.expect("begins");
    assert_eq!(remembered.cookie_lifetime, Some(bench.provider.config.lifetimes.remembered_session));
}

#[tokio::test]
async fn browser_state_changes_with_the_session() {
    let bench = Bench::new().await;
    let state = |session| browser_state(&bench.provider, session);
    let [one, other] = [1, 2].map(|id| Some(Uuid::from_u128(id)));
    assert_eq!(state(None), "none");
    assert_eq!(state(one), state(one));
    assert_ne!(state(one), state(other));
}
