//! A flow that is used again after its end.

use super::*;

/// `docs/security-requirements.md#f34`
#[tokio::test]
async fn password_of_a_completed_flow_works_no_second_time() {
    let (bench, mut browser) = (plain_bench().await, Browser::default());
    let (secret, _) = bench.enrol().await;
    let reply = give_password(&bench, &mut browser, &[]).await;
    let form = show_page(&bench, &mut browser, &flow(&reply)).await;
    let code = next_code(&bench, &secret);
    let done = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
    assert!(answered(&done, "code").is_some(), "{:?}", done.location());
    let sessions = async || bench.provider.store.sessions_of(EINSTEIN, bench.clock.now()).await.expect("reads");
    for session in sessions().await {
        bench.provider.store.end_session(session.id, &[], bench.clock.now()).await.expect("ends");
    }
    let code = next_code(&bench, &secret);
    let replayed = send(&bench, &mut browser, &form, page::FACTOR, &[("code", &code)]).await;
    assert_eq!(sessions().await, [], "no session by the former password");
    let form = show_page(&bench, &mut browser, &flow(&replayed)).await;
    assert!(form.text.contains("name=\"password\""), "{}", form.text);
}
