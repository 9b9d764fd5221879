use crate::endpoints::page;
use crate::store::EventFilter;
use crate::testing::{Bench, Browser, MailBox, PASSWORD, SITE};

/// `docs/security-requirements.md#s6`
#[tokio::test]
async fn failed_sign_in_is_stored_without_what_was_typed() {
    let bench = Bench::new().await;
    let mut browser = Browser::default();
    let url = bench.get(&mut browser, page::CONSENTS, &[]).await.location().expect("the sign-in").to_owned();
    let (_, query) = url.split_once('?').expect("a flow");
    let flow = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "flow").expect("a flow").1;
    let form = bench.get(&mut browser, page::SIGN_IN, &[("flow", &flow)]).await;
    let (flow, csrf) = (form.field("flow").expect("a flow"), form.csrf());
    let fields =
        [("flow", flow), ("csrf", csrf.as_str()), ("username", "typed by mistake"), ("password", "a wrong password")];
    let headers = [("origin", SITE), ("sec-fetch-site", "same-origin"), ("user-agent", "Firefox")];
    let answer = bench.post_with(&mut browser, page::LOGON, &fields, &headers).await;
    assert!(answer.field("csrf").is_some(), "the form is shown again: {} {}", answer.status, answer.text);

    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let stored = provider.store.events(&EventFilter::default(), None, 10).await.expect("reads");
    let [event] = stored.as_slice() else { panic!("one: {stored:?}") };
    assert_eq!((event.event.as_str(), event.outcome.as_str(), event.user.as_str()), ("sign_in", "failure", ""));
    assert_eq!((event.address, event.user_agent.as_str()), (Some([192, 0, 2, 1].into()), "Firefox"));
    for typed in ["typed by mistake", "a wrong password"] {
        assert!(!format!("{event:?}").contains(typed), "{event:?}");
    }
}

async fn sign_in(bench: &Bench, browser: &mut Browser) {
    let url = bench.get(browser, page::CONSENTS, &[]).await.location().expect("the sign-in").to_owned();
    let (_, query) = url.split_once('?').expect("a flow");
    let flow = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "flow").expect("a flow").1;
    let form = bench.get(browser, page::SIGN_IN, &[("flow", &flow)]).await;
    let (flow, csrf) = (form.field("flow").expect("a flow"), form.csrf());
    let fields = [("flow", flow), ("csrf", csrf.as_str()), ("username", "einstein"), ("password", PASSWORD)];
    bench.post(browser, page::LOGON, &fields).await.is(303);
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    bench.advance(std::time::Duration::from_mins(1));
}

#[tokio::test]
async fn user_is_notified_of_a_sign_in_with_another_browser_but_not_of_the_first() {
    let (bench, mail_box) = MailBox::with_bench().await;
    let mut first = Browser::default();
    sign_in(&bench, &mut first).await;
    sign_in(&bench, &mut Browser::default()).await;
    let mails = mail_box.wait_for(1).await;
    assert!(mails[0].contains("192.0.2.1") && mails[0].contains("new browser"), "{mails:?}");
    assert_eq!(mail_box.all().len(), 1, "one mail, for the second browser");
}
