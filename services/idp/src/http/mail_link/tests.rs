use std::time::Duration;

use authn::{Attribute, Caller, UserId, UserStatus};

use super::*;
use crate::account_links::mail_change::{LIFETIME, MailRequestError};
use crate::engine::termination;
use crate::store::EventFilter;
use crate::testing::{ADDRESS, Bench, Browser, EINSTEIN, MailBox, Reply};

const NEW: &str = "albert@cloud.example";

fn id(user: &str) -> UserId {
    UserId { opaque_id: user.to_owned(), ..UserId::default() }
}

async fn request(bench: &Bench, address: &str) -> Result<(), MailRequestError> {
    let (user, language) = (id(EINSTEIN), Language::English);
    mail_change::request(&bench.provider, &user, (address, language), &Caller::default()).await
}

/// A provider, and the secret of a link that was sent to [`NEW`].
async fn asked() -> (Bench, MailBox, String) {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    request(&bench, NEW).await.expect("is sent");
    let secret = MailBox::secret(&mail_box.wait_for(1).await[0]);
    (bench, mail_box, secret)
}

/// A browser in which the user is signed in.
async fn signed_in(bench: &Bench) -> Browser {
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    browser
}

async fn show(bench: &Bench, browser: &mut Browser, secret: &str) -> Reply {
    bench.get(browser, page::MAIL_LINK, &[("link", secret)]).await
}

async fn confirm(bench: &Bench, browser: &mut Browser, secret: &str) -> Reply {
    let csrf = show(bench, browser, secret).await.csrf();
    bench.post(browser, page::MAIL_LINK, &[("link", secret), ("csrf", &csrf)]).await
}

async fn outcomes(bench: &Bench, event: &str) -> Vec<String> {
    let filter = EventFilter { event: Some(event.to_owned()), ..EventFilter::default() };
    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let events = provider.store.events(&filter, None, 10).await.expect("events");
    events.into_iter().map(|event| event.outcome).collect()
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn link_changes_the_address_once_and_showing_it_changes_nothing() {
    let (bench, mail_box, secret) = asked().await;
    let mail = &mail_box.all()[0];
    assert!(mail.contains(&format!("To: {NEW}")), "{mail}");
    let mut browser = signed_in(&bench).await;
    for _ in 0..3 {
        let page = show(&bench, &mut browser, &secret).await;
        assert_eq!((page.status.as_u16(), page.header("referrer-policy")), (200, "no-referrer"));
        assert!(page.text.contains("einstein") && page.text.contains(NEW), "{}", page.text);
    }
    assert_eq!(bench.user().mail, ADDRESS);
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    let form = [("link", secret.as_str()), ("csrf", &csrf)];
    let done = bench.post(&mut browser, page::MAIL_LINK, &form).await;
    assert_eq!(done.status.as_u16(), 200, "{}", done.text);
    assert_eq!(bench.user().mail, NEW);

    let mails = mail_box.wait_for(2).await;
    let notice = mails.iter().find(|mail| mail.contains(&format!("To: {ADDRESS}"))).expect("a notice");
    assert!(notice.contains(NEW) && !notice.contains(page::MAIL_LINK), "{notice}");
    assert_eq!(bench.post(&mut browser, page::MAIL_LINK, &form).await.status.as_u16(), 410);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn of_two_confirmations_at_once_one_changes_the_address() {
    let (bench, mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    let form = [("link", secret.as_str()), ("csrf", csrf.as_str())];
    let mut other = browser.clone();
    let (one, two) =
        tokio::join!(bench.post(&mut browser, page::MAIL_LINK, &form), bench.post(&mut other, page::MAIL_LINK, &form));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    mail_box.wait_for(2).await;
    assert_eq!((bench.user().mail.as_str(), mail_box.all().len()), (NEW, 2), "one notice");
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn expired_and_unknown_links_are_refused() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    bench.advance(LIFETIME);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    let form = [("link", secret.as_str()), ("csrf", &csrf)];
    assert_eq!(bench.post(&mut browser, page::MAIL_LINK, &form).await.status.as_u16(), 410);
    for unknown in ["", "x", &"A".repeat(43)] {
        assert_eq!(show(&bench, &mut browser, unknown).await.status.as_u16(), 410, "{unknown}");
    }
    assert_eq!(bench.user().mail, ADDRESS);
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn link_ends_when_address_password_or_status_of_the_user_changes() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    let now = bench.provider.clock.now() + Duration::from_secs(1);
    bench.change(|user| user.as_mut().expect("a user").mail = "changed@cloud.example".to_owned());
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    bench.change(|user| user.as_mut().expect("a user").mail = ADDRESS.to_owned());
    bench.change(|user| user.as_mut().expect("a user").password_changed = Some(now));
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    bench.change(|user| user.as_mut().expect("a user").password_changed = None);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 200);
    bench.change(|user| user.as_mut().expect("a user").status = UserStatus::Blocked);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    bench.change(|user| user.as_mut().expect("a user").status = UserStatus::Active);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410, "nor for a user who is enabled later");
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn signing_out_everywhere_ends_the_link() {
    let (bench, _mail_box, secret) = asked().await;
    termination::end_everywhere(&bench.provider, EINSTEIN).await.expect("ends");
    bench.advance(Duration::from_secs(2));
    let mut browser = signed_in(&bench).await;
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    request(&bench, NEW).await.expect("another one is sent");
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn link_alone_changes_nothing_without_a_session_of_its_user() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    let form = [("link", secret.as_str()), ("csrf", csrf.as_str())];
    // of whoever asked for the link: it is ended before the link is opened
    let sessions = bench.provider.store.live_sessions(Some(EINSTEIN), None, 9, bench.clock.now()).await.expect("reads");
    termination::end_with_grants(&bench.provider, &sessions[0]).await.expect("ends");
    for reply in [show(&bench, &mut browser, &secret).await, bench.post(&mut browser, page::MAIL_LINK, &form).await] {
        assert_eq!(reply.status.as_u16(), 303, "{}", reply.text);
        assert!(reply.header("location").contains(page::SIGN_IN), "{}", reply.header("location"));
    }
    let signed_out = show(&bench, &mut Browser::default(), &secret).await;
    assert_eq!(signed_out.status.as_u16(), 303, "{}", signed_out.text);

    let mut of_other = Browser::default();
    bench.sign_in(&mut of_other, "u-marie").await;
    let page = show(&bench, &mut of_other, &secret).await;
    assert_eq!(page.status.as_u16(), 403);
    assert!(!page.text.contains("einstein") && !page.text.contains(NEW), "{}", page.text);
    assert_eq!(bench.user().mail, ADDRESS);
    confirm(&bench, &mut signed_in(&bench).await, &secret).await.is(200);
    assert_eq!(bench.user().mail, NEW);
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn later_request_ends_the_former_link() {
    let (bench, mail_box, former) = asked().await;
    let mut browser = signed_in(&bench).await;
    request(&bench, "a.einstein@cloud.example").await.expect("is sent");
    let mails = mail_box.wait_for(2).await;
    let later = mails.iter().map(|mail| MailBox::secret(mail)).find(|secret| *secret != former).expect("a link");
    assert_eq!(show(&bench, &mut browser, &former).await.status.as_u16(), 410);
    assert_eq!(confirm(&bench, &mut browser, &later).await.status.as_u16(), 200);
    assert_eq!(bench.user().mail, "a.einstein@cloud.example");
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn link_of_one_kind_does_not_open_the_page_of_the_other() {
    let (bench, mail_box, secret) = asked().await;
    let mut browser = Browser::default();
    assert_eq!(bench.get(&mut browser, page::LINK, &[("link", &secret)]).await.status.as_u16(), 410);
    let form = bench.get(&mut browser, page::FORGOTTEN, &[]).await;
    bench.post(&mut browser, page::FORGOTTEN, &[("csrf", &form.csrf()), ("username", ADDRESS)]).await;
    let mails = mail_box.wait_for(2).await;
    let reset = mails.iter().map(|mail| MailBox::secret(mail)).find(|other| *other != secret).expect("a link");
    assert_eq!(show(&bench, &mut browser, &reset).await.status.as_u16(), 410);
    assert_eq!(bench.get(&mut browser, page::LINK, &[("link", &reset)]).await.status.as_u16(), 200);
    // the link for the password ends with the address
    let mut browser = signed_in(&bench).await;
    confirm(&bench, &mut browser, &secret).await.is(200);
    assert_eq!(bench.get(&mut browser, page::LINK, &[("link", &reset)]).await.status.as_u16(), 410);
}

/// [Row L11](../../../../../docs/security-requirements.md#l11).
#[tokio::test]
async fn address_of_another_user_is_told_to_its_owner_alone() {
    let (bench, mail_box, secret) = asked().await;
    bench.change_mail_changes(|changes| NEW.clone_into(&mut changes.taken));
    request(&bench, NEW).await.expect("the answer is the same");
    let mails = mail_box.wait_for(2).await;
    let later = mails.iter().map(|mail| MailBox::secret(mail)).find(|other| *other != secret).expect("a link");
    let mut browser = signed_in(&bench).await;
    assert_eq!(confirm(&bench, &mut browser, &later).await.status.as_u16(), 409);
    assert_eq!(show(&bench, &mut browser, &later).await.status.as_u16(), 410);
    assert_eq!((bench.user().mail.as_str(), mail_box.all().len()), (ADDRESS, 2), "no notice");
}

#[tokio::test]
async fn directory_that_does_not_answer_leaves_the_link_usable() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    bench.change_mail_changes(|changes| changes.is_away = true);
    assert_eq!(confirm(&bench, &mut browser, &secret).await.status.as_u16(), 503);
    bench.change_mail_changes(|changes| changes.is_away = false);
    assert_eq!(confirm(&bench, &mut browser, &secret).await.status.as_u16(), 200);
}

/// [Row L10](../../../../../docs/security-requirements.md#l10).
#[tokio::test]
async fn link_of_a_failed_change_stays_ended_if_there_is_a_later_one() {
    let (bench, _mail_box, secret) = asked().await;
    let provider = &bench.provider;
    let link = mail_change::open(provider, &secret).await.expect("reads").expect("a link").link.stored;
    let used = bench.clock.now();
    assert!(provider.store.use_link(link.digest, used).await.expect("is used"));
    provider.store.restore_link(&link, used).await.expect("is restored");
    assert!(provider.store.use_link(link.digest, used).await.expect("is used again"));
    request(&bench, "a.einstein@cloud.example").await.expect("another one is sent");
    provider.store.restore_link(&link, used).await.expect("is left");
    assert!(mail_change::open(provider, &secret).await.expect("reads").is_none());
}

#[tokio::test]
async fn change_whose_answer_was_lost_is_done() {
    let (bench, mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    bench.change_mail_changes(|changes| changes.loses_answers = true);
    confirm(&bench, &mut browser, &secret).await.is(200);
    let mails = mail_box.wait_for(2).await;
    assert!(mails.iter().any(|mail| mail.contains(&format!("To: {ADDRESS}"))), "a notice");
    assert_eq!(outcomes(&bench, "mail_change").await, ["success"]);
}

/// [Row L9](../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn link_does_nothing_once_the_operator_permits_it_no_more() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    bench.change_mail_changes(|changes| changes.are_permitted = false);
    assert_eq!(confirm(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    assert_eq!(bench.user().mail, ADDRESS);
    assert!(matches!(request(&bench, NEW).await, Err(MailRequestError::NotOffered)));
}

#[tokio::test]
async fn form_of_another_link_or_site_is_refused() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    let form = [("link", secret.as_str()), ("csrf", "x")];
    assert_eq!(bench.post(&mut browser, page::MAIL_LINK, &form).await.status.as_u16(), 403);
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    let form = [("link", secret.as_str()), ("csrf", &csrf)];
    let elsewhere = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    assert_eq!(bench.post_with(&mut browser, page::MAIL_LINK, &form, &elsewhere).await.status.as_u16(), 403);
    assert_eq!(bench.user().mail, ADDRESS);
}

/// [Row L12](../../../../../docs/security-requirements.md#l12).
#[tokio::test]
async fn user_gets_three_links_in_half_an_hour() {
    let (bench, mail_box, _) = asked().await;
    for _ in 0..2 {
        request(&bench, NEW).await.expect("is sent");
    }
    assert!(matches!(request(&bench, NEW).await, Err(MailRequestError::TooMany)));
    bench.advance(Duration::from_mins(31));
    request(&bench, NEW).await.expect("is sent");
    mail_box.wait_for(4).await;
    assert_eq!(mail_box.all().len(), 4);
    let mut outcomes = outcomes(&bench, "mail_change_request").await;
    outcomes.sort();
    assert_eq!(outcomes, ["success", "success", "success", "success", "throttled"]);
}

#[tokio::test]
async fn changes_are_recorded_for_the_user() {
    let (bench, _mail_box, secret) = asked().await;
    let mut browser = signed_in(&bench).await;
    confirm(&bench, &mut browser, &secret).await.is(200);
    assert_eq!(outcomes(&bench, "mail_change").await, ["success"]);
}

#[tokio::test]
async fn invalid_addresses_and_the_own_one_are_refused() {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    for invalid in ["", "albert", "@", "a b@c.example", "a@b\r\nBcc: c@d", "ｅ@cloud.example"] {
        let refused = request(&bench, invalid).await;
        assert!(matches!(refused, Err(MailRequestError::Invalid)), "{invalid:?} {refused:?}");
    }
    assert!(matches!(request(&bench, ADDRESS).await, Err(MailRequestError::Unchanged)));
    bench.change(|user| user.as_mut().expect("a user").status = UserStatus::Blocked);
    assert!(matches!(request(&bench, NEW).await, Err(MailRequestError::Ineligible)));
    assert!(mail_box.all().is_empty());
}

#[tokio::test]
async fn letter_is_in_the_language_of_the_profile() {
    let (bench, mail_box) = MailBox::with_bench().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    bench.change_profile(|profile| profile.set(Attribute::Locale, "de").expect("a locale"));
    request(&bench, NEW).await.expect("is sent");
    let mails = mail_box.wait_for(1).await;
    assert!(mails[0].contains("Neue Adresse: albert@cloud.example"), "{mails:?}");
}

/// [Row L4](../../../../../docs/security-requirements.md#l4).
#[tokio::test]
async fn source_opens_links_so_often_in_an_hour() {
    let (bench, _mail_box) = MailBox::with_bench().await;
    let mut browser = Browser::default();
    for _ in 0..links::PER_SOURCE.get() {
        assert_eq!(show(&bench, &mut browser, "x").await.status.as_u16(), 410);
    }
    let refused = show(&bench, &mut browser, "x").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "30"));
}

#[tokio::test]
async fn without_mail_there_is_no_page() {
    let bench = Bench::new().await;
    bench.change_mail_changes(|changes| changes.are_permitted = true);
    assert_eq!(show(&bench, &mut Browser::default(), "x").await.status.as_u16(), 404);
    assert!(matches!(request(&bench, NEW).await, Err(MailRequestError::NotOffered)));
}
